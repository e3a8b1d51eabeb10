import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { headersToCaller, isEventStream, isForOperator } from '../../src/relay/headers.js'
import { certificate } from '../support/certificate.js'
import {
  failing,
  SECRET,
  startClient,
  startUpstream,
  textOf,
  upstreamAt,
} from './support/upstream.js'

t.test('a request arrives as it was sent, with the upstream’s own headers', async (t) => {
  const asked: { request: IncomingMessage; body: string }[] = []
  const { port } = await startUpstream(t, async (request, response) => {
    let body = ''
    for await (const part of request.setEncoding('utf8')) body += part
    asked.push({ request, body })
    response.writeHead(418, { 'x-kind': 'tea' }).end('só')
  })
  const { ask } = startClient(t)
  const upstream = upstreamAt(port, {
    headers: { authorization: `Bearer ${SECRET}`, 'openai-beta': 'mine' },
  })
  const path = "/v1/x:y/a%3Ab?q=/../%2e&'\\"
  const body = Buffer.from('{"a":"ö"}')
  const headers = {
    accept: 'text/event-stream',
    'content-type': 'application/json',
    'anthropic-version': '2023-06-01',
    'openai-beta': 'theirs',
    'x-stainless-lang': 'js',
  }
  const answer = await ask(upstream, { path, body, headers })
  t.match(answer, { status: 418, headers: { 'x-kind': 'tea' } })
  t.equal(await textOf(answer.body), 'só')
  const { request, body: got } = asked[0]!
  t.equal(`${request.method} ${request.url}`, `POST ${path}`, 'byte for byte')
  t.equal(got, '{"a":"ö"}')
  t.same(
    { ...request.headers },
    {
      ...headers,
      'openai-beta': 'mine',
      authorization: `Bearer ${SECRET}`,
      'accept-encoding': 'identity',
      'content-length': '10',
      'user-agent': 'sluice',
      host: `127.0.0.1:${port}`,
      connection: 'keep-alive',
    },
  )
})

t.test('what a caller says of itself or of the connection never goes upstream', async (t) => {
  let seen: IncomingMessage['headers'] = {}
  const { port } = await startUpstream(t, (request, response) => {
    seen = request.headers
    response.end()
  })
  const { ask } = startClient(t)
  const headers = {
    ...{ cookie: 'a=b', authorization: 'Bearer caller', 'proxy-authorization': 'x', host: 'evil' },
    ...{ forwarded: 'for=1', 'x-forwarded-for': '1', 'x-forwarded-host': 'evil', origin: 'o' },
    ...{ connection: 'close, x', upgrade: 'h2c', te: 'trailers', 'transfer-encoding': 'chunked' },
    ...{ 'content-length': '99', 'accept-encoding': 'gzip', expect: '100-continue', referer: 'r' },
    ...{ 'user-agent': 'person', 'idempotency-key': 'k', 'x-api-key': 'x', 'openai-project': 'p' },
    ...{ 'x-http-method-override': 'DELETE', 'content-encoding': 'gzip' },
  }
  await textOf((await ask(upstreamAt(port, { headers: {} }), { headers })).body)
  t.same(
    { ...seen },
    {
      accept: '*/*',
      'accept-encoding': 'identity',
      'user-agent': 'sluice',
      'content-length': '2',
      host: `127.0.0.1:${port}`,
      connection: 'keep-alive',
    },
  )
})

t.test(
  'a caller gets of an answer’s headers what clients go by, and none that tell who answered',
  (t) => {
    const passing = { 'content-type': 'a/b', 'retry-after': '3', 'x-request-id': 'r' }
    const kept = {
      ...{ location: 'http://127.0.0.1', 'set-cookie': ['a=b'], server: 'x', via: '1.1 host' },
      ...{ 'www-authenticate': 'Bearer realm="x"', 'openai-organization': 'org', 'alt-svc': 'x' },
      ...{
        'access-control-allow-origin': '*',
        'transfer-encoding': 'chunked',
        connection: 'close',
      },
    }
    t.same(headersToCaller({ ...passing, ...kept }), passing)
    t.same([200, 301, 304, 308, 400, 401, 403, 404, 407, 429, 500].filter(isForOperator), [
      ...[301, 304, 308, 401, 403, 407],
    ])
    const stream = (type?: string) =>
      isEventStream(type === undefined ? {} : { 'content-type': type })
    t.ok(['text/event-stream', 'Text/Event-Stream; charset=utf-8'].every(stream))
    t.notOk([undefined, '', 'text/plain', 'text/event-streams', 'x/text/event-stream'].some(stream))
    t.end()
  },
)

t.test('a connection is kept for the next request', async (t) => {
  const upstream = await startUpstream(t, (_request, response) => response.end('x'))
  const { ask } = startClient(t)
  for (let i = 0; i < 5; i++) await textOf((await ask(upstreamAt(upstream.port))).body)
  t.equal(upstream.connections, 1)
})

t.test('a connection that serves many gathers nothing of them', async (t) => {
  const { port } = await startUpstream(t, (_, response) => response.end())
  const { ask } = startClient(t)
  const warnings: Error[] = []
  const keep = (warning: Error) => warnings.push(warning)
  process.on('warning', keep)
  t.teardown(() => process.off('warning', keep))
  for (let i = 0; i < 20; i++) await textOf((await ask(upstreamAt(port))).body)
  t.same(warnings, [])
})

t.test(
  'a kept connection that is closed fails a POST, which may have been done, and no GET',
  async (t) => {
    let posts = 0
    const answered = new Set<unknown>()
    const { port } = await startUpstream(t, (request, response) => {
      if (request.method === 'POST') posts++
      if (answered.has(request.socket)) return void request.socket.resetAndDestroy()
      answered.add(request.socket)
      response.end('x')
    })
    const { ask } = startClient(t)
    const upstream = upstreamAt(port)
    await textOf((await ask(upstream)).body)
    await failing(t, ask(upstream), 'broken')
    t.equal(posts, 2, 'not sent again')
    await textOf((await ask(upstream)).body)
    const { port: _, ...get } = { port, method: 'GET', path: '/v1/models' }
    t.equal(await textOf((await ask(upstream, get)).body), 'x')
  },
)

t.test('a slow reader stops the upstream, and gets all of it', async (t) => {
  const part = Buffer.alloc(64 * 1024, 'x')
  const TOTAL = 64 * 1024 * 1024
  /** Bytes written for each request. */
  const sent: number[] = []
  const { port } = await startUpstream(t, (_request, response) => {
    const index = sent.push(0) - 1
    const write = () => {
      while (sent[index]! < TOTAL) {
        sent[index]! += part.length
        if (!response.write(part)) return void response.once('drain', write)
      }
      response.end()
    }
    write()
  })
  const { ask, clock } = startClient(t)
  const sizeOf = async (parts: AsyncIterable<Buffer>) => {
    let size = 0
    for await (const { length } of parts) size += length
    return size
  }
  const slow = (await ask(upstreamAt(port))).body[Symbol.asyncIterator]()
  // Time for the upstream to go on with this one as well, if it could: that another gets all of it.
  t.equal(await sizeOf((await ask(upstreamAt(port))).body), TOTAL)
  t.ok(sent[0]! < TOTAL / 2, `before the first part it stopped at ${sent[0]}`)
  const first = await slow.next()
  t.equal(await sizeOf((await ask(upstreamAt(port))).body), TOTAL)
  t.ok(sent[0]! < TOTAL / 2, `after it at ${sent[0]}`)
  clock.advance(1_000_000)
  const rest = await sizeOf({ [Symbol.asyncIterator]: () => slow })
  t.equal((first.value as Buffer).length + rest, TOTAL, 'and a reader’s pause is no silence')
})

t.test('over TLS only whoever is trusted is asked', async (t) => {
  const directory = t.testdir()
  const { key, pem } = await certificate(directory)
  let asked = 0
  const server = createServer({ cert: pem, key: await readFile(key, 'utf8') }, (_, response) => {
    t.type(response, ServerResponse)
    asked++
    response.end('x')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const upstream = upstreamAt(port, { url: new URL(`https://127.0.0.1:${port}/`) })
  await failing(t, startClient(t).ask(upstream), 'unreachable')
  t.equal(asked, 0)
  const { ask, client } = startClient(t, { ca: pem })
  t.equal(await textOf((await ask(upstream)).body), 'x')
  client.close()
  await failing(t, ask(upstream), 'aborted', 'after it was closed')
})
