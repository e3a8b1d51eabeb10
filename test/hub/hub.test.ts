import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { PAGE_BYTES } from '../../src/hub/pages.js'
import type { Entry, Log, LogListener } from '../../src/log/log.js'
import { formatPosition, type Position, parsePosition } from '../../src/wire/position.js'
import { settled, stage } from './stage.js'

t.test('ready comes first, then the replay, then live, with what is new after it', async (t) => {
  const { open, publish } = await stage(t)
  await publish('a', 1, 2)
  const sink = await open(['a'], 'earliest')
  t.same(
    sink.frames.map(({ event, data }) => event ?? JSON.parse(data).data),
    ['stream.ready', '1', '2', 'stream.live'],
  )
  await publish('a', 3)
  await settled()
  t.same(sink.events, ['a=1', 'a=2', 'a=3'])
})

t.test('head, replay and live leave in one write', async (t) => {
  const { open, publish } = await stage(t)
  await publish('a', 1, 2)
  const sink = await open(['a'], 'earliest')
  t.equal(sink.writes.length, 1)
})

t.test('events of one turn of the event loop leave as one write for each socket', async (t) => {
  const { open, publish } = await stage(t)
  const one = await open(['a'])
  const two = await open(['a'])
  for (let i = 0; i < 100; i++) void publish('a', i)
  await settled()
  t.equal(one.writes.length, 2, 'the first frames, and one write')
  t.equal(one.events.length, 100)
  t.same(two.events, one.events)
})

t.test('a frame is encoded once: all sockets get the same bytes in memory', async (t) => {
  const { open, publish } = await stage(t)
  const sinks = [await open(['a']), await open(['a']), await open(['a', 'b'])]
  await publish('a', 'x')
  await settled()
  const replayed = await open(['a'], sinks[0]!.told('stream.live')[0]!.cursor as string)
  const [first, ...others] = sinks.map((sink) => sink.writes.at(-1)!)
  for (const other of others) t.equal(other.buffer, first!.buffer)
  t.same(replayed.events, ['a=x'])
})

t.test(
  'events of several channels in one turn leave in the order of their positions',
  async (t) => {
    const { open, publish } = await stage(t)
    const sink = await open(['a', 'b', 'c'])
    const expected: string[] = []
    for (let i = 0; i < 30; i++) {
      const channel = 'abc'[(i * 7) % 3]!
      void publish(channel, i)
      expected.push(`${channel}=${i}`)
    }
    await settled()
    t.same(sink.events, expected)
  },
)

t.test('a full socket is not fed, holds nothing, and gets everything once it drains', async (t) => {
  const { open, publish } = await stage(t)
  const sink = await open(['a'])
  sink.stuck = true
  await publish('a', 0)
  await settled()
  const before = sink.writes.length
  for (let i = 1; i <= 500; i++) await publish('a', i)
  await settled()
  t.equal(sink.writes.length, before)
  sink.drain()
  await settled()
  t.same(
    sink.events,
    Array.from({ length: 501 }, (_, i) => `a=${i}`),
  )
})

t.test('a reader that fills up in the middle of a replay goes on where it stood', async (t) => {
  const { open, publish } = await stage(t, { maxEvents: 10_000 })
  const filler = 'x'.repeat(500)
  for (let i = 0; i < 2000; i++) await publish(i % 2 ? 'a' : 'b', `${i}${filler}`)
  const sink = await open(['a', 'b'], 'earliest')
  for (let i = 0; i < 1000 && sink.events.length < 2000; i++) {
    sink.stuck = true
    sink.drain()
    sink.stuck = i % 3 !== 0
    await turn()
  }
  sink.drain()
  await settled()
  t.same(
    sink.events.map((event) => Number.parseInt(event.slice(2), 10)),
    Array.from({ length: 2000 }, (_, i) => i),
  )
})

t.test('a replay of thousands leaves in a handful of writes', async (t) => {
  const { open, publish } = await stage(t, { maxEvents: 10_000 })
  const sink0 = await open(['a'])
  for (let i = 0; i < 5000; i++) void publish('a', i)
  await settled()
  const sink = await open(['a'], sink0.told('stream.live')[0]!.cursor as string)
  await settled(50)
  t.equal(sink.events.length, 5000)
  const bytes = sink.writes.reduce((sum, write) => sum + write.length, 0)
  t.ok(sink.writes.length <= 4 + (2 * bytes) / PAGE_BYTES, `${sink.writes.length} writes`)
})

t.test(
  'a cursor is a cursor at any event: cut anywhere, nothing is missing or doubled',
  async (t) => {
    const { open, publish } = await stage(t)
    for (let i = 0; i < 20; i++) await publish(i % 3 ? 'a' : 'b', i)
    const whole = await open(['a', 'b'], 'earliest')
    const all = whole.frames.filter(({ event }) => event === undefined)
    for (const [i, { id }] of all.entries()) {
      const rest = await open(['a', 'b'], id)
      t.same(rest.events, whole.events.slice(i + 1), `after ${i}`)
      t.notOk(rest.control.includes('stream.gap'))
    }
  },
)

t.test(
  'a gap is told before anything that moves the cursor past it, and only for its channel',
  async (t) => {
    const { log, open, publish } = await stage(t, { maxEvents: 5 })
    const start = formatPosition(log.position(0).order, log.position(0).tag)
    await publish('b', 1)
    await publish('a', 1, 2, 3, 4, 5, 6, 7)
    await publish('b', 2)
    const sink = await open(['a', 'b'], start)
    t.same(sink.events, ['b=1', 'a=3', 'a=4', 'a=5', 'a=6', 'a=7', 'b=2'])
    const [gap, , first] = sink.frames.slice(1)
    t.match(JSON.parse(gap!.data), { channel: 'a', after: start, reason: 'trimmed' })
    t.equal(gap!.id, start, 'cut here, it is told again')
    t.equal(JSON.parse(gap!.data).next, JSON.parse(first!.data).id)
    t.equal(sink.told('stream.gap').length, 1)
    t.same((await open(['a', 'b'], sink.cursor)).told('stream.gap'), [], 'told once')
  },
)

t.test('a reader that is cut anywhere around a gap knows of all that is missing', async (t) => {
  const { log, open, publish } = await stage(t, { maxEvents: 4 })
  const start = formatPosition(log.position(0).order, log.position(0).tag)
  for (let i = 0; i < 12; i++) {
    await publish('a', i)
    await publish('b', i)
  }
  const all = await open(['a', 'b'], 'earliest')
  t.equal(all.events.length, 8)
  await log.close('a', null)
  await log.delete('b')
  const whole = await open(['a', 'b'], start)
  for (const [i, { id }] of whole.frames.entries()) {
    const told = new Set(
      whole.frames
        .slice(0, i + 1)
        .flatMap((frame) => (frame.event === 'stream.gap' ? [JSON.parse(frame.data).channel] : [])),
    )
    const rest = await open(['a', 'b'], id)
    for (const { channel } of rest.told('stream.gap')) told.add(channel as string)
    t.same([...told].sort(), ['a', 'b'], `cut after frame ${i}`)
  }
})

t.test(
  'a stream ends once every channel has ended, and coming back finds nothing left',
  async (t) => {
    const { hub, open, publish, log } = await stage(t)
    await publish('a', 1)
    const sink = await open(['a', 'b'], 'earliest')
    await log.close('a', 'done')
    await settled()
    t.match(sink.told('stream.end'), [{ channel: 'a', reason: 'done' }])
    t.notOk(sink.ended)
    await log.close('b', null)
    await settled()
    t.ok(sink.ended)
    const opening = { channels: ['a', 'b'], format: 'envelope' as const }
    const again = await hub.openStream({ ...opening, from: { from: 'latest' } })
    t.equal(again.kind, 'exhausted')
  },
)

t.test(
  'of raw data the last event is the end: there are clients that keep no other id',
  async (t) => {
    const { hub, publish, log } = await stage(t)
    await publish('a', 1, 2)
    const { first, last } = (await log.info('a'))!
    await log.close('a', 'done')
    await settled()
    const kinds = async (format: 'raw' | 'envelope') => {
      const openings = [first, last].map((position) =>
        hub.openStream({ channels: ['a'], format, from: { cursor: new Map([[0, position!]]) } }),
      )
      const opened = await Promise.all(openings)
      for (const one of opened) if (one.kind === 'stream') one.stream.close()
      return opened.map(({ kind }) => kind)
    }
    t.same(await kinds('raw'), ['stream', 'exhausted'])
    t.same(await kinds('envelope'), ['stream', 'stream'], 'they are told the end')
  },
)

t.test(
  'an end that the reader has not been told is told before anything is called finished',
  async (t) => {
    const { open, publish, log } = await stage(t)
    await publish('a', 1)
    const reader = await open(['a'], 'earliest')
    const { cursor } = reader
    reader.stream.close()
    await log.close('a', null)
    const again = await open(['a'], cursor)
    t.same(again.control, ['stream.ready', 'stream.live', 'stream.end'])
    t.ok(again.ended)
  },
)

t.test(
  'ephemeral events reach who is live, have no id, and are not there for anybody else',
  async (t) => {
    const { hub, open, publish } = await stage(t)
    const live = await open(['a', 'b'])
    const stuck = await open(['a'])
    stuck.stuck = true
    await publish('a', 1)
    await settled()
    void publish('b', 2)
    await hub.publish([{ channel: 'a', name: 'typing', data: '"…"', ephemeral: true }])
    await settled()
    stuck.drain()
    await settled()
    t.same(live.events, ['a=1', 'b=2', 'a=…'])
    t.equal(live.frames.at(-1)!.id, undefined)
    t.same(stuck.events, ['a=1'])
    t.same((await open(['a'], 'earliest')).events, ['a=1'])
  },
)

// ── what a store does on a bad day ──

/** A log whose listener can be kept from hearing things. */
function faulty() {
  let heard: LogListener | undefined
  const state = {
    deaf: false,
    /** What was not heard while deaf. */
    late: [] as Entry[],
    /** Entries stand still on their way: nothing is lost, they are late. */
    behind: undefined as Position | undefined,
    held: [] as (() => void)[],
    holdReads: false,
  }
  const wrap = (log: Log): Log => ({
    ...log,
    position: (partition) => state.behind ?? log.position(partition),
    frontier: (partition) => state.behind?.order ?? log.frontier(partition),
    start(listener) {
      heard = listener
      return log.start({
        ...listener,
        entry: (entry) => {
          if (state.deaf) state.late.push(entry)
          else listener.entry(entry)
        },
      })
    },
    async read(...args) {
      const result = await log.read(...args)
      if (state.holdReads) await new Promise<void>((resolve) => state.held.push(resolve))
      return result
    },
  })
  return { wrap, state, listener: () => heard! }
}

t.test('a hole makes the streams of the channel read again, and nothing is missing', async (t) => {
  const { wrap, state, listener } = faulty()
  const { open, publish } = await stage(t, { wrap })
  const sink = await open(['a', 'b'])
  const other = await open(['b'])
  await publish('a', 1)
  await settled()
  state.deaf = true
  await publish('a', 2, 3)
  state.deaf = false
  await publish('b', 1)
  await settled()
  t.same(sink.events, ['a=1', 'b=1'], 'the loss is not known yet')
  const writes = other.writes.length
  listener().hole(
    'a',
    Number(JSON.parse(sink.frames.find((f) => !f.event)!.data).id.split('-')[0]) * 4096,
  )
  await settled(10)
  t.same(new Set(sink.events), new Set(['a=1', 'b=1', 'a=2', 'a=3']))
  t.equal(other.writes.length, writes, 'streams on other channels are left alone')
  await publish('a', 4)
  await settled()
  t.equal(sink.events.at(-1), 'a=4')
})

t.test('after an interruption every stream reads on from its position', async (t) => {
  const { wrap, state, listener } = faulty()
  const { open, publish } = await stage(t, { wrap })
  const sinks = await Promise.all([open(['a']), open(['a', 'b'])])
  state.deaf = true
  await publish('a', 1, 2)
  state.deaf = false
  listener().interrupted(0)
  await settled(10)
  for (const sink of sinks) t.same(sink.events, ['a=1', 'a=2'])
  await publish('a', 3)
  await settled()
  for (const sink of sinks) t.same(sink.events, ['a=1', 'a=2', 'a=3'])
})

/** A log in whose place comes another one, which lacks everything after a position. */
function replaceable() {
  let end: Position | undefined
  let heard: LogListener | undefined
  const wrap = (log: Log): Log => ({
    ...log,
    start(listener) {
      heard = listener
      return log.start(listener)
    },
    async locate(partition, position) {
      if (end === undefined || position.order <= end.order) return log.locate(partition, position)
      return { known: false, reason: 'lost', resume: end }
    },
  })
  return {
    wrap,
    replace(last: Position) {
      end = last
      heard?.interrupted(0)
    },
  }
}

t.test(
  'a live stream ahead of a store that was replaced is told so, and goes on from there',
  async (t) => {
    const { wrap, replace } = replaceable()
    const { log, open, publish } = await stage(t, { wrap })
    const behind = await open(['b'])
    behind.stuck = true
    await publish('b', 0)
    await settled()
    const end = log.position(0)
    const one = await open(['a'])
    const both = await open(['a', 'b'])
    const raw = await open(['a'], undefined, { format: 'raw' })
    await publish('a', 1)
    await settled()
    const { cursor } = one
    replace(end)
    await settled(10)
    const gap = { after: cursor, reason: 'lost' }
    t.match(one.told('stream.gap'), [{ channel: 'a', ...gap }])
    t.match(both.told('stream.gap'), [
      { channel: 'a', ...gap },
      { channel: 'b', ...gap },
    ])
    const next = parsePosition(String(one.told('stream.gap')[0]!.next))!
    t.ok(next.order > parsePosition(cursor)!.order, 'all that is missing lies between')
    t.ok(raw.destroyed, 'for it could not be told')
    behind.drain()
    await settled(10)
    t.same(behind.told('stream.gap'), [], 'who stood before the end lost nothing')
  },
)

t.test('a poll that waits while the store is replaced is judged again', async (t) => {
  const { wrap, replace } = replaceable()
  const { hub, log, publish } = await stage(t, { wrap })
  const end = log.position(0)
  await publish('a', 1)
  const cursor = new Map([[0, log.position(0)]])
  const answer = hub.poll({ channels: ['a'], from: { cursor }, waitMs: 60_000, limit: 10 })
  await settled()
  replace(end)
  const { control } = await answer
  t.match(control, [{ event: 'stream.gap', data: { channel: 'a', reason: 'lost' } }])
})

t.test('what comes while the history is being read is neither missed nor doubled', async (t) => {
  const { wrap, state } = faulty()
  const { open, publish } = await stage(t, { wrap })
  await publish('a', 1)
  state.holdReads = true
  const opening = open(['a'], 'earliest')
  await settled()
  await publish('a', 2)
  state.holdReads = false
  for (const release of state.held.splice(0)) release()
  await publish('a', 3)
  const sink = await opening
  await settled(10)
  t.same(sink.events, ['a=1', 'a=2', 'a=3'])
})

t.test(
  'a read from before an interruption does not count as knowledge of what came after it',
  async (t) => {
    const { wrap, state, listener } = faulty()
    const { open, publish } = await stage(t, { wrap })
    await publish('a', 1)
    state.holdReads = true
    const opening = open(['a'], 'earliest')
    await settled()
    state.deaf = true
    await publish('a', 2)
    state.deaf = false
    listener().interrupted(0)
    state.holdReads = false
    for (const release of state.held.splice(0)) release()
    const sink = await opening
    await settled(10)
    t.same(sink.events, ['a=1', 'a=2'])
  },
)

t.test(
  'a read that is ahead of the live entries does not carry a stream past those on its way',
  async (t) => {
    const { wrap, state, listener } = faulty()
    const { log, open, publish } = await stage(t, { wrap })
    const sink = await open(['a', 'b'])
    await publish('a', 0)
    await settled()
    state.behind = log.position(0)
    state.deaf = true
    await publish('a', 1)
    await publish('b', 2)
    listener().hole('b', 0)
    await settled(10)
    state.deaf = false
    state.behind = undefined
    for (const entry of state.late.splice(0)) listener().entry(entry)
    await settled()
    t.same(sink.events, ['a=0', 'a=1', 'b=2'])
  },
)

t.test('deleted events: who had read them hears nothing, who had not gets a gap', async (t) => {
  const { log, open, publish } = await stage(t)
  const early = await open(['a'])
  const cursor = early.cursor
  await publish('a', 1, 2)
  await settled()
  await log.delete('a')
  await publish('a', 3)
  await settled()
  t.same(early.events, ['a=1', 'a=2', 'a=3'])
  t.same(early.told('stream.gap'), [])
  const late = await open(['a'], cursor)
  t.match(late.told('stream.gap'), [{ channel: 'a', reason: 'deleted' }])
  t.same(late.events, ['a=3'])
})

t.test(
  'heartbeats move the cursor of a silent stream past what came on other channels',
  async (t) => {
    let now = 1_800_000_000_000
    const { hub, open, publish, log } = await stage(t, { now: () => now, heartbeatMs: 1000 })
    const sink = await open(['a'])
    await publish('b', 1)
    now += 1500
    hub.tick()
    t.same(sink.control.at(-1), 'stream.heartbeat')
    const last = log.position(0)
    t.match(sink.cursor, `${Math.floor(last.order / 4096)}-`)
  },
)

t.test('a reader that takes nothing for a minute is told so and closed', async (t) => {
  let now = 1_800_000_000_000
  const { hub, open, publish } = await stage(t, { now: () => now })
  const sink = await open(['a'])
  sink.stuck = true
  await publish('a', 1)
  await settled()
  now += 59_000
  hub.tick()
  t.notOk(sink.ended)
  now += 2_000
  hub.tick()
  t.match(sink.told('stream.bye'), [{ reason: 'slow', reconnect: true }])
  t.ok(sink.ended)
  now += 11_000
  hub.tick()
  t.ok(sink.destroyed, 'also where the goodbye is never read')
  t.equal(hub.open, 0)
})

t.test('a stream that is old enough is sent away with a cursor to come back with', async (t) => {
  let now = 1_800_000_000_000
  const { hub, open, publish } = await stage(t, { now: () => now, maxAgeMs: 60_000 })
  const sink = await open(['a'])
  now += 61_000
  hub.tick()
  t.match(sink.told('stream.bye'), [{ reason: 'max_age', reconnect: true }])
  t.ok(sink.ended)
  await publish('a', 1)
  t.same((await open(['a'], sink.cursor)).events, ['a=1'])
})

t.test('a closed stream leaves nothing behind', async (t) => {
  const { hub, open } = await stage(t)
  const sink = await open(['a', 'b'])
  t.equal(hub.subscribers('a'), 1)
  sink.owner!.close()
  t.equal(hub.open, 0)
  t.equal(hub.subscribers('a'), 0)
})

t.test(
  'with several partitions every frame carries a cursor that resumes exactly there',
  async (t) => {
    const { open, publish } = await stage(t, { partitions: 8 })
    const channels = ['a', 'b', 'c', 'd', 'e', 'f']
    const sink = await open(channels)
    for (let i = 0; i < 40; i++) void publish(channels[(i * 5) % 6]!, i)
    await settled()
    t.equal(sink.events.length, 40)
    const frames = sink.frames.filter(({ event }) => event === undefined)
    for (const [i, { id }] of frames.entries()) {
      const rest = await open(channels, id)
      t.same(new Set([...sink.events.slice(0, i + 1), ...rest.events]), new Set(sink.events))
      t.equal(rest.events.length, 40 - i - 1, 'none twice')
    }
  },
)

t.test(
  'answers of the store that come in another order than they were asked lose nothing',
  async (t) => {
    const { wrap, state, listener } = faulty()
    const { log, open, publish } = await stage(t, { wrap })
    await publish('a', 1)
    const before = log.position(0)
    state.holdReads = true
    const opening = open(['a'], formatPosition(before.order, before.tag))
    await settled()
    // The first reader's question is answered with "nothing new", but the answer is still on its way
    // when an event comes, is read past by a second reader, and only then arrives as a message.
    state.deaf = true
    await publish('a', 2)
    state.deaf = false
    state.holdReads = false
    const second = await open(['a'])
    t.same(second.events, [])
    for (const entry of state.late) listener().entry(entry)
    for (const release of state.held.splice(0)) release()
    const first = await opening
    await settled(10)
    t.same(first.events, ['a=2'])
    await publish('a', 3)
    await settled()
    t.same(first.events, ['a=2', 'a=3'])
    t.same(second.events, ['a=3'])
  },
)

t.test('a raw stream that comes upon a gap is cut, and nothing else happens', async (t) => {
  const { wrap, state, listener } = faulty()
  const { log, open, publish } = await stage(t, { wrap })
  const raw = await open(['a'], undefined, { format: 'raw' })
  state.deaf = true
  await publish('a', 1, 2)
  await log.delete('a')
  await publish('a', 3)
  state.deaf = false
  listener().interrupted(0)
  await settled(10)
  t.ok(raw.destroyed)
  t.notOk(raw.ended)
  const writes = raw.writes.length
  await publish('a', 4)
  await settled()
  t.equal(raw.writes.length, writes)
})
