/** A page's life: it is hidden, frozen, left and come back to. In Chromium as people have it. */
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { Note, Settings } from '../client/support/driver.js'
import { startBadProxy } from '../support/bad-proxy.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { freeze, type PlainBrowser, startPlainBrowser } from '../support/plain-browser.js'
import { createPublisher } from '../support/publisher.js'
import { until } from '../support/until.js'
import { openPage, type PageRemote } from './support/page-driver.js'
import { type SiteServer, startSite } from './support/site.js'

t.setTimeout(240_000)

let browser: PlainBrowser
let gateway: GatewayProcess
let site: SiteServer
t.before(async () => {
  browser = await startPlainBrowser()
  gateway = await startGatewayProcess({ SLUICE_HEARTBEAT: '1s', SLUICE_RETENTION_EVENTS: '100000' })
  site = await startSite(gateway.url)
})
t.teardown(async () => {
  await browser?.stop()
  await site?.stop()
  await gateway?.stop()
})

const isReading = (notes: readonly Note[]) =>
  notes.some((it) => it.kind === 'state' && /live|polling/.test(it.state))
const hasEvents = (notes: readonly Note[], count: number) =>
  notes.filter((it) => it.kind === 'event').length >= count

async function open(t: Test, channel: string, more: Partial<Settings> = {}): Promise<PageRemote> {
  const settings = { url: gateway.url, channels: [channel], ...more }
  const remote = await openPage(browser.context, site.origin, `${site.origin}/client.js`, settings)
  t.teardown(() => remote.close())
  await remote.until(isReading, undefined)
  return remote
}

async function expectAll(t: Test, remote: PageRemote, said: readonly unknown[]): Promise<void> {
  const notes = await remote.until(hasEvents, said.length)
  const seen = notes.flatMap((it) => (it.kind === 'event' ? [it.data] : []))
  t.same(seen, said, 'each once, in order')
  t.notOk(notes.some(({ kind }) => kind === 'gap'))
}

/** Publishes what is numbered on, and keeps it. */
function speaker(channel: string) {
  const publisher = createPublisher()
  const said: unknown[] = []
  return {
    said,
    async say(count: number, more = {}) {
      const drafts = Array.from({ length: count }, () => ({
        channel,
        data: { n: said.push(undefined) - 1, ...more },
      }))
      for (const { data } of drafts) said[data.n] = data
      await publisher.batch(gateway.url, drafts)
    },
  }
}

const visibility = (page: Page) => page.evaluate('document.visibilityState')
const isHidden = (page: Page) => async () => (await visibility(page)) === 'hidden'

/** Goes to another page, and calls for the first one again when told to. */
async function leave(remote: PageRemote) {
  const { page } = remote
  await page.evaluate(
    "addEventListener('pageshow', (event) => { window.restored = event.persisted })",
  )
  await page.goto(`${site.origin}/elsewhere`)
  return async () => {
    // It is loaded already: nothing but its being there will be told.
    await page.goBack({ waitUntil: 'commit' })
    await page.waitForFunction('window.restored !== undefined', undefined, { polling: 50 })
    return page.evaluate('restored')
  }
}

async function streamsOf(channel: string): Promise<number> {
  const response = await fetch(`${gateway.url}/v1/channels?channel=${channel}`)
  return ((await response.json()) as { subscribers: number }).subscribers
}

t.test('a page that is hidden goes on, and one that comes back has missed nothing', async (t) => {
  const channel = 'life:hidden'
  const proxy = await startBadProxy(() => gateway.port, 'none')
  t.teardown(proxy.stop)
  const { said, say } = speaker(channel)
  const remote = await open(t, channel, { url: proxy.url })
  const front = await browser.context.newPage()
  t.teardown(() => front.close())
  await until('hidden', isHidden(remote.page))
  await say(3)
  await expectAll(t, remote, said)

  const thaw = await freeze(remote.page)
  // Its connection dies without a word, as behind a phone's sleep.
  proxy.hold()
  await say(3)
  // So long that more than a heartbeat is missing.
  await new Promise((resolve) => setTimeout(resolve, 4000))
  await thaw()
  await remote.page.bringToFront()
  await expectAll(t, remote, said)
  await front.bringToFront()
  await remote.page.bringToFront()
  t.equal(await visibility(remote.page), 'visible')
  await say(1)
  await expectAll(t, remote, said)
})

t.test('a page that is come back to out of the cache goes on where it was', async (t) => {
  const channel = 'life:cached'
  const { said, say } = speaker(channel)
  const remote = await open(t, channel)
  await say(1)
  await expectAll(t, remote, said)
  const back = await leave(remote)
  await until('its stream is closed', async () => (await streamsOf(channel)) === 0)
  // More than Chromium lets a page in its cache receive.
  for (let n = 0; n < 10; n++) await say(30, { text: 'x'.repeat(10_000) })
  t.equal(await back(), true, 'it wasn’t loaded anew')
  await expectAll(t, remote, said)
  await say(1)
  await expectAll(t, remote, said)
})

for (const how of ['elected', 'worker'] as const) {
  t.test(`tabs share a stream, and one of them is left and come back to: ${how}`, async (t) => {
    const channel = `life:${how}`
    const { said, say } = speaker(channel)
    const shared = how === 'worker' ? { name: 'life', worker: '/client.js' } : 'life'
    const first = await open(t, channel, { shared })
    const second = await open(t, channel, { shared })
    await say(1)
    await expectAll(t, first, said)
    await expectAll(t, second, said)
    const back = await leave(first)
    await say(2)
    await expectAll(t, second, said)
    t.equal(await back(), true, 'it wasn’t loaded anew')
    await expectAll(t, first, said)
    await say(1)
    await expectAll(t, first, said)
    await expectAll(t, second, said)
    t.equal(await streamsOf(channel), 1)
  })
}
