/** What the relay refuses, and in whose words. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { bearer, locked, mint } from '../http/support/locked.js'
import { startModel } from '../recipes/support/llm.js'
import { until } from '../support/until.js'
import { ask, post } from './support/ask.js'
import { connect } from './support/socket.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { open } from './support/stream.js'

t.teardown(stopRedis)

const SSE = { 'content-type': 'text/event-stream' }
const upstream = (url: string) => ({ url, allow: ['POST /v1/**', 'GET /v1/**'] })

/** What an operator's log gets. */
function notes() {
  const warnings: [object, string][] = []
  const silent = () => {}
  const warn = (fields: object, message: string) => void warnings.push([fields, message])
  return { warnings, logger: { debug: silent, info: silent, warn, error: silent } }
}

t.test('SDKs show what is wrong, and don’t repeat what is of no use', async (t) => {
  const model = await startModel(t, ({ response }) => response.writeHead(401).end('wrong sk-1'))
  const { warnings, logger } = notes()
  const upstreams = { openai: { ...upstream(model.url), allow: ['POST /v1/**'] } }
  const gateway = await startGateway({ ...loadConfig(), port: 0, upstreams }, { logger })
  t.teardown(() => gateway.close())
  const baseURL = `${gateway.url}/v1/relay/openai`
  const openai = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: 'x' })
  const question = { model: 'm', messages: [{ role: 'user' as const, content: 'Hi' }] }
  await t.rejects(openai.chat.completions.create(question), {
    ...{ status: 502, code: 'upstream_refused', type: 'api_error' },
    message: '502 It is the operator’s to mend: the gateway’s log says what to look at.',
  })
  t.equal(model.asked.length, 1)
  const anthropic = new Anthropic({ baseURL, authToken: 'x', apiKey: null })
  const asking = anthropic.messages.create({ ...question, max_tokens: 1 })
  await t.rejects(asking, { status: 502, type: 'api_error', message: /the gateway’s log/ })
  t.equal(model.asked.length, 2)
  t.match(warnings[0], [
    {
      ...{ upstream: 'openai', method: 'POST', path: '/v1/chat/completions', status: 401 },
      hint: /headers of upstreams\.openai/,
    },
  ])
  await t.rejects(openai.models.list(), { status: 403, message: /^403 .*"allow"/ })
  t.match((await post(`${baseURL}/v1/a?key=secret`, {})).headers, {
    ...{ 'x-should-retry': 'false', 'retry-after': undefined },
  })
  t.notMatch(JSON.stringify(warnings), 'secret')
  await gateway.close()
})

t.test('a redirect tells the operator to look at the address', async (t) => {
  const model = await startModel(t, ({ response }) =>
    response.writeHead(308, { location: 'https://elsewhere.example' }).end(),
  )
  const { warnings, logger } = notes()
  const upstreams = { llm: upstream(model.url) }
  const gateway = await startGateway({ ...loadConfig(), port: 0, upstreams }, { logger })
  t.teardown(() => gateway.close())
  const answer = await post(`${gateway.url}/v1/relay/llm/v1/a`, {})
  t.match(answer, { status: 502, json: { code: 'upstream_refused', retryable: false } })
  t.match(warnings, [[{ status: 308, hint: /url of upstreams\.llm/ }]])
  t.notMatch(JSON.stringify(warnings), 'elsewhere')
})

t.test('a path that is none of the relay’s is told its form', async (t) => {
  const { url } = await start(t, { upstreams: { llm: upstream('http://127.0.0.1:1') } })
  for (const path of ['/v1/relay', '/v1/relay/llm']) {
    const answer = await post(url + path, {})
    t.match(answer, { status: 404, json: { code: 'not_found', error: { code: 'not_found' } } })
    t.match(answer.json.detail, '/v1/relay/{upstream}/{path}')
  }
})

t.test('other methods are none, and a HEAD has no body that isn’t its own', async (t) => {
  const model = await startModel(t, ({ response }) =>
    response.writeHead(200, SSE).end('data: a\n\n'),
  )
  const { url } = await start(t, { upstreams: { llm: upstream(model.url) } })
  const path = '/v1/relay/llm/v1/a'
  for (const method of ['HEAD', 'OPTIONS', 'TRACE']) {
    const answer = await ask(url + path, { method })
    t.match(answer, { status: 405, headers: { allow: 'GET, POST, PUT, PATCH, DELETE' } }, method)
  }
  const wire = await connect(url)
  wire.write(
    `HEAD ${path} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  )
  const text = await wire.until(/HTTP\/1\.1 200 .*\r\n\r\n./s)
  t.match(text, /^HTTP\/1\.1 405 .*?\r\n\r\nHTTP\/1\.1 200 /s)
  t.equal(model.asked.length, 0)
  wire.destroy()
})

t.test('what is compared with the list is what is sent, however the name is spelt', async (t) => {
  const model = await startModel(t, ({ response }) => response.end('reached'))
  const own = { url: model.url, allow: ['POST /v1/x'] }
  const { url } = await start(t, { upstreams: { up: own } })
  const answer = await post(`${url}/v1/relay/%75p/v2/v1/relay/up/v1/x`, {})
  t.match(answer, { status: 404, json: { code: 'upstream_unknown' } })
  t.equal(model.asked.length, 0)
})

t.test('a name in the target counts more than the one in Host', async (t) => {
  const model = await startModel(t, ({ response }) => response.end('reached'))
  const { url } = await start(t, { upstreams: { up: upstream(model.url) } })
  const say = async (target: string, host: string) => {
    const wire = await connect(url)
    wire.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    return wire.rest()
  }
  t.match(
    await say('http://evil.example/healthz', 'localhost'),
    /^HTTP\/1\.1 403 .*host_forbidden/s,
  )
  t.match(await say('http://localhost/healthz', 'evil.example'), /^HTTP\/1\.1 200 /)
  t.match(await say('HTTP://localhost?x', 'localhost'), /^HTTP\/1\.1 200 .*<title>Sluice/s)
  t.match(await say('http://localhost/v1/relay/up/v1/x', 'localhost'), /reached/)
})

t.test('a status that is none is the upstream’s fault', async (t) => {
  let status = ''
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(`HTTP/1.1 ${status} x\r\nContent-Length: 2\r\n\r\nno`))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const { url } = await start(t, { upstreams: { up: upstream(`http://127.0.0.1:${port}`) } })
  for (status of ['000', '099', '600', '700', '999']) {
    const answer = await post(`${url}/v1/relay/up/v1/x`, {})
    t.match(answer, { status: 502, json: { code: 'upstream_failed' } }, status)
  }
})

onBothLogs(t, 'a repeated key whose events are gone is told so', async (t, start) => {
  const model = await startModel(t, ({ response }) =>
    response.writeHead(200, SSE).end('data: a\n\ndata: b\n\n'),
  )
  const { channels } = loadConfig({
    options: { channels: [{ pattern: 'run:**', retentionAge: '1s' }] },
  })
  const { url } = await start({ channels, upstreams: { up: upstream(model.url) } })
  const asking = () =>
    open(`${url}/v1/relay/up/v1/x`, {
      ...{ method: 'POST', headers: { 'sluice-run': 'r', 'idempotency-key': 'k' } },
    })
  t.equal(await (await asking()).over(), 'end')
  await until('its events are gone', async () => {
    const { status } = await ask(`${url}/v1/runs/r/events`, { headers: { accept: '*/*' } })
    return status === 410
  })
  const again = await asking()
  t.equal(again.status, 410)
  await again.over()
  t.match(again.text, 'run_expired')
  t.equal(model.asked.length, 1)
})

t.test('an answer that passes takes its caller’s seat until it has gone', async (t: Test) => {
  const model = await startModel(t, ({ response }) => response.writeHead(200).write('a'))
  const config = locked({ maxStreamsPerSubject: 1, upstreams: { up: upstream(model.url) } })
  const { url } = await start(t, config)
  const headers = bearer(await mint({ channels: { 'run:**': ['generate'] } }))
  const first = await open(`${url}/v1/relay/up/v1/x`, { headers })
  t.equal(first.status, 200)
  const again = () => ask(`${url}/v1/relay/up/v1/x`, { headers })
  t.match(await again(), { status: 429, json: { error: { type: 'rate_limit_error' } } })
  first.close()
  await once(model.asked[0]!.response, 'close')
  const next = await open(`${url}/v1/relay/up/v1/x`, { headers })
  t.equal(next.status, 200)
  next.close()
})
