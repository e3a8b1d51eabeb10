/** Everything that goes wrong is answered with a problem document, also what never reached a route. */
import t from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { connect, say } from '../routes/support/socket.js'
import { start } from '../routes/support/start.js'
import { subscribe } from '../routes/support/stream.js'

t.test('what isn’t HTTP is answered 400 and closed', async (t) => {
  const { url } = await start(t)
  for (const text of [
    'nonsense\r\n\r\n',
    'FETCH /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET /v1/events HTTP/1.1\r\nHost x\r\n\r\n',
    'GET /v1/events HTTP/1.1\r\nHost: localhost\r\nA: \0\r\n\r\n',
    `GET /v1/events HTTP/1.1\r\nHost: localhost\r\nA: ${'x'.repeat(40_000)}\r\n\r\n`,
    'GET /v1/events HTTP/1.1\r\n Host: localhost\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  ]) {
    const answer = await say(url, text)
    const [head, body] = answer.split('\r\n\r\n') as [string, string]
    t.match(head, /^HTTP\/1\.1 400 Bad Request\r\n/, JSON.stringify(text.slice(0, 40)))
    t.match(head, /Content-Type: application\/problem\+json/i)
    t.match(JSON.parse(body), { code: 'request_invalid', status: 400, retryable: false })
  }
})

t.test('a request without Host is answered 400', async (t) => {
  const { url } = await start(t)
  const answer = await say(url, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n')
  t.match(answer, /^HTTP\/1\.1 400 .*application\/problem\+json.*"request_invalid"/s)
  t.match(
    await say(url, 'GET /healthz HTTP/1.0\r\n\r\n'),
    /^HTTP\/1\.1 200 /,
    'HTTP/1.0 needs none',
  )
})

t.test(
  'nonsense behind a stream ends the connection and writes nothing into the stream',
  async (t) => {
    const { url } = await start(t)
    const wire = await connect(url)
    wire.write('GET /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await wire.until(/stream\.live/)
    wire.write('nonsense\r\n\r\n')
    t.notMatch(await wire.rest(), /problem/)
  },
)

t.test('nonsense behind a poll that waits isn’t taken for the poll’s answer', async (t) => {
  const { url } = await start(t)
  const wire = await connect(url)
  const poll =
    'GET /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n'
  wire.write(poll)
  wire.write('nonsense\r\n\r\n')
  t.equal(await wire.rest(), '')
})

t.test('an unknown path is 404, another method 405 with Allow', async (t) => {
  const { url } = await start(t)
  for (const path of [
    '/nowhere',
    '/v1',
    '/v2/events',
    '/v1/events/x',
    '/favicon.ico',
    '/v1/channels/x',
  ]) {
    for (const method of ['GET', 'POST', 'OPTIONS', 'PROPFIND']) {
      const answer = await ask(`${url}${path}`, { method })
      t.match(answer, { status: 404, json: { code: 'not_found' } }, `${method} ${path}`)
      t.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
    }
  }
  const allowed = {
    '/v1/events': 'GET, HEAD, POST',
    '/v1/events/stream': 'POST',
    '/v1/channels': 'GET, HEAD, DELETE',
    '/v1/channels/close': 'POST',
    '/healthz': 'GET, HEAD',
    '/readyz': 'GET, HEAD',
  }
  for (const [path, allow] of Object.entries(allowed)) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']) {
      if (allow.split(', ').includes(method)) continue
      const answer = await ask(`${url}${path}?channel=a`, { method })
      const expected = { status: 405, json: { code: 'method_not_allowed' }, headers: { allow } }
      t.match(answer, expected, `${method} ${path}`)
    }
  }
})

t.test('an Accept that names neither representation is 406', async (t) => {
  const { url } = await start(t)
  for (const accept of ['text/html', 'image/*', 'text/event-stream;q=0', 'application/jsonx']) {
    const answer = await ask(`${url}/v1/events?channel=a`, { headers: { accept } })
    t.match(answer, { status: 406, json: { code: 'not_acceptable' } }, accept)
  }
})

t.test('what is accepted most is what comes; without a preference the stream', async (t) => {
  const { url } = await start(t)
  const json = 'application/json; charset=utf-8'
  const sse = 'text/event-stream; charset=utf-8'
  const cases: [string, string][] = [
    ['application/json', json],
    ['application/json, text/event-stream;q=0.5', json],
    ['application/*', json],
    ['application/json, */*', json],
    ['text/event-stream;q=0, */*', json],
    ['APPLICATION/JSON', json],
    ['application/json;q=0.5, text/event-stream', sse],
    ['text/html, */*', sse],
    ['*/*', sse],
    ['', sse],
  ]
  for (const [accept, type] of cases) {
    const query = 'channel=a&mode=poll&wait=0'
    const answer = await ask(`${url}/v1/events?${query}`, { headers: { accept } })
    t.equal(answer.headers['content-type'], type, accept)
    t.equal(answer.headers.vary, 'Accept, Origin')
  }
})

t.test('a wrong option is named', async (t) => {
  const { url } = await start(t)
  const wrong = {
    rewind: ['0', '-1', '1d', '1000000', '1.5s', 's', ''],
    format: ['xml', 'RAW', ''],
    mode: ['push'],
    wait: ['26', '-1', '1.5', 'x', '01'],
    limit: ['0', '1001', 'x'],
    session: ['short', 'x'.repeat(129), `${'x'.repeat(22)}!`],
    nonsense: ['1'],
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const query = `channel=a&${name}=${encodeURIComponent(value)}`
      const answer = await ask(`${url}/v1/events?${query}`)
      t.match(answer, { status: 400, json: { code: 'option_invalid' } }, query)
      t.match(answer.json.detail, name)
      const posted = await post(`${url}/v1/events/stream`, { channel: 'a', [name]: value })
      t.match(posted, { status: 400, json: { code: 'option_invalid' } }, `posted ${query}`)
    }
  }
  const twice = await ask(`${url}/v1/events?channel=a&wait=1&wait=2`)
  t.match(twice, { status: 400, json: { code: 'option_invalid' } })
  const none = await ask(`${url}/v1/events`)
  t.match(none, { status: 400, json: { code: 'channel_missing' } })
})

t.test('a problem document says no more than it should, and is complete', async (t) => {
  const { url } = await start(t)
  const { json, headers } = await ask(`${url}/v1/events?channel=*`)
  t.same(Object.keys(json), ['type', 'title', 'status', 'code', 'detail', 'retryable'])
  t.equal(json.type, 'urn:sluice:error:channel_invalid')
  t.equal(headers['cache-control'], 'no-store')
})

t.test(
  'an EventSource that asks for nonsense gets the status, for it must not come back',
  async (t) => {
    const { url } = await start(t)
    const stream = await subscribe(url, ['*'])
    t.equal(stream.status, 400)
  },
)
