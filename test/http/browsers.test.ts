/** Which pages may call, and what their browsers are told. */
import t from 'tap'
import { ask } from '../routes/support/ask.js'
import { onBothLogs, start, stopRedis } from '../routes/support/start.js'
import { open } from '../routes/support/stream.js'

t.teardown(stopRedis)

const APP = 'https://app.example'
const corsOrigins = [APP]
const FOREIGN = [
  'https://evil.example',
  'null',
  `${APP}.evil.example`,
  `${APP}:444`,
  'http://app.example',
  '*',
]
const REQUESTS: [method: string, path: string][] = [
  ['GET', '/v1/events?channel=a&wait=0'],
  ['HEAD', '/v1/events?channel=a'],
  ['POST', '/v1/events?channel=a'],
  ['POST', '/v1/events/stream'],
  ['GET', '/v1/channels?channel=a'],
  ['DELETE', '/v1/channels?channel=a'],
  ['POST', '/v1/channels/close?channel=a'],
  ['GET', '/healthz'],
  ['OPTIONS', '/v1/events'],
  ['PUT', '/v1/events'],
  ['GET', '/nowhere'],
]

onBothLogs(
  t,
  '26: a request of a page that isn’t listed is refused, whatever it asks for',
  async (t, start) => {
    const { url } = await start({ corsOrigins })
    for (const origin of FOREIGN) {
      for (const [method, path] of REQUESTS) {
        for (const cookie of [{}, { cookie: 'session=1' }]) {
          // What a page may send without asking first.
          const headers = { origin, accept: 'application/json', ...cookie }
          const plain = method === 'POST' ? { 'content-type': 'text/plain' } : {}
          const answer = await ask(url + path, { method, headers: { ...headers, ...plain } })
          t.equal(answer.status, 403, `${method} ${path} from ${origin}`)
          t.equal(answer.headers['access-control-allow-origin'], undefined)
          if (method !== 'HEAD') t.equal(answer.json.code, 'origin_forbidden')
        }
      }
    }
    t.equal((await ask(`${url}/v1/channels?channel=a`)).json.events, 0, 'nothing was done')
  },
)

onBothLogs(
  t,
  '26: in open mode, without any configuration, foreign pages are refused too',
  async (t, start) => {
    const { url } = await start()
    for (const origin of [
      'https://evil.example',
      'http://localhost.evil.example',
      'http://127.0.0.1.nip.io',
      'file://',
      'null',
    ]) {
      const answer = await ask(`${url}/healthz`, { headers: { origin } })
      t.equal(answer.status, 403, origin)
    }
    for (const origin of [
      'http://localhost:3000',
      'http://127.0.0.1',
      'https://[::1]:8443',
      'http://app.localhost',
    ]) {
      const answer = await ask(`${url}/healthz`, { headers: { origin } })
      t.equal(answer.headers['access-control-allow-origin'], origin)
    }
  },
)

t.test('a refused page’s preflight gets no permission', async (t) => {
  const { url } = await start(t, { corsOrigins })
  const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
  const answer = await ask(`${url}/v1/events`, { method: 'OPTIONS', headers })
  t.equal(answer.status, 403)
  const granted = Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))
  t.same(granted, [])
})

t.test(
  'a listed page’s preflight is answered for the methods and headers of this API',
  async (t) => {
    const { url } = await start(t, { corsOrigins })
    for (const path of ['/v1/events', '/v1/events/stream', '/v1/channels', '/v1/channels/close']) {
      const { status, headers, text } = await ask(url + path, {
        method: 'OPTIONS',
        headers: {
          origin: APP,
          'access-control-request-method': 'DELETE',
          'access-control-request-headers': 'content-type,idempotency-key,last-event-id',
        },
      })
      t.equal(status, 204, path)
      t.equal(text, '')
      t.equal(headers['access-control-allow-origin'], APP)
      t.equal(headers['access-control-allow-credentials'], 'true')
      t.match(headers['access-control-allow-methods'], /GET.*HEAD.*POST.*DELETE/)
      t.equal(headers['access-control-allow-headers'], 'content-type,idempotency-key,last-event-id')
      t.match(headers.vary, 'Origin')
    }
  },
)

t.test('a listed page reads every answer: finite, stream, problem, 404, 405 and 204', async (t) => {
  const { url } = await start(t, { corsOrigins })
  const headers = { origin: APP, accept: 'text/event-stream' }
  const stream = await open(`${url}/v1/events?channel=a`, { headers })
  const raw = await open(`${url}/v1/events?channel=a&format=raw`, { headers })
  const answers = [
    stream,
    raw,
    await ask(`${url}/v1/events?channel=a&mode=poll`, { headers }),
    await ask(`${url}/v1/events?channel=a&wait=0`, {
      headers: { origin: APP, accept: 'application/json' },
    }),
    await ask(`${url}/v1/events?channel=*`, { headers }),
    await ask(`${url}/v1/events?channel=a`, { method: 'HEAD', headers }),
    await ask(`${url}/v1/events?channel=a`, { method: 'PUT', headers }),
    await ask(`${url}/v1/channels?channel=a`, { method: 'DELETE', headers }),
    await ask(`${url}/nowhere`, { headers }),
  ]
  t.same(
    answers.map((answer) => answer.status),
    [200, 200, 200, 200, 400, 200, 405, 204, 404],
  )
  for (const { headers } of answers) {
    t.equal(headers['access-control-allow-origin'], APP)
    t.equal(headers['access-control-allow-credentials'], 'true')
    t.match(headers['access-control-expose-headers'], 'Retry-After')
    t.match(headers.vary, 'Origin')
  }
})

t.test('who sends no Origin is no page: served, and told nothing about origins', async (t) => {
  const { url } = await start(t, { corsOrigins })
  const answer = await ask(`${url}/v1/channels?channel=a`)
  t.equal(answer.status, 200)
  t.equal(answer.headers['access-control-allow-origin'], undefined)
  t.match(answer.headers.vary, 'Origin', 'yet caches keep the two apart')
})
