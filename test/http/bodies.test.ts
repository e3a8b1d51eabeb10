/** Bodies that are too large, framed in two ways, or broken: an answer that arrives, and flat memory. */
import { request } from 'node:http'
import t from 'tap'
import { ask, post, publish } from '../routes/support/ask.js'
import { connect, say } from '../routes/support/socket.js'
import { onBothLogs, start, stopRedis } from '../routes/support/start.js'

t.teardown(stopRedis)

const head = (type: string, more: string) =>
  `POST /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\n${more}\r\n\r\n`

onBothLogs(
  t,
  '28: Content-Length beside Transfer-Encoding is refused and the connection closed',
  async (t, start) => {
    const { url } = await start()
    const both = 'Content-Length: 5\r\nTransfer-Encoding: chunked'
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const text = await say(url, `${head('application/json', both)}1\r\n1\r\n0\r\n\r\n${smuggled}`)
    t.match(text, /^HTTP\/1\.1 400 .*application\/problem\+json.*"request_invalid"/s)
    t.equal(text.match(/^HTTP\/1\.1/gm)?.length, 1, 'one answer')
    t.equal((await ask(`${url}/v1/channels?channel=a`)).json.events, 0)
  },
)

onBothLogs(
  t,
  '28: two lengths, a negative one and other nonsense are refused',
  async (t, start) => {
    const { url } = await start()
    const wrong = [
      'Content-Length: 1\r\nContent-Length: 2',
      'Content-Length: -1',
      'Content-Length: 1x',
    ]
    for (const more of [
      ...wrong,
      'Transfer-Encoding: gzip',
      'Transfer-Encoding: chunked, identity',
    ]) {
      t.match(await say(url, `${head('application/json', more)}1`), /^HTTP\/1\.1 400 /, more)
    }
  },
)

onBothLogs(
  t,
  '32: a body above the limit is 413, and the connection serves the next request',
  async (t, start) => {
    const { url } = await start({ maxBodyBytes: 10_000, maxEventBytes: 10_000 })
    const json = JSON.stringify('x'.repeat(20_000))
    for (const framed of [
      head('application/json', `Content-Length: ${json.length}`) + json,
      `${head('application/json', 'Transfer-Encoding: chunked')}${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`,
    ]) {
      const wire = await connect(url)
      t.teardown(wire.destroy)
      wire.write(framed)
      t.match(await wire.until(/"retryable":false\}/), /^HTTP\/1\.1 413 .*"body_too_large"/s)
      wire.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
      t.match(await wire.rest(), /HTTP\/1\.1 200 OK.*\{"status":"ok"\}$/s, 'reused')
    }
  },
)

onBothLogs(
  t,
  '32: a chunked body without end is answered while it is still sent, and not kept',
  async (t, start) => {
    const { url } = await start()
    // Kept alive: of a connection to be closed, the reset could overtake the answer.
    const headers = { 'content-type': 'application/json', connection: 'keep-alive' }
    const req = request(`${url}/v1/events?channel=a`, { method: 'POST', headers, agent: false })
    const answered = new Promise<number | Error>((resolve) => {
      req.on('response', (res) => resolve(res.resume().statusCode!))
      req.on('error', resolve)
    })
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    let sent = 0
    const piece = Buffer.alloc(1 << 20, ' ')
    const pump = () => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      sent += piece.length
      if (sent < 200 * piece.length && !req.destroyed) req.write(piece, pump)
      else req.destroy()
    }
    const closed = new Promise((resolve) => req.once('close', resolve))
    pump()
    t.equal(await answered, 413)
    await closed
    t.ok(most < 64 << 20, `${most} bytes held at most`)
  },
)

for (const [type, line, limit] of [
  ['application/x-ndjson', ' ', 'one line'],
  ['text/event-stream', 'data: x', 'one field'],
  ['text/event-stream', 'data: x\n', 'one event of many lines'],
] as const) {
  onBothLogs(
    t,
    `32: a streamed event above the limit (${type}, ${limit}) ends the upload with 413`,
    async (t, start) => {
      const { url } = await start({ maxEventBytes: 10_000 })
      const wire = await connect(url)
      t.teardown(wire.destroy)
      wire.write(head(type, 'Transfer-Encoding: chunked'))
      const good = type === 'text/event-stream' ? 'data: 1\n\n' : '1\n'
      const begin = good + line
      wire.write(`${begin.length.toString(16)}\r\n${begin}\r\n`)
      const more = (line.endsWith('\n') ? line : line.at(-1)!).repeat(1_000)
      for (let i = 0; i < 100; i++) wire.write(`${more.length.toString(16)}\r\n${more}\r\n`)
      const answer = await wire.until(/"retryable":\w+.*\}/)
      t.match(answer, /^HTTP\/1\.1 413 .*"event_too_large"/s)
      t.match(answer, /"appended":1/)
      wire.write('0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
      t.match(
        await wire.rest(),
        /\{"status":"ok"\}$/,
        'the rest is dropped, the connection goes on',
      )
    },
  )
}

t.test('the limit of an event counts bytes, exactly', async (t) => {
  const { url } = await start(t, { maxEventBytes: 100 })
  for (const char of ['x', 'ü', '€', '😀']) {
    const size = Buffer.byteLength(char)
    const fits = JSON.stringify(char.repeat(Math.floor(98 / size)))
    t.equal((await post(`${url}/v1/events?channel=a`, fits)).status, 201)
    const over = JSON.stringify(char.repeat(Math.floor(98 / size) + 1))
    t.match(await post(`${url}/v1/events?channel=a`, over), {
      status: 413,
      json: { code: 'event_too_large' },
    })
  }
})

t.test('a body that isn’t UTF-8, or isn’t JSON, is refused', async (t) => {
  const { url } = await start(t)
  const target = `${url}/v1/events?channel=a`
  const latin = Buffer.from([0x22, 0xfc, 0x22])
  for (const type of [
    'application/json',
    'text/plain',
    'application/x-ndjson',
    'text/event-stream',
  ]) {
    const headers = { 'content-type': type }
    const answer = await ask(target, { method: 'POST', headers, body: latin })
    t.match(answer, { status: 400, json: { code: 'body_invalid' } }, type)
  }
  for (const text of ['', '{', '1 2', '{"a":1,}', 'NaN', "'x'", '\u00a01']) {
    t.match(await post(target, text), { status: 400, json: { code: 'body_invalid' } }, text)
  }
  const none = await ask(target, { method: 'POST' })
  t.match(none, { status: 400, json: { code: 'body_invalid' } }, 'no body')
})

t.test(
  'a producer that breaks off in the middle of a whole body has published nothing',
  async (t) => {
    const { url } = await start(t)
    const wire = await connect(url)
    wire.write(`${head('application/json', 'Content-Length: 100')}{"half":`)
    wire.destroy()
    await publish(url, 'a', 1)
    t.equal((await ask(`${url}/v1/channels?channel=a`)).json.events, 1)
  },
)

t.test('a reader whose request has a body that nobody reads is missed when it goes', async (t) => {
  // Without heartbeats, which would find out, too.
  const { url } = await start(t, { heartbeatMs: 3_600_000 })
  const wire = await connect(url)
  const body = 'Content-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n'
  wire.write(
    `GET /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\n${body}${'x'.repeat(300_000)}`,
  )
  await wire.until(/stream\.live/)
  wire.destroy()
  while ((await ask(`${url}/readyz`)).json.streams > 0);
  t.pass('its place is free again')
})
