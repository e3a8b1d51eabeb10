/** The relay: an upstream's stream becomes a run, everything else passes. */
import { once } from 'node:events'
import t from 'tap'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { bearer, locked, mint } from '../http/support/locked.js'
import { ask, post } from './support/ask.js'
import { type Asked, call, DONE, piece, pieces, SSE, stage } from './support/relay.js'
import { onBothLogs, stopRedis } from './support/start.js'
import { open } from './support/stream.js'

t.teardown(stopRedis)

onBothLogs(
  t,
  'a stream becomes a run: as the upstream wrote it, with ids, and nothing else',
  async (t, start) => {
    const { url, relay, next } = await stage(t, start, { trustedProxies: ['loopback'] })
    const calling = call(
      `${relay}?x=1`,
      { model: 'm', stream: true },
      { cookie: 'a=b', 'x-forwarded-for': '127.0.0.1' },
    )
    const { request, body, response } = await next()
    t.equal(request.url, '/base/v1/chat/completions?x=1')
    t.same(JSON.parse(body), { model: 'm', stream: true })
    t.match(request.headers, {
      authorization: 'Bearer the-key-of-the-operator',
      'content-type': 'application/json',
    })
    t.equal(request.headers.cookie ?? request.headers['x-forwarded-for'], undefined)
    response.writeHead(200, { ...SSE, 'x-request-id': 'req-1', 'set-cookie': 'a=b', server: 'x' })
    response.write(`: a comment\n\n${piece('Hel')}`)
    const caller = await calling
    const id = String(caller.headers['sluice-run'])
    t.match(caller.headers, {
      'content-type': /event-stream/,
      location: `/v1/runs/${id}`,
      'x-request-id': 'req-1',
    })
    t.equal(caller.headers['set-cookie'] ?? caller.headers.server, undefined)
    await caller.find(({ data }) => data?.includes('Hel') === true)
    const viewer = await open(`${url}/v1/runs/${id}/events`)
    response.end(piece('lo') + DONE)
    for (const stream of [caller, viewer]) {
      t.equal(await stream.over(), 'end')
      t.same(
        pieces(stream),
        [piece('Hel'), piece('lo'), DONE].map((it) => it.slice(6, -2)),
      )
      t.notMatch(stream.text, /^event: |comment/m)
    }
    t.match((await ask(`${url}/v1/runs/${id}`)).json, {
      ...{ state: 'done', upstream: 'llm', format: 'openai.chat', text: 'Hello', events: 3 },
    })
  },
)

onBothLogs(t, 'a caller that leaves ends nothing', async (t, start) => {
  const { url, relay, next } = await stage(t, start)
  const calling = call(relay, {}, { 'sluice-run': 'chosen' })
  const { response } = await next()
  response.writeHead(200, SSE)
  response.write(piece('a'))
  const caller = await calling
  t.equal(caller.headers['sluice-run'], 'chosen')
  await caller.find(({ data }) => data !== undefined)
  caller.close()
  response.write(piece('b'))
  const late = await open(`${url}/v1/runs/chosen/events`)
  await late.find(({ data }) => data?.includes('"b"') === true)
  response.end(DONE)
  t.equal(await late.over(), 'end')
  t.match((await ask(`${url}/v1/runs/chosen`)).json, { state: 'done', text: 'ab' })
  const again = await call(relay, {}, { 'sluice-run': 'chosen' })
  t.equal(again.status, 409)
})

onBothLogs(t, 'nor does one that leaves before its upstream answers', async (t, start) => {
  const { url, relay, next } = await stage(t, start)
  const leaving = new AbortController()
  const headers = { 'content-type': 'application/json', 'sluice-run': 'chosen' }
  const question = { method: 'POST', headers, body: '{}', signal: leaving.signal }
  const left = t.rejects(ask(relay, question))
  const { response } = await next()
  leaving.abort()
  await left
  // On another connection, and so after the end of that one.
  await ask(`${url}/healthz`)
  response.writeHead(200, SSE)
  response.write(piece('a'))
  response.end(piece('b') + DONE)
  const late = await open(`${url}/v1/runs/chosen/events`)
  t.equal(await late.over(), 'end')
  t.match((await ask(`${url}/v1/runs/chosen`)).json, { state: 'done', text: 'ab' })
})

onBothLogs(t, 'the same key is the same run, and asks the upstream once', async (t, start) => {
  const { relay, asked, next, onAsk } = await stage(t, start)
  const key = { 'idempotency-key': 'k' }
  const calls = [call(relay, {}, key), call(relay, {}, key)]
  const { response } = await next()
  response.writeHead(200, SSE)
  response.write(piece('a'))
  const both = await Promise.all(calls)
  for (const one of both) await one.find(({ data }) => data !== undefined)
  response.end(DONE)
  for (const one of both) t.equal(await one.over(), 'end')
  const late = await call(relay, {}, key)
  t.equal(await late.over(), 'end')
  t.same(new Set([...both, late].map(({ headers }) => headers['sluice-run'])).size, 1)
  t.same(pieces(late), pieces(both[0]!))
  t.equal(asked.length, 0, 'nobody asked again')
  // What was no stream is no run: the same key may try again.
  onAsk(({ response }) =>
    response.writeHead(429, { 'retry-after': '7' }).end('{"error":"slow down"}'),
  )
  const other = { 'idempotency-key': 'other' }
  const limited = await post(relay, {}, other)
  t.match(limited, { status: 429, json: { error: 'slow down' }, headers: { 'retry-after': '7' } })
  onAsk(({ response }) => response.writeHead(200, SSE).end(piece('b') + DONE))
  const second = await call(relay, {}, other)
  t.equal(await second.over(), 'end')
  t.match(second.text, '"b"')
})

onBothLogs(
  t,
  'stopping lets go of the upstream within a second, and tells readers',
  async (t, start) => {
    const { url, relay, next } = await stage(t, start)
    const calling = call(relay, {}, { 'sluice-run': 'r' })
    const { response } = await next()
    response.writeHead(200, SSE)
    response.write(piece('a'))
    const caller = await calling
    await caller.find(({ data }) => data !== undefined)
    const gone = new Promise<void>((resolve) => response.once('close', resolve))
    const from = performance.now()
    t.equal((await ask(`${url}/v1/runs/r/stop`, { method: 'POST' })).status, 200)
    await gone
    t.ok(performance.now() - from < 1000)
    t.equal(await caller.over(), 'end')
    t.match(caller.text, /aborted/)
    t.match((await ask(`${url}/v1/runs/r`)).json, { state: 'aborted', text: 'a' })
  },
)

const FAULTS: Record<string, [answer: (asked: Asked) => void, code: string]> = {
  'closes in the middle of an event': [
    ({ response }) => response.writeHead(200, SSE).end(`${piece('a')}data: {"half`),
    'upstream_broken',
  ],
  'closes before its end was said': [
    ({ response }) => response.writeHead(200, SSE).end(piece('a')),
    'upstream_broken',
  ],
  'breaks off': [
    ({ response }) => {
      response.writeHead(200, SSE)
      response.write(piece('a'), () => response.destroy())
    },
    'upstream_broken',
  ],
  'falls silent': [
    ({ response }) => {
      response.writeHead(200, SSE)
      response.write(piece('a'))
    },
    'upstream_idle_timeout',
  ],
  'sends 10 MB without a line end': [
    ({ response }) => {
      response.writeHead(200, SSE)
      response.write(piece('a'))
      response.on('error', () => {})
      response.end(`data: ${'x'.repeat(10_000_000)}`)
    },
    'upstream_event_too_large',
  ],
}
for (const [what, [answer, code]] of Object.entries(FAULTS)) {
  onBothLogs(t, `an upstream that ${what} is an error that every reader sees`, async (t, start) => {
    const { url, port, relay, onAsk } = await stage(t, start, {}, { idleTimeout: '300ms' })
    onAsk(answer)
    const caller = await call(relay, {}, { 'sluice-run': 'r' })
    t.equal(await caller.over(), 'end')
    t.match(pieces(caller)[0], '"a"')
    t.match(pieces(caller).at(-1), /"error"/)
    const run = (await ask(`${url}/v1/runs/r`)).json
    t.match(run, { state: 'error', text: 'a', error: { code } })
    t.notMatch(caller.text + JSON.stringify(run), new RegExp(`${port}|the-key|127\\.0\\.0\\.1`))
  })
}

onBothLogs(
  t,
  'what an upstream says in one piece passes, but not what it says to its operator',
  async (t, start) => {
    const { url, port, relay, onAsk } = await stage(t, start, {}, { headTimeout: '300ms' })
    const answers: Record<string, [(asked: Asked) => void, object]> = {
      models: [
        ({ response }) => response.setHeader('content-type', 'application/json').end('{"data":[]}'),
        { status: 200, json: { data: [] } },
      ],
      'a refusal': [
        ({ response }) => response.writeHead(400).end('no'),
        { status: 400, text: 'no' },
      ],
      'its fault': [
        ({ response }) => response.writeHead(500).end('oops'),
        { status: 500, text: 'oops' },
      ],
      'a wrong key': [
        ({ response }) => response.writeHead(401).end('wrong key the-key-of-the-operator'),
        { status: 502, json: { code: 'upstream_refused' } },
      ],
      'a redirect': [
        ({ response }) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
        { status: 502, json: { code: 'upstream_refused' } },
      ],
      nothing: [() => {}, { status: 504, json: { code: 'upstream_timeout' } }],
      'a closed door': [
        ({ response }) => response.destroy(),
        { status: 502, json: { code: 'upstream_failed' } },
      ],
    }
    for (const [what, [answer, expected]] of Object.entries(answers)) {
      onAsk(answer)
      const got =
        what === 'models' ? await ask(`${url}/v1/relay/llm/v1/models`) : await post(relay, {})
      t.match(got, expected, what)
      t.notMatch(JSON.stringify(got), new RegExp(`${port}/|the-key|169\\.254`), what)
      t.equal(got.headers['sluice-run'], undefined)
    }
  },
)

t.test('what has passed holds no shutdown up', async (t) => {
  // Longer than a test may take.
  const gateway = await stage(
    t,
    (config) => startGateway({ ...loadConfig(), port: 0, ...config }),
    {
      drainMs: 300_000,
    },
  )
  const { relay, asked, onAsk, close } = gateway
  onAsk(({ response }) => response.writeHead(400).end('no'))
  t.equal((await post(relay, {})).status, 400)
  onAsk(({ response }) => response.writeHead(401).end('no'))
  t.equal((await post(relay, {})).status, 502)
  // Nobody takes it to its end.
  onAsk(({ response }) => response.writeHead(200).write('the beginning'))
  const caller = await call(relay)
  caller.close()
  await once(asked.at(-1)!.response, 'close')
  await close()
})

onBothLogs(
  t,
  'only what is listed can be reached, and only by whom it is granted',
  async (t, start) => {
    const { url, relay, asked } = await stage(t, start, locked())
    const can = bearer(await mint({ channels: { 'run:{sub}:*': ['generate'] } }))
    const cannot = bearer(await mint({ channels: { 'run:**': ['subscribe', 'publish', 'stop'] } }))
    t.match(await post(relay, {}, cannot), { status: 403, json: { code: 'forbidden' } })
    t.match(await post(relay, {}), { status: 401 })
    for (const path of [
      '/llm/v1/files',
      '/llm/v1/chat/completions/../files',
      '/llm/v1/chat/%2e%2e/files',
      '/llm//v1/chat/completions',
      '/llm/v1/chat/completions;x',
      '/llm/V1/chat/completions',
      '/llm',
      '/llm/',
    ]) {
      const answer = await post(`${url}/v1/relay${path}`, {}, can)
      t.match(answer.status, /^(403|404)$/, path)
    }
    t.match(await post(`${url}/v1/relay/other/v1/chat/completions`, {}, can), {
      status: 404,
      json: { code: 'upstream_unknown' },
    })
    t.match(
      await ask(relay, { headers: can }),
      { status: 403, json: { code: 'upstream_forbidden' } },
      'a GET',
    )
    t.equal(asked.length, 0)
  },
)

onBothLogs(
  t,
  'who reads a run that never comes to be is told, and its id is free again',
  async (t, start) => {
    const { url, relay, next, onAsk } = await stage(t, start)
    const headers = { 'sluice-run': 'early', 'idempotency-key': 'k' }
    const calling = post(relay, {}, headers)
    const { response } = await next()
    const early = await open(`${url}/v1/runs/early/events`)
    response.writeHead(429).end('later')
    t.equal((await calling).status, 429)
    t.equal(await early.over(), 'end')
    t.match(early.text, /never_began/)
    t.match((await ask(`${url}/v1/runs/early`)).status, 404)
    onAsk(({ response }) => response.writeHead(200, SSE).end(piece('now') + DONE))
    const again = await call(relay, {}, headers)
    t.equal(await again.over(), 'end')
    t.match(again.headers['sluice-run'], 'early')
    t.same(
      pieces(again),
      [piece('now'), DONE].map((it) => it.slice(6, -2)),
    )
  },
)
