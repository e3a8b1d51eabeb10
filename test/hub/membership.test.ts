/** Channels that come to a stream and leave it while it lives. */
import t from 'tap'
import { chunk } from '../../src/hub/chunk.js'
import type { Log } from '../../src/log/log.js'
import type { Position } from '../../src/wire/position.js'
import { type Stage, settled, stage } from './stage.js'

const last = ({ log }: Stage): Position => log.position(0)
const starts = (...entries: [string, Position][]) => new Map(entries)

t.test(
  'a channel that joins gives what came after its place, and nothing from before',
  async (t) => {
    const it = await stage(t)
    const sink = await it.open(['a'])
    await it.publish('b', 'before')
    const at = last(it)
    await it.publish('b', 'after')
    await it.hub.join(sink.stream, starts(['b', at]))
    await it.publish('b', 'live')
    await settled()
    t.same(sink.events, ['b=after', 'b=live'])
  },
)

t.test('a place before what was written already is read all the same', async (t) => {
  const it = await stage(t)
  const sink = await it.open(['a'])
  const at = last(it)
  await it.publish('b', 1)
  await it.publish('a', 2)
  await settled()
  await it.hub.join(sink.stream, starts(['b', at]))
  await it.publish('a', 3)
  await settled()
  t.same(sink.events, ['a=2', 'b=1', 'a=3'])
})

t.test(
  'an opening takes channels that begin at places of their own, before and after its cursor',
  async (t) => {
    const it = await stage(t)
    const early = last(it)
    await it.publish('b', 1)
    const cursor = (await it.open(['a'])).cursor
    await it.publish('a', 2)
    await it.publish('c', 3)
    const late = last(it)
    await it.publish('c', 4)
    const sink = await it.open(['a', 'b', 'c'], cursor, {
      starts: starts(['b', early], ['c', late]),
    })
    t.same(sink.events, ['b=1', 'a=2', 'c=4'])
    t.equal(sink.told('stream.ready')[0]!.cursor, cursor)
  },
)

t.test(
  'a cursor that is told unknown says nothing of a channel with a place of its own',
  async (t) => {
    const it = await stage(t)
    const at = last(it)
    await it.publish('b', 1)
    const sink = await it.open(['a', 'b'], '1-1', { starts: starts(['b', at]) })
    t.same(
      sink.told('stream.gap').map(({ channel }) => channel),
      ['a'],
    )
    t.same(sink.events, ['b=1'])
  },
)

t.test('a channel that leaves is silent, and its end is told with the reason', async (t) => {
  const it = await stage(t)
  const sink = await it.open(['a', 'b'])
  t.same(it.hub.leave(sink.stream, ['b', 'x'], 'kicked'), ['b'])
  await it.publish('b', 1)
  await it.publish('a', 2)
  await settled()
  t.same(sink.events, ['a=2'])
  t.same(sink.told('stream.end'), [{ channel: 'b', reason: 'kicked' }])
  t.equal(it.hub.subscribers('b'), 0)
})

t.test('the last channel may leave and another one come', async (t) => {
  const it = await stage(t)
  const sink = await it.open(['a'])
  it.hub.leave(sink.stream, ['a'], 'left')
  await it.hub.join(sink.stream, starts(['b', last(it)]))
  await it.publish('b', 1)
  await settled()
  t.same(sink.events, ['b=1'])
  t.ok(sink.cursor > '')
})

t.test(
  'what a full socket could not be told comes once it drains, in one piece with what it missed',
  async (t) => {
    const it = await stage(t)
    const sink = await it.open(['a', 'b'])
    sink.stuck = true
    await it.publish('a', 1)
    await settled()
    const writes = sink.writes.length
    it.hub.leave(sink.stream, ['b'], 'left')
    await it.hub.join(sink.stream, starts(['c', last(it)]))
    await it.publish('c', 2)
    await settled()
    t.equal(sink.writes.length, writes)
    sink.drain()
    await settled()
    t.same(sink.events, ['a=1', 'c=2'])
    t.same(sink.told('stream.end'), [{ channel: 'b', reason: 'left' }])
  },
)

t.test('greetings come right after ready and move no cursor', async (t) => {
  const it = await stage(t)
  const sink = await it.open(['a'], undefined, { greetings: [chunk('event: hello\ndata: {}\n\n')] })
  t.same(
    sink.frames.map(({ event }) => event),
    ['stream.ready', 'hello', 'stream.live'],
  )
  t.equal(sink.frames[1]!.id, undefined)
})

t.test('a gap that is told on a channel is told to whoever asked for that', async (t) => {
  const it = await stage(t, { maxEvents: 2 })
  const gaps: string[] = []
  const at = last(it)
  await it.publish('b', 1, 2, 3, 4)
  const sink = await it.open(['a'], undefined, { onGap: (channel) => gaps.push(channel) })
  await it.hub.join(sink.stream, starts(['b', at]))
  await settled()
  t.same(gaps, ['b'])
  t.same(sink.events, ['b=3', 'b=4'])
})

t.test('whoever watches a channel hears of each event, until they stop', async (t) => {
  const it = await stage(t)
  let heard = 0
  const stop = await it.hub.watch('a', () => heard++)
  await it.publish('a', 1)
  await it.publish('b', 1)
  t.equal(heard, 1)
  stop()
  await it.publish('a', 2)
  t.equal(heard, 1)
})

t.test(
  'a watcher is called again once a lost connection is back, for it may have missed something',
  async (t) => {
    const it = await stage(t)
    let heard = 0
    await it.hub.watch('a', () => heard++)
    it.hub.listener.interrupted(0)
    await settled()
    t.equal(heard, 2, 'when it was lost, and when it was back')
  },
)

/** A log that follows a channel only once it is let. */
function hesitant(name: string) {
  let release: () => void = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const wrap = (log: Log): Log => ({
    ...log,
    async follow(channel) {
      if (channel === name) await released
      await log.follow(channel)
    },
  })
  return { wrap, release: () => release() }
}

t.test(
  'whoever puts a channel on a stream hears that the stream went past its place meanwhile',
  async (t) => {
    const { wrap, release } = hesitant('b')
    const it = await stage(t, { wrap })
    const sink = await it.open(['a'])
    const joining = it.hub.join(sink.stream, starts(['b', last(it)]))
    await it.publish('b', 1)
    await it.publish('a', 2)
    await settled()
    release()
    t.same([...(await joining)], ['b'])
    await settled()
    t.same(sink.events, ['a=2', 'b=1'])
  },
)

t.test('a place of its own gives nobody what their rights withhold', async (t) => {
  const it = await stage(t)
  const at = last(it)
  await it.publish('b', 1)
  const sink = await it.open(['a', 'b'], undefined, {
    starts: starts(['b', at]),
    reach: (channel) => (channel === 'b' ? Number.POSITIVE_INFINITY : 0),
  })
  await it.publish('b', 2)
  await settled()
  t.same(sink.events, ['b=2'])
  t.match(sink.told('stream.gap'), [{ channel: 'b', reason: 'withheld' }])
})

t.test('a stream ends where all that is left of it is closed', async (t) => {
  const it = await stage(t)
  const sink = await it.open(['a', 'b'])
  await it.log.close('a', 'done')
  await settled()
  t.notOk(sink.ended)
  it.hub.leave(sink.stream, ['b'], 'removed')
  t.ok(sink.ended)
})

t.test('a stream that has said goodbye takes no more channels', async (t) => {
  const it = await stage(t)
  const sink = await it.open(['a'])
  sink.stream.bye('slow', true)
  await it.hub.join(sink.stream, starts(['b', last(it)]))
  t.notOk(sink.stream.open)
  t.equal(it.hub.subscribers('b'), 0)
})

for (const partitions of [1, 4]) {
  t.test(
    `channels that come and go with cuts in between: nothing after a place is missing (${partitions} partitions)`,
    async (t) => {
      const it = await stage(t, { partitions })
      let seed = 7
      const random = (below: number) => {
        seed = (seed * 1103515245 + 12345) % 2147483648
        return seed % below
      }
      const names = ['a', 'b', 'c', 'd', 'e', 'f']
      let number = 0
      let sink = await it.open(['base'])
      /** Since when each channel is the stream's, and what was published on it since. */
      const since = new Map<string, Position>()
      const owed = new Set<string>()
      const got = new Set<string>()
      const collect = () => {
        for (const event of sink.events) got.add(event)
      }
      for (let step = 0; step < 400; step++) {
        const name = names[random(names.length)]!
        switch (random(5)) {
          case 0:
            if (since.has(name)) break
            since.set(name, it.log.position(it.log.partitionOf(name)))
            await it.hub.join(sink.stream, starts([name, since.get(name)!]))
            break
          case 1:
            await settled()
            if (since.delete(name)) it.hub.leave(sink.stream, [name], 'left')
            break
          case 2: {
            collect()
            const cursor = sink.cursor
            sink.stream.destroy()
            // Their places, for the cursor may be older than they are.
            sink = await it.open(['base', ...since.keys()], cursor, { starts: since })
            break
          }
          default:
            await it.publish(name, ++number)
            if (since.has(name)) owed.add(`${name}=${number}`)
        }
      }
      await settled(10)
      collect()
      t.same(
        [...owed].filter((event) => !got.has(event)),
        [],
      )
      t.ok(owed.size > 50)
    },
  )
}
