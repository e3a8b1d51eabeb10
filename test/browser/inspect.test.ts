/** `/inspect` in real Chromium: what an operator sees. */
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { bearer, KEY, mint, SECRET } from '../http/support/locked.js'
import { post, publish } from '../routes/support/ask.js'
import { connect } from '../routes/support/socket.js'
import { subscribe } from '../routes/support/stream.js'
import { startBrowser } from '../support/browser.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'

t.setTimeout(120_000)
t.jobs = 4

let browser: Browser
t.before(async () => {
  browser = await startBrowser()
})
t.teardown(() => browser?.close())

async function gateway(t: Test, env: Readonly<Record<string, string>> = {}) {
  const started = await startGatewayProcess(env)
  t.teardown(() => started.stop())
  return started
}

/** The page, and what its console complained of. */
async function inspect(t: Test, { url }: GatewayProcess, width = 1280) {
  const context = await browser.newContext({ viewport: { width, height: 844 } })
  t.teardown(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (said) => {
    if (said.type() === 'error' || said.type() === 'warning') complaints.push(said.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(`${url}/inspect`)
  return { page, complaints }
}

const row = (page: Page, channel: string) => page.locator(`tr[data-channel="${channel}"]`)
const items = (page: Page) => page.locator('#tail-items li')

t.test('shows channels with what goes on, and the tail of one', async (t) => {
  const node = await gateway(t)
  const { url } = node
  const stream = await subscribe(url, ['chat:7'])
  await stream.event('stream.live')
  await publish(url, 'chat:7', { text: 'before' })
  const { page, complaints } = await inspect(t, node)
  await row(page, 'chat:7').waitFor()
  t.equal(await row(page, 'chat:7').locator('td').nth(1).textContent(), '1', 'one reader')
  t.match(await page.locator('.node').textContent(), `${node.pid}`)
  t.equal(await page.locator('.node').count(), 1)

  await row(page, 'chat:7').getByRole('button').focus()
  await page.keyboard.press('Enter')
  await items(page).filter({ hasText: 'before' }).waitFor()
  t.equal(await row(page, 'chat:7').getByRole('button').getAttribute('aria-pressed'), 'true')
  await publish(url, 'chat:7', { text: '<b>now</b>' })
  await items(page).first().filter({ hasText: '<b>now</b>' }).waitFor()

  await page.keyboard.press('Escape')
  await page.locator('#tail').waitFor({ state: 'hidden' })
  t.ok(
    await row(page, 'chat:7')
      .getByRole('button')
      .evaluate((it) => it === document.activeElement),
    'the focus is where it came from',
  )
  t.same(complaints, [])
  stream.close()
})

t.test('orders and filters channels, and names who takes nothing', async (t) => {
  const node = await gateway(t)
  const { url } = node
  const streams = await Promise.all([subscribe(url, ['a', 'b']), subscribe(url, ['b'])])
  for (const stream of streams) await stream.event('stream.live')
  const stuck = await connect(url)
  stuck.write('GET /v1/events?channel=hose HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await stuck.until(/stream\.live/)
  stuck.pause()
  for (let n = 0; n < 60; n++) {
    await post(`${url}/v1/events?channel=hose`, JSON.stringify('x'.repeat(200_000)))
  }
  const { page, complaints } = await inspect(t, node, 390)
  const names = () =>
    page.locator('#channel-rows tr').evaluateAll((rows) => rows.map((it) => it.dataset.channel))
  // The liveliest first, once its rate has been taken.
  await page.locator('#channel-rows tr:first-child[data-channel="hose"]').waitFor()
  await page.getByRole('button', { name: 'Readers' }).click()
  await page.locator('#channel-rows tr:first-child[data-channel="b"]').waitFor()
  t.equal(await page.locator('th[aria-sort="descending"]').textContent(), 'Readers')
  await page.getByLabel('Begins with').fill('a')
  await row(page, 'b').waitFor({ state: 'detached' })
  t.same(await names(), ['a'])

  const worst = page.locator('#stream-rows tr').first()
  await worst.filter({ hasText: 'stalled for' }).waitFor()
  t.match(await worst.textContent(), 'hose')
  t.match(await page.locator('#figures').textContent(), /Slow readers1/)
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
  t.notOk(wide, 'nothing is wider than a phone')
  t.same(complaints, [])
  stuck.destroy()
  for (const stream of streams) stream.close()
})

t.test('opens a quiet channel by its name, and again after a reload', async (t) => {
  const node = await gateway(t)
  await publish(node.url, 'quiet:a+b', { text: 'long ago' })
  const { page, complaints } = await inspect(t, node)
  await page.getByLabel('Begins with').fill('quiet:a+b')
  await page.keyboard.press('Enter')
  await items(page).filter({ hasText: 'long ago' }).waitFor()
  t.equal(new URL(page.url()).hash, '#channel=quiet:a%2Bb')
  await page.reload()
  await items(page).filter({ hasText: 'long ago' }).waitFor()
  await page.getByRole('button', { name: 'Close' }).click()
  t.equal(new URL(page.url()).hash, '')
  t.same(complaints, [])
})

t.test('leaves out channels of the gateway’s own until they are asked for', async (t) => {
  const node = await gateway(t)
  const { url } = node
  const here = await subscribe(url, ['chat:7', 'presence:chat:7'])
  await here.event('stream.live')
  const { page, complaints } = await inspect(t, node)
  await row(page, 'chat:7').waitFor()
  await page.getByText(/of the gateway’s own .* left out/).waitFor()
  t.equal(await row(page, 'presence:chat:7').count(), 0)
  await page.getByLabel('the gateway’s own, too').check()
  await row(page, 'presence:chat:7').waitFor()
  await page.getByLabel('the gateway’s own, too').uncheck()
  await row(page, 'presence:chat:7').waitFor({ state: 'detached' })
  // Whoever types their kind means them.
  await page.getByLabel('Begins with').fill('presence:')
  await row(page, 'presence:chat:7').waitFor()
  t.same(complaints, [])
  here.close()
})

t.test(
  'a locked gateway asks for a token, keeps it for the tab, and says why one won’t do',
  async (t) => {
    const node = await gateway(t, { SLUICE_JWT_SECRET: SECRET, SLUICE_API_KEY: KEY })
    await publish(node.url, 'secret', { text: 'hush' }, bearer(KEY))
    const { page, complaints } = await inspect(t, node)
    const field = page.getByLabel('Token or API key')
    const enter = async (token: string) => {
      await field.fill(token)
      await page.keyboard.press('Enter')
    }
    await field.waitFor()
    t.notOk(await page.locator('#view').isVisible())
    t.same(complaints, [], 'to ask is no error')
    await enter(await mint({ channels: { 'chat:*': ['admin'] } }))
    await page
      .locator('#refusal')
      .filter({ hasText: '"admin" everywhere is not granted' })
      .waitFor()
    complaints.length = 0

    await enter(await mint({ channels: { '**': ['admin'] } }))
    await row(page, 'secret').click()
    await items(page).filter({ hasText: 'hush' }).waitFor()
    await page.reload()
    await row(page, 'secret').waitFor()
    t.same(complaints, [])
    await page.getByRole('button', { name: 'Forget the token' }).click()
    await field.waitFor()
    t.notOk(await page.locator('#view').isVisible())
    t.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0)
  },
)

t.test(
  'a gateway that is gone is said to be, and back when it is; the tail says what it missed',
  async (t) => {
    const node = await gateway(t)
    const { page } = await inspect(t, node)
    const standing = (text: string) => page.locator('#standing').filter({ hasText: text }).waitFor()
    await standing('live')
    await publish(node.url, 'chat:7', 'before')
    await row(page, 'chat:7').click()
    await items(page).filter({ hasText: 'before' }).waitFor()
    await node.stop()
    await standing('doesn’t answer')
    await gateway(t, { SLUICE_PORT: String(node.port) })
    await standing('live')
    t.match(await page.locator('#nodes').textContent(), 'no sign of life since')
    // Its log was in memory: what the tail has read is not known any more.
    await page.locator('#tail-items .gap').filter({ hasText: 'Gap (unknown)' }).waitFor()
  },
)
