import { once } from 'node:events'
import { createServer, type RequestListener, request } from 'node:http'
import { type ClientHttp2Stream, connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createParser } from 'eventsource-parser'
import t, { type Test } from 'tap'
import { startGatewayProcess } from './support/gateway.js'
import { type Nginx, startNginx, startPlainNginx } from './support/nginx.js'
import { freePort } from './support/ports.js'
import { createPublisher } from './support/publisher.js'
import { events, startReader } from './support/sse-reader.js'

/** Nothing but what is published ever pushes a held frame on: no heartbeat comes to help. */
const QUIET = { SLUICE_HEARTBEAT: '5m', SLUICE_TRUSTED_PROXIES: 'loopback' }
const STREAM = { accept: 'text/event-stream' }

async function gatewayBehindNginx(t: Test): Promise<{ direct: string; nginx: Nginx }> {
  const gateway = await startGatewayProcess(QUIET)
  t.teardown(gateway.stop)
  const nginx = await startNginx({ upstreams: [gateway.port] })
  t.teardown(nginx.stop)
  return { direct: gateway.url, nginx }
}

/** nginx in front of `count` servers that do what `handler` says. */
async function scripted(t: Test, count: number, handler: RequestListener): Promise<Nginx> {
  const upstreams: number[] = []
  for (let i = 0; i < count; i++) {
    const server = createServer(handler).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => {
      server.close()
      server.closeAllConnections()
    })
    upstreams.push((server.address() as AddressInfo).port)
  }
  const nginx = await startNginx({ upstreams })
  t.teardown(nginx.stop)
  return nginx
}

t.test('the first frame comes at once, and each event when it is published', async (t) => {
  const { direct, nginx } = await gatewayBehindNginx(t)
  const reader = startReader({ url: nginx.url, channels: ['a'] })
  t.teardown(reader.stop)
  t.match((await reader.control('stream.ready')).data, { channels: ['a'] })
  await reader.control('stream.live')

  const publisher = createPublisher()
  for (let n = 1; n <= 3; n++) {
    const { id } = await publisher.one(direct, 'a', { n })
    await reader.until(({ seen }) => events(seen).length === n)
    t.equal(events(reader.seen).at(-1)?.id, id)
  }
  t.equal(reader.connections, 1, 'all over one connection')
})

t.test('a browser’s HTTP/2 connection carries streams beside requests', async (t) => {
  const { nginx } = await gatewayBehindNginx(t)
  const session = connect(nginx.httpsUrl, { ca: nginx.ca })
  t.teardown(() => session.destroy())

  const streams = ['a', 'b'].map((channel) => {
    const stream = session.request({ ':path': `/v1/events?channel=${channel}`, ...STREAM })
    return { stream, next: parsed(stream) }
  })
  for (const { stream, next } of streams) {
    const [head] = (await once(stream, 'response')) as [Record<string, string>]
    t.equal(head[':status'], 200)
    t.match(head['content-type'], 'text/event-stream')
    t.match(await next(), { event: 'stream.ready' })
    t.match(await next(), { event: 'stream.live' })
  }
  for (const [i, channel] of ['a', 'b'].entries()) {
    const post = session.request({
      ':method': 'POST',
      ':path': `/v1/events?channel=${channel}`,
      'content-type': 'application/json',
    })
    post.end('{"text":"hello"}')
    const [head] = (await once(post, 'response')) as [Record<string, string>]
    t.equal(head[':status'], 201)
    post.resume()
    const { data } = await streams[i]!.next()
    t.match(JSON.parse(data), { channel, data: { text: 'hello' } })
  }
})

t.test('a streamed upload arrives item by item', async (t) => {
  const { nginx } = await gatewayBehindNginx(t)
  const ndjson = { 'content-type': 'application/x-ndjson' }
  const reader = startReader({ url: nginx.url, channels: ['up'] })
  t.teardown(reader.stop)
  await reader.control('stream.live')
  const lines = async (write: (line: string) => void): Promise<void> => {
    const before = events(reader.seen).length
    for (let n = 1; n <= 3; n++) {
      write(`{"n":${n}}\n`)
      await reader.until(({ seen }) => events(seen).length === before + n)
    }
  }

  await t.test('over HTTP/1.1', async (t) => {
    const req = request(`${nginx.url}/v1/events?channel=up`, { method: 'POST', headers: ndjson })
    await lines((line) => req.write(line))
    req.end()
    const [res] = await once(req, 'response')
    t.equal(res.statusCode, 201)
    res.resume()
  })

  await t.test('over HTTP/2', async (t) => {
    const session = connect(nginx.httpsUrl, { ca: nginx.ca })
    t.teardown(() => session.destroy())
    const req = session.request({
      ':method': 'POST',
      ':path': '/v1/events?channel=up',
      ...ndjson,
    })
    await lines((line) => req.write(line))
    req.end()
    const [head] = (await once(req, 'response')) as [Record<string, string>]
    t.equal(head[':status'], 201)
  })

  await t.test('and stays where the producer breaks off', async () => {
    const req = request(`${nginx.url}/v1/events?channel=up`, { method: 'POST', headers: ndjson })
    req.on('error', () => {})
    await lines((line) => req.write(line))
    req.destroy()
  })
  t.same(
    events(reader.seen).map(({ data }) => JSON.parse(data).n),
    [1, 2, 3, 1, 2, 3, 1, 2, 3],
  )
})

t.test('a default nginx in front of this one streams too', async (t) => {
  const { direct, nginx } = await gatewayBehindNginx(t)
  const front = await startPlainNginx({ upstream: nginx.port })
  t.teardown(front.stop)
  const reader = startReader({ url: front.url, channels: ['a'] })
  t.teardown(reader.stop)
  await reader.control('stream.ready')
  await reader.control('stream.live')
  const { id } = await createPublisher().one(direct, 'a', 'through two')
  await reader.until(({ seen }) => events(seen).length === 1)
  t.equal(events(reader.seen)[0]?.id, id)
})

t.test('a reader who leaves is gone for the gateway', async (t) => {
  const { direct, nginx } = await gatewayBehindNginx(t)
  await createPublisher().one(direct, 'a', 'so that the channel is known')
  const subscribers = async (wanted: number): Promise<void> => {
    for (;;) {
      const response = await fetch(`${direct}/v1/channels?channel=a`)
      const info = (await response.json()) as { subscribers: number }
      if (info.subscribers === wanted) return
    }
  }
  const reader = startReader({ url: nginx.url, channels: ['a'] })
  await reader.control('stream.live')
  await subscribers(1)
  await reader.stop()
  await subscribers(0)

  const session = connect(nginx.httpsUrl, { ca: nginx.ca })
  const stream = session.request({ ':path': '/v1/events?channel=a', ...STREAM })
  await parsed(stream)()
  await subscribers(1)
  session.destroy()
  await subscribers(0)
  t.pass('over HTTP/1.1 and HTTP/2')
})

t.test('while no gateway is up', async (t) => {
  const nginx = await startNginx({ upstreams: [await freePort()] })
  t.teardown(nginx.stop)
  const url = `${nginx.url}/v1/events?channel=a`
  const origin = 'https://page.example'

  await t.test('an EventSource is told to come back', async (t) => {
    const response = await fetch(url, { headers: { ...STREAM, origin } })
    t.equal(response.status, 200)
    t.match(response.headers.get('content-type'), /^text\/event-stream/)
    t.match(response.headers.get('cache-control'), 'no-store')
    t.equal(response.headers.get('access-control-allow-origin'), origin, 'on any page')
    t.equal(response.headers.get('access-control-allow-credentials'), 'true')
    const body = await response.text()
    const retry = Number(/^retry: (\d{4})\n/m.exec(body)?.[1])
    t.ok(retry >= 2000 && retry <= 4000, 'in some seconds')
    t.notMatch(body, /^(data|id|event):/m, 'and nothing else')
  })

  await t.test('not all of them at the same moment', async (t) => {
    const seen = new Set<string>()
    while (seen.size < 3) seen.add(await (await fetch(url, { headers: STREAM })).text())
    t.pass()
  })

  await t.test('HEAD has the head of it', async (t) => {
    const response = await fetch(url, { method: 'HEAD', headers: STREAM })
    t.equal(response.status, 200)
    t.match(response.headers.get('content-type'), /^text\/event-stream/)
  })

  for (const [what, init] of Object.entries({
    'a long poll': { headers: { accept: 'application/json', origin } },
    'a publisher': { method: 'POST', body: '1', headers: { accept: '*/*', origin } },
    'a publisher who asks for a stream': {
      method: 'POST',
      body: '1',
      headers: { ...STREAM, origin },
    },
  })) {
    await t.test(`${what} gets a problem document`, async (t) => {
      const response = await fetch(url, init)
      t.equal(response.status, 503)
      t.equal(response.headers.get('content-type'), 'application/problem+json')
      t.match(response.headers.get('retry-after'), /^[2-5]$/)
      t.equal(response.headers.get('access-control-allow-origin'), origin)
      t.match(await response.json(), { status: 503, code: 'gateway_unavailable', retryable: true })
    })
  }
})

t.test('where something behind answers with an error', async (t) => {
  let asked = 0
  const nginx = await scripted(t, 1, (req, res) => {
    asked++
    const status = Number(/\d+/.exec(req.url!)?.[0])
    const headers = { 'content-type': 'application/problem+json', 'retry-after': '17' }
    req.resume().on('end', () => res.writeHead(status, headers).end('{"code":"its_own"}'))
  })
  const ask = async (status: number, init: RequestInit): Promise<Response> => {
    const before = asked
    const response = await fetch(`${nginx.url}/${status}`, init)
    t.equal(asked, before + 1, 'asked once')
    return response
  }

  for (const status of [502, 503, 504]) {
    const response = await ask(status, { headers: STREAM })
    t.equal(response.status, 200, `an EventSource never sees ${status}`)
    t.match(await response.text(), /^retry: \d+$/m)
  }
  for (const status of [400, 401, 403, 406, 410, 418, 429, 500]) {
    const response = await ask(status, { headers: STREAM })
    t.equal(response.status, status, `but ${status} it does`)
    t.same(await response.json(), { code: 'its_own' })
  }
  for (const init of [{ method: 'POST', body: '1' }, { headers: { accept: 'application/json' } }]) {
    for (const status of [404, 409, 418, 429, 500, 503]) {
      const response = await ask(status, init)
      t.equal(response.status, status)
      t.equal(response.headers.get('retry-after'), '17')
      t.same(await response.json(), { code: 'its_own' }, `${status} passes as it is`)
    }
    for (const status of [502, 504]) {
      const response = await ask(status, init)
      t.equal(response.status, 503, `${status} is not the gateway’s`)
      t.match(await response.json(), { code: 'gateway_unavailable' })
    }
  }
})

t.test('with several gateways, one of which breaks the connection', async (t) => {
  const tries: string[] = []
  const nginx = await scripted(t, 3, (req, res) => {
    tries.push(`${req.method}`)
    const again = tries.filter((method) => method === req.method).length > 1
    req.resume().on('end', () => (again ? res.end('answered') : req.socket.destroy()))
  })
  const read = await fetch(nginx.url, { headers: STREAM })
  t.equal(await read.text(), 'answered', 'a read goes to another one')
  t.same(tries, ['GET', 'GET'])

  const write = await fetch(nginx.url, { method: 'POST', body: '{}' })
  t.equal(write.status, 503)
  t.same(tries, ['GET', 'GET', 'POST'], 'what was sent once is not sent again')
})

t.test('the gateway learns who asked, and nobody can make it up', async (t) => {
  const nginx = await scripted(t, 1, (req, res) => res.end(JSON.stringify(req.headers)))
  const response = await fetch(nginx.url, {
    headers: { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' },
  })
  t.match(await response.json(), {
    host: new URL(nginx.url).host,
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': new URL(nginx.url).host,
  })
})

/** The blocks of a stream one by one. */
function parsed(stream: ClientHttp2Stream): () => Promise<{ event?: string; data: string }> {
  const blocks: { event?: string; data: string }[] = []
  const parser = createParser({
    onEvent: ({ event, data }) => {
      blocks.push({ ...(event === undefined ? {} : { event }), data })
      stream.emit('block')
    },
  })
  stream.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk))
  stream.on('error', () => {})
  return async () => {
    while (blocks.length === 0) await once(stream, 'block')
    return blocks.shift()!
  }
}
