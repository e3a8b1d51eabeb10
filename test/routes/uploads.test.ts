/** Streamed bodies: every item appended the moment it has arrived, and an honest count at the end. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import t from 'tap'
import { ask, poll } from './support/ask.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { subscribe } from './support/stream.js'

t.teardown(stopRedis)

const NDJSON = 'application/x-ndjson'
const SSE = 'text/event-stream'

interface Upload {
  readonly request: ClientRequest
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  readonly answer: Promise<{ status: number; json: any }>
}

/** A body that is still being written. */
function upload(
  url: string,
  query: string,
  type: string,
  headers: Record<string, string> = {},
): Upload {
  const target = `${url}/v1/events${query && `?${query}`}`
  const all = { 'content-type': type, ...headers }
  const req = request(target, { method: 'POST', headers: all, agent: false })
  const answer = new Promise<{ status: number; json: unknown }>((resolve, reject) => {
    req.on('error', reject)
    req.on('response', (res: IncomingMessage) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      res.on('end', () => resolve({ status: res.statusCode!, json: JSON.parse(text) }))
    })
  })
  answer.catch(() => {})
  return { request: req, answer }
}

const send = (
  url: string,
  query: string,
  type: string,
  body: string,
  headers: Record<string, string> = {},
) =>
  ask(`${url}/v1/events${query && `?${query}`}`, {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body,
  })

const held = async (url: string, channel: string) =>
  (await poll(url, `channel=${channel}&after=earliest&wait=0&limit=1000`)).json.events as {
    id: string
    name: string
    data: unknown
  }[]

const dataIn = async (url: string, channel: string) =>
  (await held(url, channel)).map((event) => event.data)

onBothLogs(
  t,
  'items are delivered before the body ends, however it is cut into pieces',
  async (t, start) => {
    const { url } = await start()
    const stream = await subscribe(url, ['a'])
    await stream.event('stream.live')
    const { request, answer } = upload(url, 'channel=a&name=token', NDJSON)
    const bytes = Buffer.from('{"text":"ä"}\n"€"\r\n\n  \n3\n')
    for (const byte of bytes) request.write(Buffer.from([byte]))
    const third = await stream.find((block) => block.json?.data === 3)
    t.equal(third.event, 'token')
    request.end('4')
    const { status, json } = await answer
    t.equal(status, 201)
    t.match(json, { appended: 4, duplicates: 0, last: (await held(url, 'a')).at(-1)?.id })
    t.same(await dataIn(url, 'a'), [{ text: 'ä' }, '€', 3, 4], 'the last line needs no end')
  },
)

onBothLogs(t, 'without a channel in the query each line is an event object', async (t, start) => {
  const { url } = await start()
  const lines =
    '{"channel":"a","data":1}\n{"channel":"b","data":2,"name":"x"}\n{"channel":"a","data":3,"ephemeral":true}\n'
  const answer = await send(url, '', NDJSON, lines)
  t.match(answer, { status: 201, json: { appended: 3, duplicates: 0 } })
  t.same([await dataIn(url, 'a'), await dataIn(url, 'b')], [[1], [2]])
})

onBothLogs(t, 'an SSE body: each event with its name, its data as a string', async (t, start) => {
  const { url } = await start()
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  const { request, answer } = upload(url, 'channel=a&name=chunk', SSE)
  for (const part of [
    ': hi\r\n\r',
    '\nevent: token\rdata: one\r',
    'data: two\r\r',
    'id: 7\nretry: 1\ndata\n\n',
  ])
    request.write(part)
  await stream.find((block) => block.json?.data === '')
  request.end(': the end')
  t.match(await answer, { status: 201, json: { appended: 2 } })
  const events = await held(url, 'a')
  t.same(
    events.map(({ name, data }) => [name, data]),
    [
      ['token', 'one\ntwo'],
      ['chunk', ''],
    ],
  )
})

t.test('an SSE body needs a channel in the query', async (t) => {
  const { url } = await start(t)
  t.match(await send(url, '', SSE, 'data: 1\n\n'), {
    status: 400,
    json: { code: 'channel_missing' },
  })
})

onBothLogs(t, 'a producer that breaks off leaves what it sent', async (t, start) => {
  const { url } = await start()
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  const { request, answer } = upload(url, 'channel=a', NDJSON)
  request.write('1\n2\n{"half":')
  await stream.find((block) => block.json?.data === 2)
  request.destroy()
  await t.rejects(answer)
  t.same(await dataIn(url, 'a'), [1, 2])
})

for (const [type, query, good, bad, code] of [
  [NDJSON, 'channel=a', '1\n2\n', '{"broken"\n', 'body_invalid'],
  [
    NDJSON,
    '',
    '{"channel":"a","data":1}\n{"channel":"a","data":2}\n',
    '{"channel":"a"}\n',
    'event_invalid',
  ],
  [
    NDJSON,
    '',
    '{"channel":"a","data":1}\n{"channel":"a","data":2}\n',
    '{"channel":"run:1","data":1}\n',
    'channel_reserved',
  ],
  [NDJSON, 'channel=a', '1\n2\n', '"\xff"\n', 'body_invalid'],
  [SSE, 'channel=a', 'data: 1\n\ndata: 2\n\n', 'event: stream.live\ndata: x\n\n', 'event_invalid'],
] as const) {
  onBothLogs(
    t,
    `a wrong item ends the upload and says how many came before it (${type}, ${code})`,
    async (t, start) => {
      const { url } = await start()
      for (const whole of [true, false]) {
        const channel = query.replace('channel=a', `channel=${whole ? 'a' : 'b'}`)
        const { request, answer } = upload(url, channel, type)
        request.write(good)
        request.write(Buffer.from(bad, 'latin1'))
        // What comes after it isn't taken, also where the body never ends.
        request.write(good)
        if (whole) request.end()
        const { status, json } = await answer
        t.ok(status >= 400 && status < 500)
        t.match(json, { code, appended: 2, duplicates: 0 })
        request.destroy()
      }
      t.equal((await dataIn(url, 'a')).length, query === '' ? 4 : 2)
    },
  )
}

onBothLogs(t, 'a repeated upload with its key appends only what was missing', async (t, start) => {
  const { url } = await start()
  const headers = { 'idempotency-key': 'job-7' }
  t.match(await send(url, 'channel=a', NDJSON, '1\n2\n3\n', headers), {
    json: { appended: 3, duplicates: 0 },
  })
  const again = await send(url, 'channel=a', NDJSON, '1\n2\n3\n4\n5\n', headers)
  t.match(again, { status: 201, json: { appended: 2, duplicates: 3 } })
  t.same(await dataIn(url, 'a'), [1, 2, 3, 4, 5])
  const other = await send(url, 'channel=a', NDJSON, '1\n7\n', headers)
  t.match(other, { status: 422, json: { code: 'key_conflict', appended: 0, duplicates: 1 } })
  const sse = await send(url, 'channel=b', SSE, 'data: 1\n\ndata: 2\n\n', headers)
  t.match(sse, { json: { appended: 2 } })
  t.match(await send(url, 'channel=b', SSE, 'data: 1\n\ndata: 2\n\n', headers), {
    json: { appended: 0, duplicates: 2 },
  })
})

onBothLogs(t, 'an upload to a channel that closes meanwhile ends there', async (t, start) => {
  const { url } = await start()
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  const { request, answer } = upload(url, 'channel=a', NDJSON)
  request.write('1\n')
  await stream.find((block) => block.json?.data === 1)
  await ask(`${url}/v1/channels/close?channel=a`, { method: 'POST' })
  request.write('2\n')
  t.match(await answer, { status: 409, json: { code: 'channel_closed', appended: 1 } })
  request.destroy()
})

onBothLogs(
  t,
  'events are the same whatever ends their lines, and one byte order mark is none of them',
  async (t, start) => {
    const { url } = await start()
    const bodies = {
      cr: 'data: 1\r\rdata: 2\r\r',
      crlf: 'data: 1\r\n\r\ndata: 2\r\n\r\n',
      bom: '\ufeffdata: 1\n\ndata: 2\n\n',
    }
    for (const [channel, body] of Object.entries(bodies)) {
      t.match(await send(url, `channel=${channel}`, SSE, body), { json: { appended: 2 } }, channel)
      t.same(await dataIn(url, channel), ['1', '2'])
    }
    const { request } = upload(url, 'channel=live', SSE)
    const reader = await subscribe(url, ['live'])
    await reader.event('stream.live')
    request.write('data: 1\r\r')
    await reader.find((block) => block.json?.data === '1')
    request.destroy()
  },
)

onBothLogs(t, 'an upload that ends in the middle of an event is told so', async (t, start) => {
  const { url } = await start()
  for (const [i, rest] of ['data: 2\n', 'data: 2', 'data', 'data:\r'].entries()) {
    const answer = await send(url, `channel=a${i}`, SSE, `data: 1\n\n${rest}`)
    const told = { status: 400, json: { code: 'body_invalid', appended: 1, detail: /blank line/ } }
    t.match(answer, told, JSON.stringify(rest))
    t.same(await dataIn(url, `a${i}`), ['1'])
  }
  for (const rest of ['\n', ': a comment', 'id: 1\n', 'event: x\n']) {
    t.match(await send(url, 'channel=b', SSE, `data: 1\n\n${rest}`), { status: 201 }, rest)
  }
})

t.test('an empty upload appends nothing', async (t) => {
  const { url } = await start(t)
  for (const [type, body] of [
    [NDJSON, ''],
    [NDJSON, '\n \n'],
    [SSE, ''],
    [SSE, ': comment\n\n'],
  ] as const) {
    const answer = await send(url, 'channel=a', type, body)
    t.match(answer, { status: 201, json: { appended: 0, duplicates: 0, last: null } })
  }
})

t.test('an upload longer than a body may be is no problem, and costs no memory', async (t) => {
  const { url } = await start(t, {
    maxBodyBytes: 100_000,
    maxEventBytes: 50_000,
    retentionEvents: 10,
  })
  const { request, answer } = upload(url, 'channel=a', NDJSON)
  const line = `${JSON.stringify('x'.repeat(40_000))}\n`
  for (let i = 0; i < 500; i++) {
    if (!request.write(line)) await new Promise((resolve) => request.once('drain', resolve))
  }
  request.end()
  t.match(await answer, { status: 201, json: { appended: 500 } })
})
