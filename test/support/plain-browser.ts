/**
 * Chromium as people have it. One that Playwright launches keeps each page visible and focused, so that
 * none is ever hidden and none can be frozen, and has no back-forward cache.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { BROWSER_ARGS } from './browser.js'

export interface PlainBrowser {
  /** Its only one: pages of one file share it. The page that was opened or brought to the front last is seen. */
  readonly context: BrowserContext
  stop(): Promise<void>
}

export async function startPlainBrowser(): Promise<PlainBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'chromium-'))
  const own = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`]
  // The kernel ends it with us, also where we are killed and no handler of ours runs.
  const command = [
    '--pdeathsig',
    'KILL',
    '/usr/bin/chromium',
    ...BROWSER_ARGS,
    ...own,
    'about:blank',
  ]
  const child = spawn('setpriv', command, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const found = /ws:\/\/\S+/.exec(line)?.[0]
      if (found !== undefined) resolve(found)
    })
    exited.then(() => reject(new Error('Chromium ended at its start')), reject)
  })
  const browser = await chromium.connectOverCDP(address, { noDefaults: true })
  return {
    context: browser.contexts()[0]!,
    async stop() {
      const devtools = await browser.newBrowserCDPSession()
      await devtools.send('Browser.close').catch(() => {})
      await exited
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Stops a page as a browser does that saves power: it is hidden, and nothing in it runs. The answer thaws it. */
export async function freeze(page: Page): Promise<() => Promise<void>> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
  return async () => {
    await devtools.send('Page.setWebLifecycleState', { state: 'active' })
    await devtools.detach()
  }
}
