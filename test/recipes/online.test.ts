/** docs/presence.md: its page in a real Chromium, reloaded, duplicated and closed. */
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { subscribe } from '../routes/support/stream.js'
import { startBrowser, startPageServer } from '../support/browser.js'
import { startGatewayProcess } from '../support/gateway.js'
import { codeIn, layOut, readChapter } from '../support/page.js'

const chapter = readChapter('presence.md', 'Who is online')
const [rule = ''] = codeIn(chapter, 'json')
const [html = ''] = codeIn(chapter, 'html')
const [script = ''] = codeIn(chapter, 'js')
const [goodbye = ''] = codeIn(readChapter('presence.md', 'Gone at once'), 'js')

let browser: Browser
t.before(async () => {
  browser = await startBrowser()
})
t.teardown(() => browser?.close())

async function stage(t: Test, code: string) {
  const directory = await layOut(t, { 'sluice.json': rule })
  const gateway = await startGatewayProcess({
    SLUICE_CONFIG: join(directory, 'sluice.json'),
    SLUICE_DRAIN_TIME: '200ms',
  })
  t.teardown(gateway.stop)
  t.match(code, 'http://127.0.0.1:8080')
  const placed = code.replaceAll('http://127.0.0.1:8080', gateway.url)
  const pages = await startPageServer(
    `<!doctype html><link rel="icon" href="data:,">${html.replace(/<script.*<\/script>/, '')}
    <script type="module">${placed}</script>`,
  )
  t.teardown(pages.stop)
  const watcher = await subscribe(gateway.url, ['presence:chat:7'])
  t.teardown(watcher.close)
  await watcher.event('stream.live')
  const left = () =>
    watcher.blocks.flatMap(({ event, json }) => (event === 'presence.diff' ? json.data.left : []))
  return {
    watcher,
    left,
    async visit(name: string): Promise<Page> {
      const context = await browser.newContext()
      t.teardown(() => context.close())
      const page = await context.newPage()
      await page.goto(`${pages.origin}/?name=${name}`)
      return page
    },
  }
}

/** Resolves once a page shows exactly these. */
const shows = (page: Page, ...names: string[]) =>
  page.waitForFunction((expected) => {
    const items = [...document.querySelectorAll('#online li')].map((it) => it.textContent)
    return items.sort().join() === expected
  }, names.sort().join())

t.test('everybody sees everybody, and a reload is seen by nobody', async (t) => {
  const { visit, left } = await stage(t, script)
  const ada = await visit('Ada')
  const bob = await visit('Bob')
  for (const page of [ada, bob]) await shows(page, 'Ada', 'Bob')
  await bob.reload()
  await shows(bob, 'Ada', 'Bob')
  const carl = await visit('Carl')
  for (const page of [ada, bob, carl]) await shows(page, 'Ada', 'Bob', 'Carl')
  t.same(left(), [])
})

t.test('a duplicated tab is one more, and both stay', async (t) => {
  const { visit } = await stage(t, script)
  const ada = await visit('Ada')
  const copied = ada.context().waitForEvent('page')
  await ada.evaluate(() => void window.open(location.href))
  const copy = await copied
  for (const page of [ada, copy]) await shows(page, 'Ada', 'Ada')
  const bob = await visit('Bob')
  for (const page of [ada, copy, bob]) await shows(page, 'Ada', 'Ada', 'Bob')
})

t.test('whoever says goodbye is gone at once, and may come back', async (t) => {
  const { visit, left, watcher } = await stage(t, script + goodbye)
  const ada = await visit('Ada')
  const bob = await visit('Bob')
  await shows(ada, 'Ada', 'Bob')
  await bob.reload()
  await shows(bob, 'Ada', 'Bob')
  await shows(ada, 'Ada', 'Bob')
  await bob.close({ runBeforeUnload: true })
  await shows(ada, 'Ada')
  await watcher.until(() => left().length === 2)
  t.match(left(), [{ reason: 'left' }, { reason: 'left' }])
})
