/** `npm run demo:call` as two people see it: in a real Chromium, at a desk and on a phone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { startBrowser } from '../support/browser.js'
import { certificate } from '../support/certificate.js'
import { CALL_ARGS } from './support/call.js'

const PROGRAM = fileURLToPath(new URL('../../demo/call/main.mjs', import.meta.url))
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  isMobile: true,
  hasTouch: true,
}

let browser: Browser
let demo: Awaited<ReturnType<typeof startDemo>>
t.before(async () => {
  browser = await startBrowser(CALL_ARGS)
  demo = await startDemo()
})
t.teardown(async () => {
  await browser?.close()
  await demo?.stop()
})
// A browser's start and its encoders, on a machine that does other things too.
t.setTimeout(180_000)

async function startDemo(...args: readonly string[]) {
  // The kernel ends it with us, also where we are killed and no handler of ours runs.
  const command = ['--pdeathsig', 'KILL', process.execPath, PROGRAM, '--port', '0', ...args]
  const child = spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let url: string | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    url = /https?:\S+/.exec(line)?.[0]
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

let rooms = 0
const newRoom = () => `room-${++rooms}`

/** Somebody who joins. `errors`: what the console complains of. */
async function visit(
  t: Test,
  name: string,
  room: string,
  options: BrowserContextOptions = {},
  url = demo.url,
) {
  const context = await browser.newContext(options)
  t.teardown(() => context.close())
  const page = await context.newPage()
  const errors: string[] = []
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
  page.on('pageerror', (error) => errors.push(String(error)))
  await page.goto(`${url}#room=${room}`)
  await page.getByLabel('Your name').fill(name)
  await page.keyboard.press('Enter')
  await page.waitForSelector('[data-view=call]')
  return { page, errors }
}

const connected = (page: Page) => page.waitForSelector('.tile:not(.own)[data-state=connected]')

/** The line of somebody in the list. */
const inList = (page: Page, name: string) => page.locator('#people li').filter({ hasText: name })

/** Colours of everybody in the list. */
const hues = (page: Page) =>
  page
    .locator('#people .avatar')
    .evaluateAll((all) => all.map((it) => (it as HTMLElement).style.getPropertyValue('--hue')))

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text)
  await page.keyboard.press('Enter')
}

const hears = (page: Page, text: string) =>
  page.locator('#messages li').filter({ hasText: text }).waitFor()

t.test('two windows see each other, and what one writes the other reads', async (t) => {
  const room = newRoom()
  const ada = await visit(t, 'Ada', room)
  // Whoever comes later reads it, too.
  await say(ada.page, 'Is anybody there?')
  const grace = await visit(t, 'Grace', room)
  await Promise.all([connected(ada.page), connected(grace.page)])
  await hears(grace.page, 'Is anybody there?')
  await say(grace.page, 'Nobody but me.')
  await hears(ada.page, 'Nobody but me.')
  await ada.page.waitForFunction(() => {
    const video = document.querySelector<HTMLVideoElement>('.tile:not(.own) video')
    return (video?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 5
  })
  await ada.page.locator('.quality', { hasText: /direct · \d+ ms/ }).waitFor()
  t.equal(new Set(await hues(ada.page)).size, 2, 'each has a colour of their own')
  t.strictSame([...ada.errors, ...grace.errors], [])
})

t.test('hands, mute requests and being sent away', async (t) => {
  const room = newRoom()
  const ada = await visit(t, 'Ada', room)
  const grace = await visit(t, 'Grace', room)
  await connected(ada.page)

  await grace.page.getByRole('button', { name: 'Raise hand' }).click()
  await inList(ada.page, 'Grace')
    .getByRole('button', { name: /hand up/ })
    .click()
  await grace.page.getByRole('button', { name: 'Raise hand' }).waitFor()

  await grace.page.getByRole('button', { name: 'Microphone' }).click()
  await inList(ada.page, 'Grace')
    .getByRole('button', { name: /to mute/ })
    .click()
  // The question has the focus: a key answers it.
  await grace.page.getByRole('alertdialog').waitFor()
  await grace.page.keyboard.press('Enter')
  await inList(ada.page, 'Grace').getByText('microphone off').waitFor()

  await inList(ada.page, 'Grace')
    .getByRole('button', { name: /^Remove/ })
    .click()
  await grace.page.getByRole('heading', { name: 'You were removed' }).waitFor()
  await hears(ada.page, 'Grace was removed by Ada')
  t.equal(await ada.page.locator('.tile').count(), 1)

  // It was no ban.
  await grace.page.getByRole('button', { name: 'Join again' }).click()
  await grace.page.getByRole('button', { name: 'Join', exact: true }).click()
  await Promise.all([connected(ada.page), connected(grace.page)])
  t.strictSame([...ada.errors, ...grace.errors], [])
})

t.test('who reloads is back, who looks elsewhere is away', async (t) => {
  const room = newRoom()
  const ada = await visit(t, 'Ada', room)
  const grace = await visit(t, 'Grace', room)
  await connected(ada.page)
  await grace.page.getByRole('button', { name: 'Camera' }).click()
  await ada.page.waitForSelector('.tile:not(.own)[data-video=off]')
  // Looked for from before: by the time the page is loaded it may be over.
  await Promise.all([
    ada.page.waitForSelector('.tile:not(.own)[data-state=waiting]'),
    grace.page.reload(),
  ])
  // Nothing is pressed: name, room and switches are what they were.
  await Promise.all([connected(ada.page), connected(grace.page)])
  await ada.page.waitForSelector('.tile:not(.own)[data-video=off]')
  t.equal(await grace.page.locator('#camera').getAttribute('aria-pressed'), 'false')
  await say(grace.page, 'Here I am again.')
  await hears(ada.page, 'Here I am again.')
  t.equal(await ada.page.locator('#messages .event', { hasText: 'Grace has left' }).count(), 0)
  t.equal(await ada.page.locator('#messages .event', { hasText: 'Grace has come' }).count(), 1)

  await grace.page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  await inList(ada.page, 'Grace').getByText('away').waitFor()
  t.strictSame([...ada.errors, ...grace.errors], [])
})

t.test('who leaves has left, and a reload doesn’t bring them back', async (t) => {
  const room = newRoom()
  const ada = await visit(t, 'Ada', room)
  const grace = await visit(t, 'Grace', room)
  await connected(ada.page)
  await grace.page.getByRole('button', { name: 'Leave' }).click()
  await grace.page.getByRole('heading', { name: 'You have left' }).waitFor()
  await hears(ada.page, 'Grace has left')
  t.equal(await ada.page.locator('.tile').count(), 1)
  await grace.page.reload()
  await grace.page.getByRole('heading', { name: 'Call somebody' }).waitFor()
  t.equal(await grace.page.getByLabel('Your name').inputValue(), 'Grace')
  t.strictSame([...ada.errors, ...grace.errors], [])
})

t.test('on a phone everything fits, by day and by night', async (t) => {
  const room = newRoom()
  const context = { ...PHONE, colorScheme: 'dark' as const }
  const ada = await visit(t, 'Ada', room, context)
  const grace = await visit(t, 'Grace', room, PHONE)
  await Promise.all([connected(ada.page), connected(grace.page)])
  for (const { page } of [ada, grace]) {
    const { wide, small } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth > innerWidth,
      small: [...document.querySelectorAll<HTMLElement>('#controls button, #people button')]
        .filter(({ offsetHeight, offsetWidth }) => Math.min(offsetHeight, offsetWidth) < 40)
        .map(({ textContent }) => textContent),
    }))
    t.equal(wide, false, 'nothing sticks out')
    t.strictSame(small, [], 'a thumb is enough')
    t.ok(await page.getByText('connected', { exact: true }).isVisible(), 'a dot has its word')
  }
  const camera = grace.page.getByRole('button', { name: 'Camera' })
  await camera.click()
  await ada.page.waitForSelector('.tile:not(.own)[data-video=off]')
  t.equal(await camera.getAttribute('aria-pressed'), 'false')
  t.strictSame([...ada.errors, ...grace.errors], [])
})

t.test('whoever has no camera sends a drawing', async (t) => {
  const room = newRoom()
  const ada = await visit(t, 'Ada', room)
  const context = await browser.newContext()
  t.teardown(() => context.close())
  await context.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () =>
      Promise.reject(new DOMException('none', 'NotFoundError'))
  })
  const page = await context.newPage()
  await page.goto(`${demo.url}#room=${room}`)
  await page.getByText('No camera').waitFor()
  await page.getByRole('button', { name: 'Join', exact: true }).click()
  await Promise.all([connected(page), connected(ada.page)])
  await ada.page.waitForFunction(() => {
    const video = document.querySelector<HTMLVideoElement>('.tile:not(.own) video')
    return (video?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 5
  })
})

t.test('with a certificate it is there for others, by HTTPS', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const { cert, key } = await certificate(directory)
  const own = await startDemo('--host', '0.0.0.0', '--cert', cert, '--key', key)
  t.teardown(() => own.stop())
  t.match(own.url, /^https:/)
  const url = own.url.replace('0.0.0.0', 'localhost')
  const trusting = { ignoreHTTPSErrors: true }
  const ada = await visit(t, 'Ada', 'room', trusting, url)
  const grace = await visit(t, 'Grace', 'room', trusting, url)
  await Promise.all([connected(ada.page), connected(grace.page)])
  t.strictSame([...ada.errors, ...grace.errors], [])
})

t.test('a page of somebody else’s name gets nothing', async (t) => {
  const ask = request(demo.url, { headers: { host: 'evil.example' } }).end()
  const [answer] = (await once(ask, 'response')) as [IncomingMessage]
  answer.resume()
  t.equal(answer.statusCode, 403)
})

t.test('the demo ends when it is told to', async (t) => {
  const own = await startDemo()
  t.strictSame(await own.stop(), [0, null])
})
