/** The relay: who comes to which run by a key or an id, and what is let go of before there is one. */
import { once } from 'node:events'
import t from 'tap'
import { bearer, locked, mint } from '../http/support/locked.js'
import { red } from '../support/outage.js'
import { startRedis } from '../support/redis.js'
import { ask, post } from './support/ask.js'
import { type Asked, call, DONE, piece, pieces, SSE, stage } from './support/relay.js'
import { onBothLogs, start as startOne, stopRedis } from './support/start.js'
import { open } from './support/stream.js'

t.teardown(stopRedis)

const limited = ({ response }: Asked) => response.writeHead(429).end('{"error":"slow down"}')

onBothLogs(
  t,
  'callers with one key get no run that never was, but ask the upstream in turn',
  async (t, start) => {
    const { relay, onAsk, asked } = await stage(t, start)
    onAsk(limited)
    const headers = { 'idempotency-key': 'k' }
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(relay, {}, headers)))
    for (const answer of answers) {
      t.match(answer, { status: 429, text: '{"error":"slow down"}' })
      t.equal(answer.headers['sluice-run'], undefined)
    }
    t.equal(asked.length, 12)
  },
)

onBothLogs(
  t,
  'an id that somebody else’s run has is taken, also for who comes with a key',
  async (t, start) => {
    const { url, relay, onAsk, asked } = await stage(t, start, locked())
    onAsk(({ response }) => response.writeHead(200, SSE).end(piece('secret') + DONE))
    const rights = { channels: { 'run:**': ['generate', 'subscribe'] } }
    const alice = bearer(await mint({ sub: 'alice', ...rights }))
    const bob = bearer(await mint({ sub: 'bob', channels: { 'run:**': ['generate'] } }))
    const id = { 'sluice-run': 'alice:secret' }
    await (await call(relay, {}, { ...alice, ...id })).over()
    await ask(`${url}/v1/runs/pushed/events`, {
      ...{ method: 'POST', body: '"secret"' },
      headers: { ...alice, 'content-type': 'application/json' },
    })
    const key = { 'idempotency-key': 'k' }
    for (const headers of [
      { ...bob, ...key, ...id },
      { ...alice, ...key, ...id },
      { ...bob, 'sluice-run': 'pushed', 'idempotency-key': 'k2' },
    ]) {
      const taken = await post(relay, {}, headers)
      t.match(taken, { status: 409, json: { code: 'run_exists' } })
      t.notMatch(taken.text, /secret/)
    }
    t.equal(asked.length, 1)
  },
)

onBothLogs(t, 'a key leads to no run that its bearer may not produce', async (t, start) => {
  const { relay, onAsk } = await stage(t, start, locked())
  onAsk(({ response }) => response.writeHead(200, SSE).end(piece('secret') + DONE))
  const key = { 'idempotency-key': 'k' }
  const wide = bearer(await mint({ channels: { 'run:**': ['generate'] } }))
  const narrow = bearer(await mint({ channels: { 'run:{sub}:*': ['generate'] } }))
  await (await call(relay, {}, { ...wide, ...key, 'sluice-run': 'project:1' })).over()
  t.match(await post(relay, {}, { ...narrow, ...key }), {
    status: 403,
    json: { code: 'forbidden' },
  })
  const again = await call(relay, {}, { ...wide, ...key })
  t.equal(await again.over(), 'end')
  t.equal(again.headers['sluice-run'], 'project:1')
})

onBothLogs(
  t,
  'a run that is stopped before its upstream answers lets go of it, and says so in its format',
  async (t, start) => {
    const { url, relay, next } = await stage(t, start)
    const calling = call(relay, {}, { 'sluice-run': 'r' })
    const { request } = await next()
    const gone = once(request.socket, 'close')
    const early = await open(`${url}/v1/runs/r/events`)
    t.equal((await ask(`${url}/v1/runs/r/stop`, { method: 'POST' })).status, 200)
    await gone
    for (const stream of [await calling, early]) {
      t.equal(await stream.over(), 'end')
      t.match(JSON.parse(pieces(stream)[0]!), { error: { code: 'aborted' } })
    }
    t.match((await ask(`${url}/v1/runs/r`)).json, { state: 'aborted', format: 'openai.chat' })
  },
)

onBothLogs(
  t,
  'one that is ended by somebody else lets go of its upstream, too',
  async (t, start) => {
    const { url, relay, next } = await stage(t, start)
    const calling = post(relay, {}, { 'sluice-run': 'r' })
    const { request } = await next()
    const gone = once(request.socket, 'close')
    t.match(await post(`${url}/v1/runs/r/end`, {}), { status: 200, json: { state: 'done' } })
    await gone
    t.match(await calling, { status: 409, json: { code: 'fenced' } })
  },
)

t.test('a run that waited for its upstream outlasts an outage like any other', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { url, relay, next } = await stage(t, (config) => {
    return startOne(t, { redisUrl: redis.url, ...config })
  })
  const calling = call(relay, {}, { 'sluice-run': 'r', 'idempotency-key': 'k' })
  const { response } = await next()
  response.writeHead(200, SSE)
  response.write(piece('a'))
  const caller = await calling
  await caller.find(({ data }) => data?.includes('"a"') === true)
  await redis.kill('SIGSTOP')
  response.write(piece('b'))
  await red(url)
  // What came before it was given up before it.
  t.equal((await post(`${url}/v1/events?channel=a`, 1)).status, 503)
  await redis.kill('SIGCONT')
  await caller.find(({ data }) => data?.includes('"b"') === true)
  response.end(piece('c') + DONE)
  t.equal(await caller.over(), 'end')
  t.match((await ask(`${url}/v1/runs/r`)).json, { state: 'done', text: 'abc', events: 4 })
})

t.test('an upstream is let go of where its answer can become no run', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { relay, next } = await stage(t, (config) => {
    return startOne(t, { redisUrl: redis.url, ...config })
  })
  const calling = post(relay, {})
  const { response } = await next()
  const gone = once(response, 'close')
  await redis.stop()
  response.writeHead(200, SSE)
  response.write(piece('a'))
  await gone
  t.match(await calling, { status: 503, json: { code: 'log_unavailable' } })
})

onBothLogs(
  t,
  'what the upstream said comes through, whatever becomes of the run',
  async (t, start) => {
    const { url, relay, next } = await stage(t, start)
    const calling = post(relay, {}, { 'sluice-run': 'r' })
    const { response } = await next()
    // Nothing can be appended any more, nor taken back.
    await ask(`${url}/v1/channels/close?channel=run:r`, { method: 'POST' })
    limited({ response } as Asked)
    t.match(await calling, { status: 429, text: '{"error":"slow down"}' })
  },
)
