/** The page `/tokens` as a visitor has it, in a real Chromium: answers that are reloaded, cut, stopped. */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { answerTo } from '../../src/site/answers.js'
import { startBrowser } from '../support/browser.js'

let browser: Browser
let gateway: Awaited<ReturnType<typeof startGateway>>
t.before(async () => {
  browser = await startBrowser()
  gateway = await startGateway(loadConfig({ options: { port: 0, drainTime: '200ms' } }))
})
t.teardown(async () => {
  await browser?.close()
  await gateway?.close()
})
// An answer takes its quarter of a minute: they are given side by side.
t.jobs = 4

const job = { buffered: true }
const RIVERS = 'Why do rivers wander?'

/** A window. `errors`: what its console complains of. */
async function visit(t: Test, { path = '/tokens', context = undefined as Own } = {}) {
  const own = context ?? (await browser.newContext())
  if (context === undefined) t.teardown(() => own.close())
  const page = await own.newPage()
  const errors: string[] = []
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
  page.on('pageerror', (error) => errors.push(String(error)))
  await page.goto(`${gateway.url}${path}`)
  return { page, errors, context: own }
}
type Own = BrowserContext | undefined

const textOf = (page: Page, viewer: string) =>
  page.evaluate((id) => document.querySelector(`#${id} .text`)?.textContent ?? '', viewer)

const phase = (page: Page, wanted: string, viewers = ['one', 'two']) =>
  Promise.all(
    viewers.map((id) => page.waitForSelector(`#${id}[data-phase=${wanted}]`, { timeout: 60_000 })),
  )

/** Resolves in the middle of a word or a sentence, once both viewers have so many characters. */
const midSentence = (page: Page, length: number) =>
  page.waitForFunction((length) => {
    const texts = [...document.querySelectorAll('.viewer .text')].map((it) => it.textContent ?? '')
    return texts.length > 0 && texts.every((text) => text.length > length && /\w$/.test(text))
  }, length)

async function reload(page: Page): Promise<void> {
  const loaded = page.waitForEvent('load')
  await page.getByRole('button', { name: 'Reload me' }).click()
  await loaded
}

/** Shows that the page isn't looked at, or is again. */
const hide = (page: Page, hidden: boolean) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  }, hidden)

t.test('reloaded twice and cut, an answer is whole in both readers', job, async (t) => {
  const { page, errors } = await visit(t)
  await page.getByLabel('Your question').fill(RIVERS)
  await page.keyboard.press('Enter')
  for (const length of [120, 300]) {
    await midSentence(page, length)
    await reload(page)
  }
  await midSentence(page, 450)
  await page.getByRole('button', { name: /^Cut/ }).click()
  await phase(page, 'connecting', ['one'])
  const before = (await textOf(page, 'one')).length
  // What is read meanwhile by the other one isn't lost for this one.
  await page.waitForFunction(
    (before) => document.querySelector('#two .text')!.textContent!.length > before + 40,
    before,
  )
  await phase(page, 'done')
  const whole = answerTo(RIVERS)
  t.equal(await textOf(page, 'one'), whole)
  t.equal(await textOf(page, 'two'), whole)
  const bytes = Buffer.byteLength(whole).toLocaleString('en')
  await page.getByText(`Both readers have the same ${bytes} bytes`).waitFor()
  // Marks stand in the midst of it: nothing was read again.
  const pieces = await page.evaluate(() =>
    [...document.querySelectorAll('#one .seam')].map((it) => it.previousSibling?.nodeValue ?? ''),
  )
  t.equal(pieces.length, 3)
  t.ok(whole.startsWith(pieces.join('')) && pieces.join('').length >= before)
  t.equal(await page.locator('#two .seam').count(), 0)
  t.strictSame(errors, [])
})

t.test('a stop in one window ends it in all, after the same text', job, async (t) => {
  const one = await visit(t)
  await one.page.getByRole('button', { name: 'How does a sluice work?' }).click()
  await midSentence(one.page, 60)
  const opened = one.context.waitForEvent('page')
  await one.page.getByRole('link', { name: 'Another window' }).click()
  const other = await opened
  await midSentence(other, 60)
  await other.getByRole('button', { name: 'Stop' }).click()
  await Promise.all([phase(one.page, 'stopped'), phase(other, 'stopped')])
  const texts = await Promise.all(
    [one.page, other].flatMap((page) => [textOf(page, 'one'), textOf(page, 'two')]),
  )
  t.equal(new Set(texts).size, 1)
  t.ok(answerTo('How does a sluice work?').startsWith(texts[0]!) && texts[0]!.length > 60)
  // Whoever comes later is told so, too.
  await reload(other)
  await phase(other, 'stopped')
  t.equal(await textOf(other, 'one'), texts[0])
  t.strictSame(one.errors, [])
})

t.test('a window that nobody looks at holds one connection, and misses nothing', job, async (t) => {
  const { page, errors } = await visit(t)
  await page.getByRole('button', { name: RIVERS }).click()
  await midSentence(page, 60)
  await hide(page, true)
  const before = await textOf(page, 'two')
  await page.waitForFunction(
    (length) => document.querySelector('#one .text')!.textContent!.length > length + 60,
    before.length,
  )
  t.equal(await textOf(page, 'two'), before)
  await hide(page, false)
  await phase(page, 'streaming', ['two'])
  await page.getByRole('button', { name: 'Stop' }).click()
  await phase(page, 'stopped')
  t.equal(await textOf(page, 'two'), await textOf(page, 'one'))
  t.equal(await page.locator('#two .seam').count(), 1)
  t.strictSame(errors, [])
})

t.test('an address whose run is no more says so, and one may ask again', job, async (t) => {
  const { page } = await visit(t, { path: '/tokens#run=demo:gone' })
  await page.getByText('no such answer').waitFor()
  await page.getByRole('button', { name: RIVERS }).click()
  await midSentence(page, 20)
  t.equal(await page.getByText('no such answer').count(), 0)
})
