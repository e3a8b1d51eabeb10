/** docs/security.md, "Behind a proxy", and what it says of health: with the real nginx and the file as shipped. */
import { request } from 'node:http'
import t, { type Test } from 'tap'
import { open } from '../routes/support/stream.js'
import { startNginx } from '../support/nginx.js'
import { codeIn, readChapter, settingsOf } from '../support/page.js'
import { PAGE, startLocked } from './support/locked.js'

const settings = await settingsOf(codeIn(readChapter(PAGE, 'Behind a proxy'), 'sh')[0]!)
const NAME = settings.SLUICE_ALLOWED_HOSTS!
/** Whoever is nameless is counted by address. */
const COUNTED = { SLUICE_ANONYMOUS: 'public:*=subscribe', SLUICE_STREAM_RATE: '2/h' }

/** The status of a poll by a client whose address is its own: all of 127.0.0.0/8 is this machine. */
function poll(url: string, localAddress: string, headers: Record<string, string> = {}) {
  return new Promise<number>((resolve, reject) => {
    const all = { accept: 'application/json', host: NAME, ...headers }
    const options = { localAddress, headers: all, agent: false }
    request(`${url}/v1/events?channel=public:a&wait=0`, options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!))
    })
      .on('error', reject)
      .end()
  })
}

async function stage(t: Test, own: Readonly<Record<string, string>>) {
  const { gateway } = await startLocked(t, { ...own, ...COUNTED })
  const nginx = await startNginx({ upstreams: [gateway.port] })
  t.teardown(nginx.stop)
  return { gateway, nginx }
}

t.test('clients are counted by the address that nginx sees, whatever they say', async (t) => {
  const { nginx } = await stage(t, settings)
  for (const expected of [200, 200, 429]) {
    const spoofed = { 'x-forwarded-for': `203.0.113.${Math.floor(Math.random() * 250)}` }
    t.equal(await poll(nginx.url, '127.0.0.2', spoofed), expected)
  }
  t.equal(await poll(nginx.url, '127.0.0.3'), 200, 'another one has a rate of its own')
})

t.test('behind a proxy that isn’t named all share one rate', async (t) => {
  const { SLUICE_TRUSTED_PROXIES: _, ...unnamed } = settings
  const { nginx } = await stage(t, unnamed)
  t.equal(await poll(nginx.url, '127.0.0.2'), 200)
  t.equal(await poll(nginx.url, '127.0.0.3'), 200)
  t.equal(await poll(nginx.url, '127.0.0.4'), 429)
})

t.test('streams are counted by the address that a named proxy gives', async (t) => {
  const own = {
    ...settings,
    ...COUNTED,
    SLUICE_STREAM_RATE: '0',
    SLUICE_MAX_STREAMS_PER_ADDRESS: '1',
  }
  const { gateway } = await startLocked(t, own)
  const from = async (address: string) => {
    const headers = { host: NAME, 'x-forwarded-for': address, accept: '*/*' }
    const stream = await open(`${gateway.url}/v1/events?channel=public:a`, { headers })
    t.teardown(stream.close)
    return stream.status
  }
  t.equal(await from('203.0.113.7'), 200)
  t.equal(await from('203.0.113.7'), 429)
  t.equal(await from('203.0.113.8'), 200)
})

t.test('the gateway answers to its own name only', async (t) => {
  const { nginx } = await stage(t, settings)
  t.equal(await poll(nginx.url, '127.0.0.2', { host: 'evil.example' }), 403)
  t.equal(await poll(nginx.url, '127.0.0.2'), 200)
})

t.test('health is closed by the lines of the page, in every spelling', async (t) => {
  const { gateway } = await startLocked(t)
  const [locations] = codeIn(readChapter(PAGE, 'What is not protected'), 'nginx')
  const plain = await startNginx({ upstreams: [gateway.port] })
  t.teardown(plain.stop)
  const closed = await startNginx({ upstreams: [gateway.port], locations: locations! })
  t.teardown(closed.stop)
  const ask = (url: string, path: string) =>
    new Promise<number>((resolve, reject) => {
      // Not fetch, which would tidy the path up.
      const { hostname, port } = new URL(url)
      request({ hostname, port, path, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      })
        .on('error', reject)
        .end()
    })
  for (const path of ['/healthz', '/readyz']) {
    t.equal(await ask(plain.url, path), 200, path)
    t.equal(await ask(gateway.url, path), 200, 'from inside')
  }
  for (const path of [
    ...['/healthz', '/readyz', '//healthz', '/%68ealthz', '/v1/../healthz', '/healthz?a=b'],
    ...['/healthz/', '/healthz;a', '/HEALTHZ', '/healthz%00', '/%2fhealthz', '/./readyz'],
  ]) {
    t.ok([400, 404].includes(await ask(closed.url, path)), path)
  }
  t.equal(await ask(closed.url, '/v1/events?channel=a'), 401, 'the rest is there')
})
