/** A stream's life as the protocol page tells it: head, ready, replay, live, heartbeats, resuming. */
import t from 'tap'
import { ask, post, publish } from './support/ask.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { controlsOf, dataOf, eventsOf, open, subscribe } from './support/stream.js'

t.teardown(stopRedis)

/** Names of blocks, `message` for events without one. */
const names = (blocks: readonly { event?: string }[]) => blocks.map((b) => b.event ?? 'message')

onBothLogs(
  t,
  'the head says what a stream is, and the first frame comes with it',
  async (t, start) => {
    const { url } = await start()
    const stream = await subscribe(url, ['a', 'b'])
    t.equal(stream.status, 200)
    t.match(stream.headers, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-store, no-transform',
      'x-accel-buffering': 'no',
      vary: 'Accept, Origin',
    })
    t.equal(stream.headers['content-encoding'], undefined)
    const ready = await stream.event('stream.ready')
    t.equal(stream.blocks[0], ready)
    t.match(ready.retry, /^\d+$/)
    t.match(ready.id, /^\d+-\d+$/)
    t.match(ready.json, {
      cursor: ready.id,
      resumed: false,
      heartbeat: 15_000,
      channels: ['a', 'b'],
    })
    t.type(ready.json.session, 'string')
    const live = await stream.event('stream.live')
    t.match(live.json, { cursor: live.id })
  },
)

onBothLogs(
  t,
  'events come after stream.live as they happen, with cursor, name and envelope',
  async (t, start) => {
    const { url } = await start()
    const stream = await subscribe(url, ['chat:7'])
    await stream.event('stream.live')
    const named = await post(
      `${url}/v1/events?channel=chat:7&name=token`,
      '{"big":12345678901234567890,"f":1.0}',
    )
    const id = await publish(url, 'chat:7', 'plain')
    const plain = await stream.find((block) => block.json?.id === id)
    const token = await stream.event('token')
    t.same(names(stream.blocks), ['stream.ready', 'stream.live', 'token', 'message'])
    t.equal(plain.event, undefined)
    t.equal(plain.id, id, 'with one partition the cursor is the id')
    const { time } = named.json
    t.equal(
      token.data,
      `{"id":"${named.json.id}","channel":"chat:7","data":{"big":12345678901234567890,"f":1.0},"time":${time}}`,
    )
  },
)

onBothLogs(
  t,
  'a stream cut off before its first event resumes from its stream.ready',
  async (t, start) => {
    const { url } = await start()
    const first = await subscribe(url, ['a'])
    const { id } = await first.event('stream.ready')
    first.close()
    await publish(url, 'a', 1)
    await publish(url, 'a', 2)
    const second = await subscribe(url, ['a'], '', id)
    const ready = await second.event('stream.ready')
    t.match(ready, { id, json: { resumed: true, cursor: id } })
    await second.event('stream.live')
    t.same(names(second.blocks), ['stream.ready', 'message', 'message', 'stream.live'])
    t.same(dataOf(second.blocks), [1, 2])
  },
)

onBothLogs(t, 'any cursor of a stream resumes right behind its own frame', async (t, start) => {
  const { url } = await start()
  for (let i = 0; i < 5; i++) await publish(url, i % 2 ? 'a' : 'b', i)
  const all = await subscribe(url, ['a', 'b'], 'after=earliest')
  await all.event('stream.live')
  for (const [i, event] of eventsOf(all.blocks).entries()) {
    const rest = await subscribe(url, ['a', 'b'], '', event.id)
    await rest.event('stream.live')
    t.same(dataOf(rest.blocks), [0, 1, 2, 3, 4].slice(i + 1))
    rest.close()
  }
  const rest = await subscribe(url, ['a', 'b'], '', all.cursor)
  await rest.event('stream.live')
  t.same(dataOf(rest.blocks), [], 'and from stream.live nothing')
})

t.test('where cursors come from, and which of them beats which', async (t) => {
  const { url } = await start(t)
  const [one, two] = [await publish(url, 'a', 1), await publish(url, 'a', 2)]
  await publish(url, 'a', 3)
  const cases: [what: string, query: string, header: string | undefined, expected: number[]][] = [
    ['after', `after=${one}`, undefined, [2, 3]],
    ['lastEventId', `lastEventId=${one}`, undefined, [2, 3]],
    ['last_event_id', `last_event_id=${one}`, undefined, [2, 3]],
    ['the header beats after', `after=${one}`, two, [3]],
    ['the header beats earliest', 'after=earliest', two, [3]],
    ['an empty header is none', `after=${one}`, '', [2, 3]],
    ['an empty option is none', 'after=&rewind=1', undefined, [3]],
    ['nothing is latest', '', undefined, []],
    ['latest', 'after=latest', undefined, []],
    ['earliest', 'after=earliest', undefined, [1, 2, 3]],
    ['earliest beats rewind', 'after=earliest&rewind=1', undefined, [1, 2, 3]],
    ['a cursor beats rewind', `after=${two}&rewind=3`, undefined, [3]],
    ['rewind by number', 'rewind=2', undefined, [2, 3]],
    ['rewind by more than there is', 'rewind=999999', undefined, [1, 2, 3]],
    ['rewind in seconds', 'rewind=90s', undefined, [1, 2, 3]],
    ['rewind in minutes', 'rewind=5m', undefined, [1, 2, 3]],
    ['rewind in hours', 'rewind=2h', undefined, [1, 2, 3]],
  ]
  for (const [what, query, header, expected] of cases) {
    const stream = await subscribe(url, ['a'], query, header)
    await stream.event('stream.live')
    t.same(dataOf(stream.blocks), expected, what)
    t.same(controlsOf(stream.blocks, 'stream.gap'), [], 'no gap')
    stream.close()
  }
})

onBothLogs(t, 'rewind goes back on each channel', async (t, start) => {
  const { url } = await start()
  for (let i = 0; i < 6; i++) await publish(url, i < 4 ? 'a' : 'b', i)
  const stream = await subscribe(url, ['a', 'b', 'empty'], 'rewind=2')
  await stream.event('stream.live')
  const got = dataOf(stream.blocks)
  t.same(got.slice(-4), [2, 3, 4, 5], 'never less; it may be more')
})

t.test('a silent stream gets heartbeats whose id follows what happens elsewhere', async (t) => {
  const { url } = await start(t, { heartbeatMs: 30 })
  const stream = await subscribe(url, ['a'])
  const first = await stream.event('stream.heartbeat')
  t.match(first.json, { cursor: first.id })
  const elsewhere = await publish(url, 'b', 1)
  const later = await stream.find(
    (block) => block.event === 'stream.heartbeat' && block.id === elsewhere,
  )
  t.equal(later.json.cursor, elsewhere, 'an idle cursor doesn’t age')
})

t.test('the options of a long list of channels come as a JSON body', async (t) => {
  const { url } = await start(t)
  const channel = Array.from({ length: 900 }, (_, i) => `channel:${i}`)
  await publish(url, 'channel:7', 1)
  await publish(url, 'channel:899', 2)
  const body = JSON.stringify({ channel, rewind: 5 })
  const headers = { 'content-type': 'application/json' }
  const stream = await open(`${url}/v1/events/stream`, { method: 'POST', headers, body })
  await stream.event('stream.live')
  t.same(dataOf(stream.blocks), [1, 2])
  t.equal(stream.blocks[0]?.json.channels.length, 900)
  const resumed = await open(`${url}/v1/events/stream`, {
    method: 'POST',
    headers: { ...headers, 'last-event-id': eventsOf(stream.blocks)[0]!.id! },
    body,
  })
  await resumed.event('stream.live')
  t.same(dataOf(resumed.blocks), [2], 'Last-Event-ID counts here too')
  const polled = await post(
    `${url}/v1/events/stream`,
    '{"channel":"channel:7","after":"earliest","wait":0,"limit":1}',
    { accept: 'application/json' },
  )
  t.same(
    polled.json.events.map((e: { data: unknown }) => e.data),
    [1],
  )
})

t.test('HEAD gets the head alone, in all forms', async (t) => {
  const { url } = await start(t)
  await publish(url, 'a', 1)
  for (const accept of ['text/event-stream', 'application/json']) {
    for (const query of ['', '&mode=poll', '&after=earliest']) {
      const answer = await ask(`${url}/v1/events?channel=a${query}`, {
        method: 'HEAD',
        headers: { accept },
      })
      t.match(answer, { status: 200, text: '' }, `${accept} ${query}`)
      t.ok(answer.headers['content-type']?.startsWith(accept))
    }
  }
  t.equal((await ask(`${url}/v1/channels?channel=a`)).json.subscribers, 0, 'and opens nothing')
})

t.test(
  'a session has a public id, the same at each opening, from which it can’t be told',
  async (t) => {
    const { url } = await start(t)
    const secret = 'a-secret-of-22-letters'
    const one = await subscribe(url, ['a'], `session=${secret}`)
    const two = await subscribe(url, ['a'], `session=${secret}`)
    const { session } = (await one.event('stream.ready')).json
    t.equal((await two.event('stream.ready')).json.session, session)
    t.notMatch(one.text, secret)
    const three = await subscribe(url, ['a'])
    t.not((await three.event('stream.ready')).json.session, session)
  },
)

t.test('retry differs from stream to stream', async (t) => {
  const { url } = await start(t)
  const streams = await Promise.all(Array.from({ length: 8 }, () => subscribe(url, ['a'])))
  const ready = await Promise.all(streams.map((stream) => stream.event('stream.ready')))
  t.ok(new Set(ready.map(({ retry }) => retry)).size > 1)
})

t.test('a stream ends at the greatest age that is allowed, and can be resumed', async (t) => {
  const { url } = await start(t, { heartbeatMs: 40, maxAgeMs: 100 })
  const stream = await subscribe(url, ['a'])
  const bye = await stream.event('stream.bye')
  t.match(bye.json, { reason: 'max_age', reconnect: true })
  t.equal(bye.retry, String(bye.json.retry))
  t.equal(await stream.over(), 'end')
  await publish(url, 'a', 1)
  const next = await subscribe(url, ['a'], '', bye.id)
  await next.event('stream.live')
  t.same(dataOf(next.blocks), [1])
})

onBothLogs(t, 'an ephemeral event goes to whoever is live, and nowhere else', async (t, start) => {
  const { url } = await start()
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  const before = stream.cursor
  const waiting = ask(`${url}/v1/events?channel=a&after=${before}`, {
    headers: { accept: 'application/json' },
  })
  const answer = await post(`${url}/v1/events?channel=a&name=typing&ephemeral=true`, '{"who":"me"}')
  t.equal(answer.status, 202)
  t.notOk('id' in answer.json)
  t.match(answer.json, { channel: 'a', duplicate: false })
  const typing = await stream.event('typing')
  t.equal(typing.id, undefined, 'it moves no cursor')
  t.match(typing.json, { channel: 'a', data: { who: 'me' }, id: undefined })
  t.type(typing.json.time, 'number')
  const later = await subscribe(url, ['a'], 'after=earliest')
  await later.event('stream.live')
  t.same(dataOf(later.blocks), [])
  await publish(url, 'a', 'wakes the poll, where it had not begun to wait before')
  t.equal((await waiting).status, 200)
})
