/**
 * Calls between two real Chromiums' pages: behind nginx, on two gateways with one Redis, directly and by
 * way of a real coturn, and with everything that can break on the way broken.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { start } from '../routes/support/start.js'
import { type PageServer, startBrowser } from '../support/browser.js'
import { startClientPages } from '../support/client-page.js'
import { type Relay, startRelay } from '../support/coturn.js'
import { type Cutter, startCutter } from '../support/cutter.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { type Nginx, startNginx } from '../support/nginx.js'
import { seeded } from '../support/random.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import {
  CALL_ARGS,
  CALL_BODY,
  CALL_SCRIPT,
  type Caller,
  openCaller,
  settle,
  talk,
} from './support/call.js'

let browser: Browser
let pages: PageServer
let redis: RedisServer
let relay: Relay
let directory: string
const gateways: GatewayProcess[] = []
let nginx: Nginx

t.before(async () => {
  ;[browser, pages, redis, relay, directory] = await Promise.all([
    startBrowser(CALL_ARGS),
    startClientPages(CALL_BODY, CALL_SCRIPT),
    startRedis(),
    // Peers are on this machine, in a test and never elsewhere.
    startRelay({ lines: ['allow-loopback-peers', 'verbose'], without: /^denied-peer-ip=127/ }),
    mkdtemp(join(tmpdir(), 'sluice-call-')),
  ])
  const config = join(directory, 'config.json')
  const servers = [{ urls: `turn:127.0.0.1:${relay.port}`, secret: '$TURN_SECRET' }]
  await writeFile(config, JSON.stringify({ iceServers: { servers } }))
  const env = {
    SLUICE_CONFIG: config,
    TURN_SECRET: relay.secret,
    SLUICE_REDIS_URL: redis.url,
    SLUICE_TRUSTED_PROXIES: 'loopback',
    SLUICE_DRAIN_TIME: '200ms',
  }
  gateways.push(await startGatewayProcess(env), await startGatewayProcess(env))
  nginx = await startNginx({ upstreams: gateways.map(({ port }) => port) })
})
t.teardown(async () => {
  await browser?.close()
  await nginx?.stop()
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await Promise.all([pages?.stop(), redis?.stop(), relay?.stop()])
  await rm(directory, { recursive: true, force: true })
})
// A browser's start, and a call on a machine that does other things too.
t.setTimeout(240_000)

let rooms = 0

interface Stage {
  readonly callers: readonly [Caller, Caller]
  /** Between the first caller and nginx. */
  readonly cutter: Cutter
}

/** Two pages in a room of their own: the first → cutter → nginx, the second → nginx. */
async function stage(t: Test, options = ''): Promise<Stage> {
  const cutter = await startCutter({
    target: nginx.port,
    random: seeded(7),
    budget: () => undefined,
  })
  t.teardown(() => cutter.stop())
  return { callers: await meet(t, [cutter.url, nginx.url], options), cutter }
}

/** In a room of their own, each by an address of its own. */
async function meet(t: Test, gateways: readonly [string, string], options = '') {
  const room = `room-${++rooms}`
  const address = (gateway: string) =>
    `${pages.origin}/?gateway=${encodeURIComponent(gateway)}&room=${room}${options}`
  const callers = [
    await openCaller(t, browser, address(gateways[0])),
    await openCaller(t, browser, address(gateways[1])),
  ] as const
  await settle(callers, 'at first')
  return callers
}

t.test('two pages see each other, and what one says the other hears', async (t) => {
  const { callers } = await stage(t)
  await talk(callers, 'hello')
  for (const { page, complaints } of callers) {
    t.equal(await page.evaluate(async () => (await call.link.quality()).relayed), false)
    t.strictSame(await page.evaluate(() => call.errors), [])
    t.strictSame(complaints, [])
  }
  const [one, other] = await Promise.all(
    callers.map(({ page }) => page.evaluate(() => call.room.peers[0]!.polite)),
  )
  t.not(one, other, 'exactly one gives way')
})

t.test('through a relay alone, with credentials that the gateway gave out', async (t) => {
  const { callers } = await stage(t, '&relay')
  await talk(callers, 'hello')
  for (const { page } of callers) {
    t.equal(await page.evaluate(async () => (await call.link.quality()).relayed), true)
  }
  const allocations = relay.log().match(/ALLOCATE processed, success/g) ?? []
  t.ok(allocations.length >= 2, 'both have an address at the relay')
})

t.test('both offer at once a hundred times, one is cut off fifty times in between', async (t) => {
  const { callers, cutter } = await stage(t)
  const [first] = callers
  let cuts = 0
  let trickles = 0
  // Every other time that its candidates are on their way, whatever is open to the gateway is torn.
  await first.page.exposeFunction('onTrickle', () => {
    if (cuts === 50 || ++trickles % 2 === 0) return
    cuts++
    cutter.cutAll()
  })
  const restart = (at: number) => {
    setTimeout(() => call.link.restart(), at - Date.now())
  }
  for (let n = 1; n <= 100 || cuts < 50; n++) {
    const at = Date.now() + 30
    await Promise.all(callers.map(({ page }) => page.evaluate(restart, at)))
    await first.page.evaluate(
      (at) => new Promise((done) => setTimeout(done, at - Date.now() + 10)),
      at,
    )
    await settle(callers, `after ${n} offers and ${cuts} cuts`)
  }
  t.equal(cuts, 50)
  await talk(callers, 'still here')
  const collisions = await callers[1].page.evaluate(() => call.collisions)
  t.ok(collisions > 30, `${collisions} of them were offers that met`)
  for (const { page, complaints } of callers) {
    t.strictSame(await page.evaluate(() => call.errors), [])
    t.strictSame(complaints, [])
  }
})

t.test('who has nothing to send is sent to; two such don’t ask each other for ever', async (t) => {
  const { callers } = await stage(t)
  const again = (streams: boolean) => {
    const { id } = call.room.peers[0]!
    call.room.connect(id).close()
    const media = (document.querySelector('video') as HTMLVideoElement).srcObject as MediaStream
    call.link = call.room.connect(id, streams ? { streams: [media] } : {})
  }
  const [one, other] = callers
  await one.page.evaluate(again, true)
  await other.page.evaluate(again, false)
  await settle(callers, 'one way')
  await one.page.evaluate(again, false)
  const asked = callers.map(({ page }) => page.evaluate(() => call.signals))
  await other.page.evaluate(again, false)
  await one.page.waitForFunction(() => call.link.state === 'connecting')
  // What they would say to each other they would have said by then.
  for (const { page } of callers) {
    await page.evaluate(async () => {
      for (let n = 0; n < 5; n++) await call.room.update({ data: { n } })
    })
  }
  const [before, after] = await Promise.all([
    Promise.all(asked),
    Promise.all(callers.map(({ page }) => page.evaluate(() => call.signals))),
  ])
  t.ok(
    after.every((count, i) => count - before[i]! < 8),
    `${before} → ${after}`,
  )
})

t.test('a page that is reloaded is called again', async (t) => {
  const { callers } = await stage(t)
  for (const { page } of callers) {
    const before = await Promise.all(
      callers.map(({ page }) => page.evaluate(() => call.room.self.id)),
    )
    await page.reload()
    // The other one has seen them go before they come again.
    const [other] = callers.filter((it) => it.page !== page)
    const old = before[callers.findIndex((it) => it.page === page)]!
    await other!.page.waitForFunction((id) => call.room.peers.every((it) => it.id !== id), old)
    await settle(callers, 'after a reload')
    await talk(callers, 'back again')
  }
})

t.test('a page that was cut off for too long joins anew, and is called again', async (t) => {
  const { url } = await start(t, { presenceGraceMs: 1000 }, { members: { leaseMs: 3000 } })
  let down = false
  const cutter = await startCutter({
    target: () => (down ? 1 : Number(new URL(url).port)),
    random: seeded(7),
    budget: () => undefined,
  })
  t.teardown(() => cutter.stop())
  const callers = await meet(t, [cutter.url, url])
  const [lost, other] = callers
  down = true
  cutter.cutAll()
  await other.page.waitForFunction(() => call.room.peers.length === 0)
  down = false
  await other.page.waitForFunction(() => call.room.peers.length === 1)
  await settle(callers, 'after a long absence')
  await talk(callers, 'back again')
  t.strictSame(lost.complaints, [])
})

t.test('a gateway that is killed while they negotiate takes no call with it', async (t) => {
  const { callers } = await stage(t)
  const restart = () => call.link.restart()
  await Promise.all(callers.map(({ page }) => page.evaluate(restart)))
  await gateways[0]!.kill('SIGKILL')
  await settle(callers, 'after a gateway has died')
  await talk(callers, 'over the other one')
  await Promise.all(callers.map(({ page }) => page.evaluate(restart)))
  await settle(callers, 'after another offer')
  await callers[0].page.reload()
  await callers[1].page.waitForFunction(() => call.room.peers.length === 1)
  await settle(callers, 'after a reload')
  await talk(callers, 'and back again')
})
