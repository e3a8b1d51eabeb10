import { once } from 'node:events'
import t from 'tap'
import { GatewayError, type Item, subscribe } from '../../src/client/index.js'
import {
  block,
  collect,
  createClock,
  event,
  gone,
  problem,
  ready,
  speaker,
  status,
  stream,
} from './speaker.js'

const told = (items: Item[]) =>
  items.flatMap((item) => (item.type === 'event' ? [item.data] : [])) as unknown[]

t.test('a stream cut anywhere resumes from the last whole event', async (t) => {
  const words = ['Häl', 'lo 🦆', 'two\nlines', { text: ' end' }]
  const events = words.map((word, i) => event(`${i + 1}-0`, word))
  const blocks = [ready('0-0'), ...events]
  const whole = Buffer.from(blocks.join(''))
  for (let cut = 0; cut <= whole.length; cut++) {
    const { url, requests } = await speaker(t, [
      stream(whole.subarray(0, cut)),
      (req, res) => {
        const from = Number.parseInt(String(req.headers['last-event-id'] ?? '0'), 10)
        stream(ready(`${from}-0`) + events.slice(from).join(''))(req, res)
      },
      gone,
    ])
    const clock = createClock()
    const items = await collect(subscribe({ url, channels: ['c'], after: 'earliest', ...clock }))
    if (told(items).join('|') !== words.join('|')) {
      t.strictSame(told(items), words, `cut after byte ${cut}`)
    }
    const given = items.filter((item) => item.type === 'event').length
    if (given !== 4) t.equal(given, 4, `cut after byte ${cut}`)
    const before = requests[1]?.headers['last-event-id']
    const expected = lastWhole(blocks, cut)
    if (before !== expected) t.equal(before, expected, `cut after byte ${cut}`)
  }
  t.pass(`${whole.length} cuts`)
})

/** Id of the last block that ends within the first `cut` bytes. */
function lastWhole(blocks: string[], cut: number): string | undefined {
  let id: string | undefined
  let length = 0
  for (const text of blocks) {
    length += Buffer.byteLength(text)
    if (length <= cut) id = /^id: (.*)$/m.exec(text)?.[1]
  }
  return id
}

t.test('doubles are dropped by id, on each channel for itself', async (t) => {
  const { url } = await speaker(t, [
    stream(ready('1-0') + event('2-0', 'a') + event('3-0', 'b', 'd') + event('10-0', 'c')),
    stream(ready('1-0') + event('2-0', 'a') + event('2-1', 'x', 'd') + event('9-0', 'y')),
    stream(ready('10-0') + event('10-0', 'c') + event('4-0', 'e', 'd') + event('11-0', 'f')),
    gone,
  ])
  const items = await collect(subscribe({ url, channels: ['c', 'd'], ...createClock() }))
  t.strictSame(told(items), ['a', 'b', 'c', 'e', 'f'])
})

t.test('after a gap nothing is taken for a double', async (t) => {
  const gap = { channel: 'c', after: '9-0', next: '5-0', reason: 'unknown' }
  const { url } = await speaker(t, [
    stream(ready('1-0') + event('9-0', 'old')),
    stream(ready('9-0') + block('stream.gap', gap, '4-0') + event('5-0', 'new')),
    gone,
  ])
  const items = await collect(subscribe({ url, channels: ['c'], ...createClock() }))
  t.strictSame(told(items), ['old', 'new'])
  t.match(
    items.find((item) => item.type === 'gap'),
    { type: 'gap', ...gap },
  )
})

t.test('an ephemeral event is given without an id and moves no cursor', async (t) => {
  const typing = block('typing', { channel: 'c', data: true, time: 7 })
  const { url, requests } = await speaker(t, [stream(ready('3-0') + typing + typing), gone])
  const items = await collect(subscribe({ url, channels: ['c'], ...createClock() }))
  t.strictSame(told(items), [true, true])
  t.match(items.at(-1), { id: undefined, name: 'typing', cursor: '3-0' })
  t.equal(requests[1]?.headers['last-event-id'], '3-0')
})

t.test('data survives as the text that was sent', async (t) => {
  const raw = '{"n":12345678901234567890,"x":1.0}'
  const { url } = await speaker(t, [
    stream(`${ready('0-0')}id: 1-0\ndata: {"id":"1-0","channel":"c","data":${raw},"time":1}\n\n`),
    gone,
  ])
  const items = await collect(subscribe({ url, channels: ['c'], ...createClock() }))
  t.match(items.at(-1), { type: 'event', json: raw })
})

t.test('a connection that falls silent is given up after two and a half heartbeats', async (t) => {
  const { url, requests } = await speaker(t, [stream(ready('5-0', 1000), 'open'), gone])
  const clock = createClock()
  const items = subscribe({ url, channels: ['c'], ...clock })
  t.match(await items.next(), { value: { type: 'ready' } })
  const next = items.next()
  clock.advance(2499)
  t.equal(clock.waits.length, 0, 'patient until then')
  clock.advance(1)
  t.match(await next, { done: true }, 'opened again, and 204')
  t.match(clock.states.at(2), { state: 'waiting', reason: 'nothing came for 2.5 s' })
  t.equal(requests[1]?.headers['last-event-id'], '5-0')
})

t.test('a reader that takes its time is not taken for a silent server', async (t) => {
  const { url } = await speaker(t, [stream(ready('5-0', 1000), 'open')])
  const clock = createClock()
  const items = subscribe({ url, channels: ['c'], ...clock })
  await items.next()
  clock.advance(60_000)
  t.same(
    clock.states.map((s) => s.state),
    ['connecting', 'open'],
  )
  await items.return()
})

t.test('a reader that is turned away comes back when it was told to', async (t) => {
  const { url } = await speaker(t, [
    status(429, { 'retry-after': '7' }),
    problem(503, 'draining', true),
    stream('retry: 30000\n: all stream slots are taken\n\n'),
    status(502),
    stream(ready('1-0')),
    gone,
  ])
  const clock = createClock()
  await collect(subscribe({ url, channels: ['c'], ...clock }))
  t.strictSame(clock.waits, [7000, 1000, 30_000, 30_000, 0])
  const reasons = clock.states.flatMap((s) => (s.state === 'waiting' ? s.reason : []))
  t.equal(reasons[1], 'No: Do it otherwise.')
  t.equal(reasons[2], 'all stream slots are taken')
})

t.test('waits grow twofold to a bound, and are short again after a success', async (t) => {
  const down = status(503)
  const answers = [down, down, down, down, down, down, down, stream(ready('1-0')), gone]
  const { url } = await speaker(t, answers)
  const clock = { ...createClock(), random: () => 1 }
  await collect(subscribe({ url, channels: ['c'], ...clock }))
  t.strictSame(clock.waits, [2000, 3000, 5000, 9000, 17_000, 31_000, 31_000, 1000])
})

t.test('a server that can’t be reached is tried again', async (t) => {
  const { url } = await speaker(t, [gone])
  const clock = createClock()
  let tries = 0
  const refusing: typeof fetch = (input, init) => {
    if (++tries < 4) return fetch('http://127.0.0.1:1', init)
    return fetch(input, init)
  }
  t.strictSame(await collect(subscribe({ url, channels: ['c'], ...clock, fetch: refusing })), [])
  t.equal(tries, 4)
})

t.test('the end of a channel is told once, and 204 ends the subscription', async (t) => {
  const end = block('stream.end', { channel: 'c', reason: 'done' }, '3-0')
  const { url } = await speaker(t, [stream(ready('1-0') + end), stream(ready('3-0') + end), gone])
  const items = await collect(subscribe({ url, channels: ['c'], ...createClock() }))
  t.same(
    items.map((item) => item.type),
    ['ready', 'end', 'ready'],
  )
})

t.test('a bye for good is not argued with', async (t) => {
  const bye = { reason: 'revoked', reconnect: false, retry: 0 }
  const { url, requests } = await speaker(t, [
    stream(ready('1-0') + block('stream.bye', bye, 'end.1-0'), 'open'),
  ])
  const items = await collect(subscribe({ url, channels: ['c'], ...createClock() }))
  t.match(items.at(-1), { type: 'bye', reason: 'revoked' })
  t.equal(requests.length, 1)
})

t.test('a bye for now says how long to stay away', async (t) => {
  const bye = { reason: 'draining', reconnect: true, retry: 4200 }
  const { url } = await speaker(t, [stream(ready('1-0') + block('stream.bye', bye)), gone])
  const clock = createClock()
  await collect(subscribe({ url, channels: ['c'], ...clock }))
  t.strictSame(clock.waits, [4200])
})

t.test('what trying again can’t help is an error with the gateway’s words', async (t) => {
  const { url } = await speaker(t, [problem(400, 'channel_invalid')])
  const reading = collect(subscribe({ url, channels: ['?'], ...createClock() }))
  t.match(await reading.catch((e) => e), {
    status: 400,
    problem: { code: 'channel_invalid' },
    retryable: false,
  })
  const page = await speaker(t, [status(200, { 'content-type': 'text/html' }, '<p>Log in')])
  const reading2 = collect(subscribe({ url: page.url, channels: ['c'], ...createClock() }))
  await t.rejects(reading2, GatewayError)
  const odd = await speaker(t, [stream(`${ready('0-0')}data: not json\n\n`)])
  const reading3 = collect(subscribe({ url: odd.url, channels: ['c'], ...createClock() }))
  await t.rejects(reading3, GatewayError)
})

t.test('a reader that leaves the loop closes its connection', async (t) => {
  let closed: Promise<unknown> | undefined
  const { url } = await speaker(t, [
    (req, res) => {
      closed = once(res, 'close')
      stream(ready('1-0') + event('2-0', 'a'), 'open')(req, res)
    },
  ])
  for await (const item of subscribe({ url, channels: ['c'], ...createClock() })) {
    if (item.type === 'event') break
  }
  await closed
  t.pass('the server saw it')
})

t.test('a signal ends the iteration wherever it stands, without an error', async (t) => {
  const { url } = await speaker(t, [stream(ready('1-0'), 'open')])
  for (const moment of ['connecting', 'open', 'waiting'] as const) {
    const stop = new AbortController()
    const onState = ({ state }: { state: string }) => {
      if (state === moment) stop.abort()
    }
    const timer = () => () => {}
    const channels = ['c']
    const from = moment === 'waiting' ? 'http://127.0.0.1:1' : url
    await collect(subscribe({ url: from, channels, timer, onState, signal: stop.signal }))
    t.pass(moment)
  }
})

t.test('a gateway may live below a path, and gets what it is asked for', async (t) => {
  const { url, requests } = await speaker(t, [gone])
  const options = { channels: ['a', 'b:c'], after: 'earliest', rewind: 20, headers: { 'x-a': 'b' } }
  await collect(subscribe({ url: `${url}/live/`, ...options, ...createClock() }))
  t.equal(requests[0]?.url, '/live/v1/events?channel=a&channel=b%3Ac&after=earliest&rewind=20')
  t.match(requests[0]?.headers, { 'x-a': 'b', accept: 'text/event-stream' })
})

t.test('who is present is told as it is, and the changes as events', async (t) => {
  const state = { channel: 'c', position: '5-0', members: [{ id: 'alice', count: 1, since: 1 }] }
  const diff = { channel: 'c', joined: [], left: [{ id: 'alice', reason: 'left' }], updated: [] }
  const envelope = JSON.stringify({ id: '6-0', channel: 'presence:c', data: diff, time: 1 })
  const { url } = await speaker(t, [
    stream(
      ready('5-0') +
        `event: presence.state\ndata: ${JSON.stringify(state)}\n\n` +
        `id: 6-0\nevent: presence.diff\ndata: ${envelope}\n\n`,
    ),
    gone,
  ])
  const items = await collect(subscribe({ url, channels: ['c'], ...createClock() }))
  t.match(
    items.find(({ type }) => type === 'presence'),
    state,
  )
  t.match(
    items.find(({ type }) => type === 'event'),
    { name: 'presence.diff', id: '6-0', data: diff },
  )
})
