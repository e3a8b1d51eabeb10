/** Long polls, history page by page, and finite SSE bodies. */
import t from 'tap'
import { ask, overrun, poll, post, publish } from './support/ask.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { dataOf, eventsOf, parseBody, subscribe } from './support/stream.js'

t.teardown(stopRedis)

const data = (answer: { json: { events: { data: unknown }[] } }) =>
  answer.json.events.map((e) => e.data)

onBothLogs(t, 'a poll answers what there is, complete and in order', async (t, start) => {
  const { url } = await start()
  const named = await post(
    `${url}/v1/events?channel=a&name=token`,
    '{"text":"Hel","big":12345678901234567890}',
  )
  const second = await publish(url, 'b', 2)
  const answer = await poll(url, 'channel=a&channel=b&after=earliest')
  t.match(answer.headers, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    vary: 'Accept, Origin',
  })
  t.same(Object.keys(answer.json), ['events', 'cursor', 'control', 'more'])
  t.match(answer.json, { cursor: second, control: [], more: false })
  t.match(
    answer.text,
    `{"id":"${named.json.id}","name":"token","channel":"a","data":{"text":"Hel","big":12345678901234567890},"time":${named.json.time}}`,
  )
  t.match(answer.json.events[1], { name: 'message', channel: 'b', data: 2 })
})

onBothLogs(t, 'history is read page by page, each event once', async (t, start) => {
  const { url } = await start()
  const expected = []
  for (let i = 0; i < 25; i++) {
    await publish(url, `c${i % 3}`, i)
    expected.push(i)
  }
  const got: unknown[] = []
  let after = 'earliest'
  for (;;) {
    const page = await poll(url, `channel=c0&channel=c1&channel=c2&wait=0&limit=4&after=${after}`)
    t.ok(page.json.events.length <= 4)
    got.push(...data(page))
    after = page.json.cursor
    if (!page.json.more) break
  }
  t.same(got, expected)
  t.same(data(await poll(url, `channel=c0&wait=0&after=${after}`)), [])
})

onBothLogs(t, 'a poll that waits is woken by what is published', async (t, start) => {
  const { url } = await start()
  const { json } = await poll(url, 'channel=a&wait=0')
  for (const n of [1, 2, 3]) {
    const waiting = poll(url, `channel=a&after=${json.cursor}&wait=25`)
    if (n === 1) await publish(url, 'a', 1)
    t.ok(data(await waiting).length >= 1)
  }
})

t.test('a poll answers at its deadline with nothing but its cursor', async (t) => {
  const { url } = await start(t)
  for (const wait of [0, 1]) {
    const answer = await poll(url, `channel=a&wait=${wait}`)
    t.match(answer.json, { events: [], control: [], more: false, cursor: /^\d+-\d+$/ })
  }
})

onBothLogs(t, 'a client may change between stream and poll at any event', async (t, start) => {
  const { url } = await start()
  for (let i = 0; i < 10; i++) await publish(url, i % 2 ? 'a' : 'b', i)
  let cursor = 'earliest'
  const got: unknown[] = []
  while (got.length < 10) {
    const page = await poll(url, `channel=a&channel=b&wait=0&limit=2&after=${cursor}`)
    got.push(...data(page))
    const stream = await subscribe(url, ['a', 'b'], '', page.json.cursor)
    await stream.event('stream.live')
    const next = eventsOf(stream.blocks)[0]
    stream.close()
    cursor = next?.id ?? page.json.cursor
    if (next !== undefined) got.push(next.json.data)
  }
  t.same(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

t.test('a client that goes away frees its poll', async (t) => {
  const { url } = await start(t, { maxStreams: 1 })
  for (let i = 0; i < 3; i++) {
    const gone = new AbortController()
    const headers = { accept: 'application/json' }
    const waiting = ask(`${url}/v1/events?channel=a`, { headers, signal: gone.signal })
    // The one slot is taken, then free again.
    while ((await ask(`${url}/readyz`)).json.streams !== 1);
    t.match(await poll(url, 'channel=a&wait=1'), {
      status: 503,
      json: { code: 'streams_exhausted' },
    })
    gone.abort()
    await t.rejects(waiting)
    while ((await ask(`${url}/readyz`)).json.streams !== 0);
  }
  t.equal((await ask(`${url}/v1/channels?channel=a`)).json.subscribers, 0)
})

onBothLogs(t, 'a gap is told once to a poll, and the cursor passes it', async (t, start) => {
  const { url } = await start({ retentionEvents: 5 })
  const first = await overrun(url, 'a')
  const answer = await poll(url, `channel=a&after=${first}&limit=2`)
  const { control, events, cursor } = answer.json
  t.match(control, [
    {
      event: 'stream.gap',
      data: { channel: 'a', after: first, next: events[0].id, reason: 'trimmed' },
    },
  ])
  t.equal(control.length, 1)
  const next = await poll(url, `channel=a&after=${cursor}&wait=0&limit=1000`)
  t.same(next.json.control, [])
  t.same(data(next).at(-1), 599)
})

onBothLogs(t, 'an unknown cursor is told to a poll, which goes on from now', async (t, start) => {
  const { url } = await start()
  await publish(url, 'a', 0)
  const answer = await poll(url, 'channel=a&channel=b&after=1763675123456-53248')
  t.match(answer.json.control, [
    {
      event: 'stream.gap',
      data: { channel: 'a', after: '1763675123456-53248', reason: 'unknown' },
    },
    {
      event: 'stream.gap',
      data: { channel: 'b', after: '1763675123456-53248', reason: 'unknown' },
    },
  ])
  await publish(url, 'b', 1)
  const next = await poll(url, `channel=a&channel=b&after=${answer.json.cursor}`)
  t.same(data(next), [1])
  t.same(next.json.control, [])
})

onBothLogs(
  t,
  'the end of a channel is told by the answer that passes it; after that 204',
  async (t, start) => {
    const { url } = await start()
    await publish(url, 'a', 1)
    await post(`${url}/v1/channels/close?channel=a`, '{"reason":"done"}')
    const answer = await poll(url, 'channel=a&after=earliest')
    t.match(answer.json, {
      events: [{ data: 1 }],
      control: [{ event: 'stream.end', data: { channel: 'a', reason: 'done' } }],
    })
    const next = await poll(url, `channel=a&after=${answer.json.cursor}`)
    t.match(next, { status: 204, text: '' })
    const other = await poll(url, `channel=a&channel=b&wait=0&after=${answer.json.cursor}`)
    t.match(
      other,
      { status: 200, json: { events: [], control: [] } },
      'with an open channel there is more to come',
    )
  },
)

// ── mode=poll ──

const finite = (url: string, query: string, lastId?: string) =>
  ask(`${url}/v1/events?mode=poll&${query}`, {
    headers: { accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) },
  })

onBothLogs(
  t,
  'a finite stream is one body with a length, which a plain EventSource can live on',
  async (t, start) => {
    const { url } = await start()
    const first = await finite(url, 'channel=a')
    t.equal(first.headers['content-length'], String(Buffer.byteLength(first.text)))
    t.equal(first.headers['content-type'], 'text/event-stream; charset=utf-8')
    const [live] = parseBody(first.text)
    t.match(
      live,
      { retry: '1000', event: 'stream.live', id: /^\d+-\d+$/ },
      'without a cursor at once',
    )
    const waiting = finite(url, 'channel=a', live!.id)
    await post(`${url}/v1/events?channel=a&name=token`, '{"ä":"€"}')
    const second = await waiting
    t.equal(second.headers['content-length'], String(Buffer.byteLength(second.text)))
    const blocks = parseBody(second.text)
    t.same(
      blocks.map((b) => b.event),
      ['token', 'stream.live'],
    )
    t.equal(blocks[0]!.id, blocks[1]!.id)
    t.notMatch(second.text, /stream\.(ready|heartbeat)/)
  },
)

onBothLogs(t, 'a finite stream that has more says so by its retry', async (t, start) => {
  const { url } = await start()
  for (let i = 0; i < 5; i++) await publish(url, 'a', i)
  const got: unknown[] = []
  const retries: unknown[] = []
  let cursor: string | undefined
  while (got.length < 5) {
    const { text } = await finite(url, 'channel=a&after=earliest&limit=2', cursor)
    const blocks = parseBody(text)
    got.push(...dataOf(blocks))
    retries.push(blocks[0]?.retry)
    cursor = blocks.findLast((block) => block.id !== undefined)?.id
  }
  t.same(got, [0, 1, 2, 3, 4])
  t.same(retries, ['0', '0', '1000'])
})

onBothLogs(
  t,
  'gaps stand before the events of a finite stream; after the end comes 204',
  async (t, start) => {
    const { url } = await start({ retentionEvents: 5 })
    const first = await overrun(url, 'a')
    await post(`${url}/v1/channels/close?channel=a`, '{}')
    const blocks = parseBody((await finite(url, 'channel=a&limit=1000', first)).text)
    const names = blocks.map((block) => block.event ?? 'message')
    t.equal(names[0], 'stream.gap')
    t.equal(names.at(-1), 'stream.live')
    t.equal(names.at(-2), 'stream.end')
    t.equal((await finite(url, 'channel=a', blocks.at(-1)!.id)).status, 204)
  },
)
