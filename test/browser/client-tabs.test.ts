/** Ten tabs, one stream: in real Chromium, over HTTP/1.1, where an origin has six connections. */
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { Note } from '../client/support/driver.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { freeze, type PlainBrowser, startPlainBrowser } from '../support/plain-browser.js'
import { createPublisher, type Publisher } from '../support/publisher.js'
import { openPage, type PageRemote } from './support/page-driver.js'
import { type SiteServer, startSite } from './support/site.js'

const TABS = 10
/** Milliseconds within which the others go on. */
const SOON = 20_000

t.setTimeout(240_000)
t.jobs = 2

let browser: PlainBrowser
let gateway: GatewayProcess
let site: SiteServer
t.before(async () => {
  browser = await startPlainBrowser()
  gateway = await startGatewayProcess()
  site = await startSite(gateway.url)
})
t.teardown(async () => {
  await browser?.stop()
  await site?.stop()
  await gateway?.stop()
})

interface Stage {
  readonly tabs: Set<PageRemote>
  readonly publisher: Publisher
  readonly channel: string
  /** The page that opened a stream last. */
  leader(): Promise<PageRemote>
  /** Publishes one more. */
  say(): Promise<void>
  /** All of these have all that was said, each once, in order. */
  expectAll(t: Test, tabs?: Iterable<PageRemote>): Promise<void>
}

async function stage(
  t: Test,
  channel: string,
  shared: string | { name: string; worker: string },
): Promise<Stage> {
  const { context } = browser
  const publisher = createPublisher()
  const tabs = new Set<PageRemote>()
  let leading: Page | undefined
  t.teardown(() => Promise.all([...tabs].map((tab) => tab.close())))
  context.on('request', (request) => {
    // A stream, or the polls instead of one where it says nothing for too long; no look at the past.
    const { searchParams: query } = new URL(request.url())
    const reads = query.get('channel') === channel && query.get('wait') !== '0'
    // A worker's requests are of no page.
    if (reads && request.method() === 'GET' && !request.serviceWorker())
      leading = request.frame().page()
  })
  const settings = { url: gateway.url, channels: [channel], shared }
  await Promise.all(
    Array.from({ length: TABS }, async () => {
      tabs.add(await openPage(context, site.origin, `${site.origin}/client.js`, settings))
    }),
  )
  const isLive = (notes: readonly Note[]) =>
    notes.some((it) => it.kind === 'state' && it.state === 'live')
  await Promise.all([...tabs].map((tab) => soon(t, tab, tab.until(isLive, undefined))))
  const said: number[] = []
  return {
    ...{ tabs, publisher, channel },
    async leader() {
      for (;;) {
        const found = [...tabs].find(({ page }) => page === leading)
        if (found !== undefined) return found
        await context.waitForEvent('request')
      }
    },
    async say() {
      said.push(said.length)
      await publisher.one(gateway.url, channel, said.at(-1))
    },
    async expectAll(t, some = tabs) {
      const hasAll = (notes: readonly Note[], count: number) =>
        notes.filter((it) => it.kind === 'event').length >= count
      for (const tab of some) {
        const notes = await soon(t, tab, tab.until(hasAll, said.length))
        const seen = notes.flatMap((it) => (it.kind === 'event' ? [it.data] : []))
        t.same(seen, said, 'each once, in order')
        t.notOk(notes.some(({ kind }) => kind === 'gap'))
      }
    },
  }
}

async function soon<T>(t: Test, tab: PageRemote, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), SOON)
  })
  const first = await Promise.race([promise, late])
  clearTimeout(timer)
  if (first !== 'late') return first
  t.comment(JSON.stringify(await tab.notes()).slice(0, 2000))
  throw new Error(`not within ${SOON} ms`)
}

async function streamsOf(channel: string): Promise<number> {
  const response = await fetch(`${gateway.url}/v1/channels?channel=${channel}`)
  return ((await response.json()) as { subscribers: number }).subscribers
}

t.test('ten tabs without a worker: a leader, and whoever comes after it', async (t) => {
  const { tabs, channel, leader, say, expectAll } = await stage(t, 'tabs:elected', 'elected')
  t.equal(await streamsOf(channel), 1, 'one stream for all')
  await say()
  await expectAll(t)

  const closed = await leader()
  tabs.delete(closed)
  await closed.page.close()
  await say()
  await say()
  await expectAll(t)
  t.equal(await streamsOf(channel), 1)

  const crashed = await leader()
  tabs.delete(crashed)
  // Never answers.
  crashed.page.goto('chrome://crash').catch(() => {})
  await say()
  await say()
  await expectAll(t)

  const frozen = await leader()
  const thaw = await freeze(frozen.page)
  await say()
  await say()
  await expectAll(
    t,
    [...tabs].filter((tab) => tab !== frozen),
  )
  await thaw()
  await say()
  await expectAll(t)
  t.equal(await streamsOf(channel), 1)
})

t.test('ten tabs with a shared worker', async (t) => {
  const shared = { name: 'worker', worker: '/client.js' }
  const { tabs, channel, say, expectAll } = await stage(t, 'tabs:worker', shared)
  t.equal(await streamsOf(channel), 1, 'one stream for all')
  await say()
  await expectAll(t)
  const [first] = tabs
  tabs.delete(first!)
  await first!.page.close()
  await say()
  await expectAll(t)
})
