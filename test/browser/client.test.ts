/** The client in real Chromium: the scenarios that hold in Node, and what only a browser can do. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import t from 'tap'
import type { Note } from '../client/support/driver.js'
import { runScenarios } from '../client/support/scenarios.js'
import { type PageServer, startBrowser, startPageServer } from '../support/browser.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { createPublisher } from '../support/publisher.js'
import { openPage, PAGE, pageDriver } from './support/page-driver.js'

t.setTimeout(240_000)
t.jobs = 3

let browser: Browser
let pages: PageServer
let scripts: GatewayProcess
t.before(async () => {
  browser = await startBrowser()
  pages = await startPageServer(PAGE)
  // The file comes from a gateway that no scenario stops.
  scripts = await startGatewayProcess()
})
t.teardown(async () => {
  await browser?.close()
  await pages?.stop()
  await scripts?.stop()
})

t.test('in Chromium', (t) =>
  runScenarios(
    t,
    pageDriver(browser, pages.origin, () => `${scripts.url}/client.js`),
  ),
)

const isReading = (notes: readonly Note[]) =>
  notes.some((it) => it.kind === 'state' && /live|polling/.test(it.state))
const hasEvents = (notes: readonly Note[], count: number) =>
  notes.filter((it) => it.kind === 'event').length >= count
const isOffline = (notes: readonly Note[]) =>
  notes.findLast((it) => it.kind === 'state')?.state === 'offline'

function seen(notes: readonly Note[]): unknown[] {
  return notes.flatMap((it) => (it.kind === 'event' ? [it.data] : []))
}

t.test(
  'offline for half a minute, three times, while both sides publish: nothing lost, nothing doubled, in order',
  async (t) => {
    const context = await browser.newContext()
    t.teardown(() => context.close())
    const channel = 'offline'
    const settings = { url: scripts.url, channels: [channel] }
    const remote = await openPage(context, pages.origin, `${scripts.url}/client.js`, settings)
    await remote.until(isReading, undefined)
    const publisher = createPublisher()
    const theirs: string[] = []
    const own: string[] = []
    for (let time = 1; time <= 3; time++) {
      await context.setOffline(true)
      await remote.until(isOffline, undefined)
      for (let n = 0; n < 10; n++) {
        theirs.push(`theirs ${time}.${n}`)
        await publisher.one(scripts.url, channel, theirs.at(-1))
        own.push(`own ${time}.${n}`)
        await remote.publish(channel, own.at(-1))
      }
      await new Promise((resolve) => setTimeout(resolve, 30_000))
      await context.setOffline(false)
      await remote.until(hasEvents, theirs.length + own.length)
    }
    const notes = await remote.notes()
    const all = seen(notes) as string[]
    t.same(
      all.filter((it) => it.startsWith('theirs')),
      theirs,
    )
    t.same(
      all.filter((it) => it.startsWith('own')),
      own,
    )
    t.notOk(notes.some(({ kind }) => kind === 'gap'))
  },
)

t.test(
  'a hundred thousand events into a page that is slow: its memory stays bounded',
  async (t) => {
    const gateway = await startGatewayProcess({ SLUICE_RETENTION_EVENTS: '200000' })
    t.teardown(gateway.stop)
    const context = await browser.newContext()
    t.teardown(() => context.close())
    const page = await context.newPage()
    await page.goto(pages.origin)
    await page.evaluate(`import('${gateway.url}/client.js').then(({ connect }) => {
    window.seen = 0
    window.wrong = 0
    window.client = connect({ url: '${gateway.url}' })
    // As a page that draws each of them: a pause for every hundred.
    client.subscribe('flood', ({ data }) => {
      if (data.n !== seen++) wrong++
      if (seen % 100 === 0) return new Promise((resolve) => setTimeout(resolve, 4))
    })
  })`)
    await page.waitForFunction('client.state.state === "live"')
    const devtools = await context.newCDPSession(page)
    const heap = async () => {
      await devtools.send('HeapProfiler.collectGarbage')
      return (await devtools.send('Runtime.getHeapUsage')).usedSize
    }
    const before = await heap()
    const publisher = createPublisher()
    const text = 'x'.repeat(200)
    let most = 0
    for (let at = 0; at < 100_000; at += 1000) {
      const drafts = Array.from({ length: 1000 }, (_, i) => ({
        channel: 'flood',
        data: { n: at + i, text },
      }))
      await publisher.batch(gateway.url, drafts)
      if (at % 20_000 === 0) most = Math.max(most, (await heap()) - before)
    }
    await page.waitForFunction('seen === 100000', undefined, { timeout: 120_000, polling: 500 })
    most = Math.max(most, (await heap()) - before)
    t.equal(await page.evaluate('wrong'), 0, 'all of them, in order')
    t.comment(`${Math.round(most / 1024)} KiB`)
    t.ok(most < 8 * 2 ** 20, `${most} bytes`)
  },
)

t.test('where fetch gives no body piece by piece, XMLHttpRequest does', async (t) => {
  const root = fileURLToPath(new URL('../../src/client/', import.meta.url))
  const contents = "export { connect } from './connect.ts'; export { xhrFetch } from './xhr.ts'"
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    ...{ bundle: true, write: false, format: 'esm' },
  })
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  await page.goto(pages.origin)
  const script = Buffer.from(outputFiles![0]!.contents).toString('base64')
  const seen =
    await page.evaluate(`import('data:text/javascript;base64,${script}').then(async ({ connect, xhrFetch }) => {
    window.client = connect({ url: '${scripts.url}', fetch: xhrFetch })
    const seen = []
    const done = new Promise((resolve) => {
      client.subscribe('xhr', ({ name, data }) => seen.push([name, data]) === 3 && resolve())
    })
    await new Promise((resolve) => client.onState(({ state }) => state === 'live' && resolve()))
    await client.publish('xhr', 'Häl')
    await client.publish('xhr', 'lo 🦆', { name: 'token' })
    await client.publish('xhr', null)
    await done
    return { seen, state: client.state.state }
  })`)
  t.same(seen, {
    seen: [
      ['message', 'Häl'],
      ['token', 'lo 🦆'],
      ['message', null],
    ],
    state: 'live',
  })
})
