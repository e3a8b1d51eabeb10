/** Streams and the connections they come on: HTTP/1.0, pipelines, connections that go on. */
import t from 'tap'
import { post, publish } from './support/ask.js'
import { connect } from './support/socket.js'
import { start } from './support/start.js'

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`

/** Takes chunk framing off a body. */
function dechunk(text: string): string {
  let body = ''
  let rest = text
  for (;;) {
    const end = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.slice(0, end), 16)
    if (size === 0) return body
    body += Buffer.from(rest.slice(end + 2))
      .subarray(0, size)
      .toString()
    rest = Buffer.from(rest.slice(end + 2))
      .subarray(size + 2)
      .toString()
  }
}

t.test('a stream’s bytes are well-formed chunks, up to the last one', async (t) => {
  const { url } = await start(t)
  for (const text of ['ä€😀', 'x'.repeat(100_000), '']) await publish(url, 'a', text)
  const wire = await connect(url)
  wire.write(get('/v1/events?channel=a&after=earliest', 'Connection: close\r\n'))
  await wire.until(/stream\.live/)
  await post(`${url}/v1/channels/close?channel=a`, '{}')
  const [, body] = (await wire.rest()).split(/\r\n\r\n(.*)/s) as [string, string]
  const blocks = dechunk(body).split('\n\n')
  t.match(blocks[0], 'event: stream.ready')
  t.match(blocks[1], '"data":"ä€😀"')
  t.match(blocks.at(-2), 'event: stream.end')
  t.equal(blocks.at(-1), '')
})

t.test('an HTTP/1.0 client gets no chunks, and the end of the connection as the end', async (t) => {
  const { url } = await start(t)
  await publish(url, 'a', 'before')
  const wire = await connect(url)
  wire.write('GET /v1/events?channel=a&after=earliest HTTP/1.0\r\n\r\n')
  const live = await wire.until(/event: stream\.live\ndata: .*\n\n/)
  t.notMatch(live, /transfer-encoding/i)
  t.match(live, /\r\n\r\nretry: \d+\nid: /, 'the body begins with the first line')
  await publish(url, 'a', 'after')
  await wire.until(/"data":"after"/)
  await post(`${url}/v1/channels/close?channel=a`, '{}')
  t.match(await wire.rest(), /event: stream\.end\ndata: [^\n]*\n\n$/)
})

t.test(
  'a request behind a stream is answered when the stream is over, on the same connection',
  async (t) => {
    const { url } = await start(t)
    const wire = await connect(url)
    wire.write(get('/v1/events?channel=a') + get('/healthz') + get('/v1/events?channel=b'))
    await wire.until(/stream\.live/)
    await publish(url, 'a', 'first')
    await publish(url, 'b', 'second')
    t.notMatch(await wire.until(/"data":"first"/), /"status":"ok"|"second"/)
    await post(`${url}/v1/channels/close?channel=a`, '{}')
    const text = await wire.until(/"data":"second"/)
    t.match(
      text,
      /stream\.end.*\r\n0\r\n\r\nHTTP\/1\.1 200 OK.*\{"status":"ok"\}HTTP\/1\.1 200 OK.*"b"/s,
    )
    wire.destroy()
  },
)

t.test('a stream behind another request comes in its turn', async (t) => {
  const { url } = await start(t)
  const wire = await connect(url)
  const poll = get('/v1/events?channel=p', 'Accept: application/json\r\n')
  wire.write(poll + get('/v1/events?channel=a&after=earliest', 'Connection: close\r\n'))
  await publish(url, 'a', 'for the stream')
  await post(`${url}/v1/channels/close?channel=a`, '{}')
  await publish(url, 'p', 'for the poll')
  const text = await wire.rest()
  t.match(text, /^HTTP\/1\.1 200 .*for the poll.*"more":false\}HTTP\/1\.1 200 .*for the stream/s)
  const body = text.slice(text.lastIndexOf('\r\n\r\n', text.indexOf('stream.ready')) + 4)
  t.match(dechunk(body), /event: stream\.end\ndata: [^\n]*\n\n$/, 'framed once')
})

t.test('a connection whose stream has ended serves the next requests', async (t) => {
  const { url } = await start(t)
  await publish(url, 'a', 1)
  await post(`${url}/v1/channels/close?channel=a`, '{}')
  const wire = await connect(url)
  for (const n of [1, 2, 3]) {
    wire.write(get('/v1/events?channel=a&after=earliest'))
    await wire.until(new RegExp(`(.*stream\\.end.*\r\n0\r\n\r\n){${n}}`, 's'))
  }
  wire.write(get('/healthz', 'Connection: close\r\n'))
  t.match(await wire.rest(), /\{"status":"ok"\}$/)
})

t.test('requests that wait behind a stream are freed with their connection', async (t) => {
  const { url } = await start(t)
  const wire = await connect(url)
  wire.write(get('/v1/events?channel=a').repeat(3) + get('/v1/events?channel=a&mode=poll'))
  await wire.until(/stream\.live/)
  wire.end()
  // Asking is what passes the time; a stream that is never freed is never missed by it.
  const open = async () => (await (await fetch(`${url}/readyz`)).json()).streams as number
  let streams = await open()
  for (let i = 0; i < 500 && streams > 0; i++) streams = await open()
  t.equal(streams, 0)
})
