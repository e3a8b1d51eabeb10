/** The client in real Chromium: the scenarios that hold in Node, and what only a browser can do. */
import type { Browser } from 'playwright-core'
import t from 'tap'
import { runScenarios } from '../client/support/scenarios.js'
import { type PageServer, startBrowser, startPageServer } from '../support/browser.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { PAGE, pageDriver } from './support/page-driver.js'

t.setTimeout(240_000)

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
