/** The gateway inside somebody else's application: neither disturbs the other. */
import cors from '@fastify/cors'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { createGateway, type SluiceOptions, sluice } from '../../src/index.js'
import { ask, poll, post, publish } from '../routes/support/ask.js'
import { dataOf, subscribe } from '../routes/support/stream.js'

/** An application with ways of its own: parsers, errors, not-found, a validator, hooks, CORS. */
async function application(t: Test, options: SluiceOptions & { prefix?: string } = {}) {
  const app = fastify({ bodyLimit: 1000, return503OnClosing: true })
  const seen: string[] = []
  app.addContentTypeParser('application/x-own', { parseAs: 'string' }, (_request, body, done) => {
    done(null, `own ${body}`)
  })
  app.addContentTypeParser(
    'application/x-ndjson',
    { parseAs: 'string' },
    (_request, body, done) => {
      done(null, `lines ${body}`)
    },
  )
  app.setErrorHandler((error, _request, reply) =>
    reply.code(418).send({ own: (error as Error).message }),
  )
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ own: 'nothing here' }))
  app.addHook('onRequest', async (request) => void seen.push(request.url))
  await app.register(cors, { origin: 'https://own.example' })
  await app.register(sluice, options)
  app.get('/own', async () => ({ own: true }))
  app.post('/own', async (request) => ({ body: request.body }))
  app.get('/own/fails', async () => {
    throw new Error('on purpose')
  })
  const schema = { querystring: { type: 'object', properties: { n: { type: 'integer' } } } }
  app.get('/own/checked', { schema }, async (request) => request.query)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return { app, url, seen }
}

async function ownWaysAreKept(t: Test, url: string) {
  t.same((await ask(`${url}/own`)).json, { own: true })
  t.same((await post(`${url}/own`, '{"a":1}')).json, { body: { a: 1 } }, 'its JSON is parsed')
  t.same((await post(`${url}/own`, 'x', { 'content-type': 'application/x-own' })).json, {
    body: 'own x',
  })
  t.same((await post(`${url}/own`, 'x', { 'content-type': 'application/x-ndjson' })).json, {
    body: 'lines x',
  })
  t.match(await ask(`${url}/own/fails`), { status: 418, json: { own: 'on purpose' } })
  t.match(await ask(`${url}/nowhere`), { status: 404, json: { own: 'nothing here' } })
  t.same((await ask(`${url}/own/checked?n=7`)).json, { n: 7 }, 'its validator converts')
  t.equal(
    (await post(`${url}/own`, JSON.stringify('x'.repeat(2000)))).status,
    418,
    'its limit counts',
  )
  const foreign = await ask(`${url}/own`, { headers: { origin: 'https://evil.example' } })
  t.equal(foreign.status, 200, 'its own ideas of origins count')
  const preflight = { origin: 'https://own.example', 'access-control-request-method': 'GET' }
  t.equal((await ask(`${url}/own`, { method: 'OPTIONS', headers: preflight })).status, 204)
}

async function gatewayWorks(t: Test, url: string) {
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  await publish(url, 'a', 'x'.repeat(5000))
  const lines = await post(`${url}/v1/events?channel=a`, '2\n3\n', {
    'content-type': 'application/x-ndjson',
  })
  t.match(lines, { status: 201, json: { appended: 2 } })
  await stream.find((block) => block.json?.data === 3)
  t.same(dataOf(stream.blocks), ['x'.repeat(5000), 2, 3])
  t.equal((await poll(url, 'channel=a&after=earliest&wait=0')).json.events.length, 3)
  t.match(await post(`${url}/v1/events?channel=*`, '1'), {
    status: 400,
    json: { code: 'channel_invalid' },
  })
  t.match(await ask(`${url}/v1/events`, { method: 'PUT' }), {
    status: 405,
    headers: { allow: 'GET, HEAD, POST' },
  })
  t.match(await post(`${url}/v1/events?channel=a`, 'x', { 'content-type': 'application/x-own' }), {
    status: 415,
  })
  t.match(await ask(`${url}/v1/events?channel=a&wait=7&limit=x`), {
    status: 400,
    json: { code: 'option_invalid' },
  })
  const foreign = await ask(`${url}/v1/events?channel=a`, {
    headers: { origin: 'https://evil.example' },
  })
  t.match(foreign, { status: 403, json: { code: 'origin_forbidden' } })
}

for (const prefix of [undefined, '/realtime']) {
  t.test(`beside the application’s own routes, ${prefix ?? 'without a prefix'}`, async (t) => {
    const { url, seen } = await application(t, prefix === undefined ? {} : { prefix })
    const base = url + (prefix ?? '')
    await gatewayWorks(t, base)
    await ownWaysAreKept(t, url)
    t.ok(
      seen.some((path) => path.includes('/v1/events')),
      'the application’s hooks see the gateway’s requests',
    )
  })
}

t.test('two gateways in one application know nothing of each other', async (t) => {
  const app: FastifyInstance = fastify()
  await app.register(sluice, { prefix: '/one' })
  await app.register(sluice, { prefix: '/two', heartbeat: '50ms' })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  await publish(`${url}/one`, 'a', 1)
  t.equal((await ask(`${url}/one/v1/channels?channel=a`)).json.events, 1)
  t.equal((await ask(`${url}/two/v1/channels?channel=a`)).json.events, 0)
})

t.test('closing the application says goodbye to its streams', async (t) => {
  const { app, url } = await application(t)
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  await app.close()
  t.match((await stream.event('stream.bye')).json, { reason: 'draining' })
  t.equal(await stream.over(), 'end')
})

t.test('wrong options are refused in the same words as wrong flags', async (t) => {
  const wrong = {
    redisURL: 'redis://127.0.0.1',
    maxStreams: -1,
    heartbeat: 'soon',
  } as SluiceOptions
  await t.rejects(createGateway(wrong), {
    name: 'ConfigError',
    message: /redisURL.*did you mean redisUrl/,
  })
  await t.rejects(createGateway({ host: '0.0.0.0' }), { message: /it has no keys/ })
  await t.rejects(async () => await fastify().register(sluice, wrong), { name: 'ConfigError' })
})
