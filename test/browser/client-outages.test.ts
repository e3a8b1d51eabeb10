/** What a page lives through at the other end: tokens that end, and gateways that go and come. */
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContext } from 'playwright-core'
import t, { type Test } from 'tap'
import { lockedGateway } from '../client/locked-gateway.js'
import type { Note, Settings } from '../client/support/driver.js'
import { type PageServer, startBrowser, startPageServer } from '../support/browser.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { startNginx } from '../support/nginx.js'
import { freePort } from '../support/ports.js'
import { createPublisher } from '../support/publisher.js'
import { startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { openPage, PAGE, type PageRemote } from './support/page-driver.js'

t.setTimeout(240_000)
t.jobs = 2

let browser: Browser
let pages: PageServer
let scripts: GatewayProcess
t.before(async () => {
  browser = await startBrowser()
  pages = await startPageServer(PAGE)
  // The file comes from a gateway that nobody stops.
  scripts = await startGatewayProcess()
})
t.teardown(async () => {
  await browser?.close()
  await pages?.stop()
  await scripts?.stop()
})

const stateOf = (notes: readonly Note[]) => notes.findLast((it) => it.kind === 'state')?.state
const isReading = (notes: readonly Note[]) =>
  notes.some((it) => it.kind === 'state' && /live|polling/.test(it.state))
const hasEvents = (notes: readonly Note[], count: number) =>
  notes.filter((it) => it.kind === 'event').length >= count

/** By a stream. On a machine so busy that the first frame is late a page begins by polls, and is opened again. */
async function open(t: Test, settings: Settings) {
  for (;;) {
    const context = await browser.newContext()
    t.teardown(() => context.close())
    const streams = countStreams(context)
    const remote = await openPage(context, pages.origin, `${scripts.url}/client.js`, settings)
    if (stateOf(await remote.until(isReading, undefined)) === 'live') return { remote, streams }
    await context.close()
  }
}

/** Streams that pages have asked for, so far. */
function countStreams(context: BrowserContext): () => number {
  let streams = 0
  context.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url())
    if (pathname === '/v1/events' && request.method() === 'GET' && !searchParams.has('mode')) {
      streams++
    }
  })
  return () => streams
}

const seen = (notes: readonly Note[]) =>
  notes.flatMap((it) => (it.kind === 'event' ? [it.data as string] : []))

/** Whatever is given away for the asking. */
async function startGiver(t: Test, give: () => Promise<string>): Promise<string> {
  const server = createServer(async (_req, res) => {
    res.setHeader('access-control-allow-origin', '*')
    res.end(await give())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('three tokens end, one after the other, and the stream stays open', async (t) => {
  const gateway = await lockedGateway(t)
  const told = new EventEmitter()
  const tokens = await startGiver(t, async () => {
    told.emit('asked')
    return gateway.token(60, undefined, { sub: 'alice' })
  })
  const { remote, streams } = await open(t, { url: gateway.url, channels: ['c'], tokens })
  remote.page.on('response', (response) => {
    if (response.url().endsWith('/v1/sessions/token')) told.emit('renewed', response.status())
  })
  const backend = await gateway.token(3600, undefined, { sub: 'backend' })
  const said: string[] = []
  const say = async () => {
    said.push(`theirs ${said.length}`)
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${backend}` }
    const body = JSON.stringify(said.at(-1))
    await fetch(`${gateway.url}/v1/events?channel=c`, { method: 'POST', headers, body })
  }
  for (let n = 0; n < 3; n++) {
    const asked = once(told, 'asked')
    const renewed = once(told, 'renewed')
    // Twenty seconds are left of it.
    gateway.advance(40_000)
    await say()
    await asked
    t.same(await renewed, [200])
    await say()
    said.push(`own ${n}`)
    await remote.publish('c', said.at(-1))
    await remote.until(hasEvents, said.length)
  }
  const notes = await remote.notes()
  t.same(seen(notes), said, 'each once, in order')
  t.notOk(notes.some(({ kind }) => kind === 'gap'))
  t.equal(streams(), 1, 'without a reconnect')
})

t.test(
  'of two gateways the one that has the stream goes, with a goodbye and without',
  async (t) => {
    const redis = await startRedis()
    t.teardown(redis.stop)
    const common = {
      SLUICE_REDIS_URL: redis.url,
      SLUICE_DRAIN_TIME: '1s',
      SLUICE_TRUSTED_PROXIES: 'loopback',
    }
    const start = (port: number) => startGatewayProcess({ ...common, SLUICE_PORT: String(port) })
    const gateways = await Promise.all([start(await freePort()), start(await freePort())])
    t.teardown(() => Promise.all(gateways.map((it) => it.stop())))
    const nginx = await startNginx({ upstreams: gateways.map(({ port }) => port) })
    t.teardown(nginx.stop)

    const channel = 'failover'
    const { remote } = await open(t, { url: nginx.url, channels: [channel] })
    const publisher = createPublisher()
    const theirs: string[] = []
    const own: string[] = []
    const say = async (url: string) => {
      theirs.push(`theirs ${theirs.length}`)
      await publisher.one(url, channel, theirs.at(-1))
      own.push(`own ${own.length}`)
      await remote.publish(channel, own.at(-1))
    }
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      const at = await whereIs(remote, channel, gateways)
      const [doomed, other] = [gateways[at]!, gateways[1 - at]!]
      await say(other.url)
      const gone = doomed.kill(signal)
      for (let n = 0; n < 5; n++) await say(other.url)
      await gone
      await say(other.url)
      await expectBoth(t, remote, theirs, own)
      gateways[at] = await start(doomed.port)
    }
  },
)

/** Which of them has the page's stream; the first where it polls, for polls go to both. */
async function whereIs(
  remote: PageRemote,
  channel: string,
  gateways: readonly GatewayProcess[],
): Promise<number> {
  let at = -1
  await until('a stream at one of them', async () => {
    const counts = await Promise.all(
      gateways.map(async ({ url }) => {
        const response = await fetch(`${url}/v1/channels?channel=${channel}`)
        return ((await response.json()) as { subscribers: number }).subscribers
      }),
    )
    at = stateOf(await remote.notes()) === 'polling' ? 0 : counts.indexOf(1)
    return at >= 0
  })
  return at
}

async function expectBoth(
  t: Test,
  remote: PageRemote,
  theirs: readonly string[],
  own: readonly string[],
): Promise<void> {
  const notes = await remote.until(hasEvents, theirs.length + own.length)
  const all = seen(notes)
  t.same(
    all.filter((it) => it.startsWith('theirs')),
    theirs,
  )
  t.same(
    all.filter((it) => it.startsWith('own')),
    own,
  )
  t.notOk(notes.some(({ kind }) => kind === 'gap'))
}
