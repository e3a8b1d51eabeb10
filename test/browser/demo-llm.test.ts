/** `npm run demo:llm` as somebody sees it: in a real Chromium, with the reloads and stops of a visitor. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { startBrowser } from '../support/browser.js'

const PROGRAM = fileURLToPath(new URL('../../demo/llm/main.mjs', import.meta.url))

let browser: Browser
let demo: Awaited<ReturnType<typeof startDemo>>
t.before(async () => {
  browser = await startBrowser()
  demo = await startDemo()
})
t.teardown(async () => {
  await browser?.close()
  await demo?.stop()
})
// A generation takes its time, and so do browsers on a machine that does other things too.
t.setTimeout(180_000)

async function startDemo() {
  // The kernel ends it with us, also where we are killed and no handler of ours runs.
  const command = ['--pdeathsig', 'KILL', process.execPath, PROGRAM, '--port', '0']
  const child = spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let url: string | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    url = /http:\S+/.exec(line)?.[0]
    if (url !== undefined) break
  }
  if (url === undefined) throw new Error('the demo ended')
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}

/** The demo in a window of its own. `errors`: what its console complains of. */
async function visit(t: Test) {
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  const errors: string[] = []
  const asked: string[] = []
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('request', (request) => asked.push(request.url()))
  await page.goto(demo.url)
  return { page, errors, asked }
}

async function ask(page: Page, question: string): Promise<void> {
  await page.getByLabel('Your question').fill(question)
  await page.keyboard.press('Enter')
}

const phase = (page: Page, viewer: string, wanted: string) =>
  page.waitForSelector(`#${viewer}[data-phase=${wanted}]`, { timeout: 60_000 })

const textOf = (page: Page, viewer: string) =>
  page.evaluate((id) => document.querySelector(`#${id} .text`)?.textContent ?? '', viewer)

/** Resolves in the middle of a word or a sentence, once both viewers have so many characters. */
function midSentence(page: Page, length: number) {
  return page.waitForFunction((length) => {
    const texts = [...document.querySelectorAll('.viewer .text')].map((it) => it.textContent ?? '')
    return texts.every((text) => text.length > length && /\w$/.test(text))
  }, length)
}

/** What the upstream wrote, as it says itself. */
async function upstreamOf(page: Page): Promise<{ text: string; finished: boolean }> {
  const run = new URLSearchParams(new URL(page.url()).hash.slice(1)).get('run')
  const { gateway } = (await (await fetch(`${demo.url}/setup.json`)).json()) as { gateway: string }
  const read = await fetch(`${gateway}/v1/runs/${run}/events?limit=1`, {
    headers: { accept: 'application/json' },
  })
  const { events } = (await read.json()) as { events: { data: unknown }[] }
  const first = events[0]!.data
  const { id } = (typeof first === 'string' ? JSON.parse(first) : first) as { id: string }
  return (await fetch(`${demo.url}/generated/${id}`)).json() as Promise<never>
}

t.test('a page that is reloaded in mid-sentence, twice, loses nothing', async (t) => {
  const { page, errors, asked } = await visit(t)
  await ask(page, 'Why do rivers wander?')
  for (const length of [150, 500]) {
    await midSentence(page, length)
    const reloaded = page.waitForEvent('load')
    await page.getByRole('button', { name: 'Reload me' }).click()
    await reloaded
  }
  await Promise.all([phase(page, 'one', 'done'), phase(page, 'two', 'done')])
  const wrote = await upstreamOf(page)
  t.equal(wrote.finished, true)
  t.ok(wrote.text.length > 1500)
  for (const viewer of ['one', 'two']) {
    const text = await textOf(page, viewer)
    t.ok(Buffer.from(text).equals(Buffer.from(wrote.text)), `viewer ${viewer}, byte for byte`)
    await page.waitForSelector(`#${viewer} .notes [data-tone=good]`)
  }
  // The first viewer went on from its cursor, the second one read all of it again.
  t.equal(asked.filter((url) => /\/events\?after=/.test(url)).length, 2)
  t.equal(asked.filter((url) => url.endsWith('/events')).length, 4)
  t.equal(await page.locator('#one .seam').count(), 2)
  const seams = await page.evaluate(() =>
    [...document.querySelectorAll('#one .seam')].map((it) => it.previousSibling?.nodeValue ?? ''),
  )
  t.ok(seams[0]!.length > 150 && seams.join('').length > 500)
  t.ok(wrote.text.startsWith(seams.join('')) && wrote.text !== seams.join(''), 'in the midst of it')
  t.strictSame(errors, [])
})

t.test('a stop ends it in both viewers within two seconds', async (t) => {
  const { page, errors } = await visit(t)
  await page.getByRole('button', { name: 'How does a sluice work?' }).click()
  await midSentence(page, 60)
  const from = performance.now()
  await page.getByRole('button', { name: 'Stop' }).click()
  await Promise.all([phase(page, 'one', 'stopped'), phase(page, 'two', 'stopped')])
  t.ok(performance.now() - from < 2000)
  const [text, other] = [await textOf(page, 'one'), await textOf(page, 'two')]
  const wrote = await upstreamOf(page)
  t.equal(text, other)
  t.ok(text.length > 60 && wrote.text.startsWith(text))
  t.equal(wrote.finished, false)
  // A visitor who comes later is told so, too.
  await page.reload()
  await Promise.all([phase(page, 'one', 'stopped'), phase(page, 'two', 'stopped')])
  t.equal(await textOf(page, 'one'), text)
  t.strictSame(errors, [])
})

t.test('a viewer that is cut off goes on by itself where it was', async (t) => {
  const { page, errors } = await visit(t)
  await ask(page, 'What is the capital of France?')
  await midSentence(page, 60)
  await page.locator('#two .cut').click()
  await phase(page, 'two', 'connecting')
  const before = await textOf(page, 'two')
  await page.waitForSelector('#two [data-tone=resumed]', { timeout: 30_000 })
  t.ok((await textOf(page, 'one')).startsWith(before))
  await phase(page, 'one', 'streaming')
  await page.getByRole('button', { name: 'Stop' }).click()
  await Promise.all([phase(page, 'one', 'stopped'), phase(page, 'two', 'stopped')])
  t.equal(await textOf(page, 'two'), await textOf(page, 'one'))
  // Chromium itself complains of the connection that was cut, and of nothing else.
  t.strictSame(
    errors.filter((error) => !error.includes('net::ERR_')),
    [],
  )
})

t.test('the demo ends when it is told to', async (t) => {
  const own = await startDemo()
  t.strictSame(await own.stop(), [0, null])
})
