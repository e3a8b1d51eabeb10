/** Who is present, as a page sees it: by a stream, by polls, and by a stream that tabs share. */
import { createHash } from 'node:crypto'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { start } from '../routes/support/start.js'
import { startBadProxy } from '../support/bad-proxy.js'
import { type PlainBrowser, startPlainBrowser } from '../support/plain-browser.js'
import { type SiteServer, startSite } from './support/site.js'

t.setTimeout(240_000)
t.jobs = 2

const CHANNEL = 'chat:7'
const CONFIG = { channels: [{ pattern: 'chat:*', presence: true }], presenceGraceMs: 3000 }
/** Whoever is gone for that long is soon found out. */
const QUICK = { members: { leaseMs: 5000, beatMs: 50 } }

/** What a page that shows who is there has, and what was told: `=2` a state, `+1`, `-1 timeout`, `~1`. */
const HERE = `
  window.told = []
  window.here = client.presence('${CHANNEL}')
  here.onChange((members, change) => {
    if (change === undefined) told.push('=' + members.size)
    else {
      for (const { id } of change.joined) told.push('+' + id)
      for (const { id, reason } of change.left) told.push('-' + id + ' ' + reason)
      for (const { id, data } of change.updated) told.push('~' + id + ' ' + JSON.stringify(data))
    }
  })`

interface Tab {
  readonly page: Page
  /** Its member. */
  readonly id: string
  /** Resolves once exactly these are there. */
  present(...ids: readonly string[]): Promise<void>
  heard(what: string): Promise<unknown>
  told(): Promise<readonly string[]>
}

let browser: PlainBrowser
t.before(async () => {
  browser = await startPlainBrowser()
})
t.teardown(() => browser?.stop())

async function open(t: Test, site: SiteServer, options: object): Promise<Tab> {
  const page = await browser.context.newPage()
  t.teardown(() => page.close())
  await page.goto(site.origin)
  await page.evaluate(`import('/client.js').then(({ connect }) => {
    window.client = connect(${JSON.stringify(options)})
    client.subscribe('${CHANNEL}', () => {})
    ${HERE}
  })`)
  // Not by frames: only one of the pages is seen.
  const holds = (script: string) => page.waitForFunction(script, undefined, { polling: 50 })
  await holds('here.members.size > 0 && /^(live|polling)$/.test(client.state.state)')
  const secret = (await page.evaluate('client.session')) as string
  return {
    page,
    id: createHash('sha256').update(secret).digest('base64url').slice(0, 22),
    async present(...ids) {
      await holds(`[...here.members.keys()].sort().join() === '${[...ids].sort()}'`)
    },
    heard: (what) => holds(`told.includes(${JSON.stringify(what)})`),
    told: () => page.evaluate('told') as Promise<string[]>,
  }
}

/** What every tab is to see of one more, whatever way it reads by. */
async function expectGuest(t: Test, site: SiteServer, url: string, tabs: readonly Tab[]) {
  const members = [...new Set(tabs.map(({ id }) => id))]
  for (const tab of tabs) await tab.present(...members)
  const guest = await open(t, site, { url, presence: { name: 'Guest' } })
  for (const tab of [guest, ...tabs]) await tab.present(...members, guest.id)
  await guest.page.evaluate('here.update({ name: "Guest", away: true })')
  for (const tab of tabs) await tab.heard(`~${guest.id} {"name":"Guest","away":true}`)
  // A reconnect that nobody but the guest hears of.
  await guest.page.evaluate(`new Promise((resolve) => {
    dispatchEvent(new Event('offline'))
    client.onState(({ state }) => state === 'live' && resolve())
    dispatchEvent(new Event('online'))
  })`)
  await guest.page.evaluate('here.update({ name: "Guest" })')
  for (const tab of tabs) await tab.heard(`~${guest.id} {"name":"Guest"}`)
  await guest.page.evaluate('client.close()')
  for (const tab of tabs) {
    await tab.heard(`-${guest.id} timeout`)
    await tab.present(...members)
    const ofGuest = (await tab.told()).filter((it) => it.slice(1).startsWith(guest.id))
    t.match(ofGuest, [
      `+${guest.id}`,
      `~${guest.id} {"name":"Guest","away":true}`,
      `~${guest.id} {"name":"Guest"}`,
      `-${guest.id} timeout`,
    ])
    t.equal(ofGuest.length, 4)
  }
}

async function stage(t: Test) {
  const gateway = await start(t, CONFIG, QUICK)
  const site = await startSite(gateway.url)
  t.teardown(site.stop)
  return { url: gateway.url, site }
}

t.test('pages see each other come, change and go', async (t) => {
  const { url, site } = await stage(t)
  const tabs = [await open(t, site, { url }), await open(t, site, { url })]
  await expectGuest(t, site, url, tabs)
})

t.test('also through a proxy that holds streams back', async (t) => {
  const { url, site } = await stage(t)
  const proxy = await startBadProxy(() => Number(new URL(url).port), 'holds-body')
  t.teardown(proxy.stop)
  const tab = await open(t, site, { url: proxy.url })
  t.equal(await tab.page.evaluate('client.state.state'), 'polling')
  await expectGuest(t, site, url, [tab])
})

for (const how of ['elected', 'worker'] as const) {
  t.test(`tabs that share a stream are one member: ${how}`, async (t) => {
    const { url, site } = await stage(t)
    const shared = how === 'worker' ? { name: 'presence', worker: '/client.js' } : 'presence'
    const tabs = [await open(t, site, { url, shared }), await open(t, site, { url, shared })]
    t.equal(tabs[0]!.id, tabs[1]!.id)
    await expectGuest(t, site, url, tabs)
    // The tab that has the stream goes; nobody is seen to leave or to come.
    const other = await open(t, site, { url })
    const [first, second] = tabs
    await second!.present(first!.id, other.id)
    await first!.page.close()
    const guest = await open(t, site, { url })
    await second!.present(first!.id, other.id, guest.id)
    t.notOk((await other.told()).some((it) => it.includes(first!.id)))
  })
}
