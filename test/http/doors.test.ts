/** What a request says of itself and isn't believed; what every answer says. */
import { createServer } from 'node:http'
import t from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { connect, say } from '../routes/support/socket.js'
import { onBothLogs, start, stopRedis } from '../routes/support/start.js'
import { open } from '../routes/support/stream.js'
import { bearer, KEY, locked, look, mint, read, write } from './support/locked.js'

t.teardown(stopRedis)

onBothLogs(
  t,
  '17: spoofed X-Forwarded-* headers count only from a proxy that is named',
  async (t, start) => {
    const config = { maxStreamsPerAddress: 1, maxStreamsPerSubject: 0 }
    const spoofed = (address: string) => ({
      'x-forwarded-for': address,
      'x-forwarded-host': 'app.example',
      'x-forwarded-proto': 'https',
      forwarded: `for=${address}`,
    })
    const plain = await start(locked(config))
    const token = await mint()
    // Nobody is named: all are this machine, which isn't counted.
    for (let i = 0; i < 3; i++) {
      const stream = await read(plain.url, ['chat:1'], token, '', spoofed('203.0.113.7'))
      t.equal(stream.status, 200)
      t.teardown(stream.close)
    }
    t.match(
      await look(plain.url, 'channel=chat:1', {
        ...bearer(token),
        host: 'evil.example',
        ...spoofed('x'),
      }),
      {
        status: 403,
      },
    )
    const behind = await start(locked({ ...config, trustedProxies: ['loopback'] }))
    const first = await read(behind.url, ['chat:1'], token, '', spoofed('203.0.113.7'))
    await first.event('stream.live')
    t.teardown(first.close)
    const json = { accept: 'application/json', ...bearer(token) }
    const again = (headers: Record<string, string>) =>
      ask(`${behind.url}/v1/events?channel=chat:1&wait=0`, { headers: { ...json, ...headers } })
    t.match(await again(spoofed('203.0.113.7')), {
      status: 429,
      json: { code: 'streams_too_many' },
    })
    t.equal((await again(spoofed('203.0.113.8'))).status, 200)
    // What the client itself wrote stands in front of what the proxy adds.
    t.equal((await again(spoofed('203.0.113.8, 203.0.113.7'))).status, 429)
    t.equal((await again(spoofed('203.0.113.7, 203.0.113.8'))).status, 200)
  },
)

onBothLogs(
  t,
  '18: another spelling of a path is as locked as the path, or 404',
  async (t, start) => {
    const { url } = await start(locked())
    for (const path of [
      '//v1/events',
      '/v1//events',
      '/v1/events;x',
      '/v1/events/',
      '/V1/events',
      '/%2fv1/events',
      '/v1/events%2f',
      '/v1/./events',
      '/x/../v1/events',
      '/v1/events%00',
      '/v1%2frevocations',
      '//v1/revocations',
      '/%76%31/events',
      '/v1/%65vents',
      '/v1/%72evocations',
      '/v1/revocations?channel=a&__proto__=x',
    ]) {
      const wire = await connect(url)
      wire.write(
        `GET ${path}${path.includes('?') ? '' : '?channel=a'} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      )
      t.match(await wire.rest(), /^HTTP\/1\.1 (401|404|400) /, path)
    }
    const absolute = await say(
      url,
      `GET ${url}/v1/revocations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    )
    t.match(absolute, /^HTTP\/1\.1 (401|404|400) /)
  },
)

onBothLogs(t, '27: a gateway on loopback serves loopback names', async (t, start) => {
  for (const config of [{}, locked()]) {
    const { url } = await start(config)
    const headers = 'jwtSecrets' in config ? bearer(KEY) : {}
    const ask27 = (host: string) => look(url, 'channel=a', { ...headers, host })
    for (const host of [
      'evil.example',
      'evil.example:8080',
      'localhost.evil.example',
      '127.0.0.1.nip.io',
      '10.0.0.1',
      'x',
    ]) {
      const answer = await ask27(host)
      t.match(answer, { status: 403, json: { code: 'host_forbidden' } }, host)
    }
    for (const host of [
      'localhost',
      'LOCALHOST:80',
      '127.0.0.1:1',
      '127.5.5.5',
      '[::1]:9',
      'app.localhost',
    ]) {
      t.equal((await ask27(host)).status, 200, host)
    }
    const post27 = await post(`${url}/v1/events?channel=a`, '1', {
      ...headers,
      host: 'evil.example',
    })
    t.equal(post27.status, 403)
    t.equal((await ask(`${url}/healthz`, { headers: { host: 'evil.example' } })).status, 403)
  }
})

onBothLogs(
  t,
  '27: names that are listed are served, with any port, and no others',
  async (t, start) => {
    const { url } = await start(locked({ allowedHosts: ['sluice.example', 'other.example:8443'] }))
    const status = async (host: string) =>
      (await look(url, 'channel=a', { ...bearer(KEY), host })).status
    t.equal(await status('sluice.example'), 200)
    t.equal(await status('Sluice.Example:8080'), 200)
    t.equal(await status('other.example:8443'), 200)
    t.equal(await status('other.example'), 403)
    t.equal(await status('localhost'), 403)
  },
)

onBothLogs(
  t,
  '31: where the gateway itself asks, a target in a metadata range is blocked',
  async (t, start) => {
    const asked: string[] = []
    const metadata = createServer((request, response) => {
      asked.push(request.url!)
      response.setHeader('content-type', 'application/json').end('{"allow":true,"keys":[]}')
    })
    await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve))
    t.teardown(() => metadata.close())
    const { port } = metadata.address() as { port: number }
    const redirecting = createServer((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${port}/latest/meta-data` }).end()
    })
    await new Promise<void>((resolve) => redirecting.listen(0, '127.0.0.1', resolve))
    t.teardown(() => redirecting.close())
    const redirects = `http://127.0.0.1:${(redirecting.address() as { port: number }).port}/`
    const token = await mint()
    const closed = { status: 503, json: { code: 'authorization_unavailable' } }
    for (const target of [
      `http://169.254.169.254:${port}/latest/meta-data`,
      `http://[::ffff:169.254.169.254]:${port}/`,
      `http://2852039166:${port}/`,
      `http://0.0.0.0:${port}/`,
      redirects,
    ]) {
      const hooked = await start(locked({ authorizeUrl: target }))
      t.match(await write(hooked.url, 'chat:1', 1, token), closed, `hook at ${target}`)
      const keyed = await start(locked({ jwksUrl: target, jwtSecrets: [] }))
      t.match(
        await write(keyed.url, 'chat:1', 1, token),
        { status: /^(401|503)$/ },
        `keys at ${target}`,
      )
    }
    t.same(asked, [])
  },
)

t.test('every answer says what a browser must not do with it', async (t) => {
  const { url } = await start(t, locked({ corsOrigins: ['https://app.example'] }))
  const token = await mint()
  const origin = { origin: 'https://app.example' }
  const answers = [
    await ask(`${url}/healthz`),
    await ask(`${url}/nowhere`),
    await ask(`${url}/v1/events?channel=a`),
    await look(url, 'channel=chat:1', bearer(token)),
    await write(url, 'chat:1', 1, token),
    await ask(`${url}/v1/events`, {
      method: 'OPTIONS',
      headers: { ...origin, 'access-control-request-method': 'POST' },
    }),
    await ask(`${url}/v1/events`, { headers: { origin: 'https://evil.example' } }),
    await ask(`${url}/v1/events`, { headers: { host: 'evil.example' } }),
    await open(`${url}/v1/events?channel=chat:1`, { headers: { ...bearer(token), ...origin } }),
    await ask(`${url}/v1/events?channel=chat:1`, { method: 'HEAD', headers: bearer(token) }),
  ]
  for (const { status, headers } of answers) {
    t.match(
      headers,
      {
        'x-content-type-options': 'nosniff',
        'content-security-policy': /default-src 'none'.*frame-ancestors 'none'/,
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      },
      String(status),
    )
    t.equal(headers['x-powered-by'], undefined)
    t.equal(headers.server, undefined)
  }
})

t.test('without keys nobody is served through a proxy that isn’t trusted', async (t) => {
  const { url } = await start(t)
  for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-host']) {
    const answer = await look(url, 'channel=a', { [name]: '127.0.0.1' })
    t.match(answer, { status: 403, json: { code: 'forbidden' } }, name)
  }
  const behind = await start(t, { trustedProxies: ['loopback'] })
  const from = (address: string) => look(behind.url, 'channel=a', { 'x-forwarded-for': address })
  t.equal((await from('127.0.0.1')).status, 200)
  t.equal((await from('203.0.113.7')).status, 403, 'whatever Host it writes')
})
