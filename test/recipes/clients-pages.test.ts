/** docs/clients.md, the pages: as they stand there, in a real Chromium. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { startBrowser, startPageServer } from '../support/browser.js'
import { startCutter } from '../support/cutter.js'
import { startGatewayProcess } from '../support/gateway.js'
import { codeIn, filesIn, layOutApplication, readChapter, runShell } from '../support/page.js'
import { freePort } from '../support/ports.js'
import { seeded } from '../support/random.js'
import { until } from '../support/until.js'
import { startFollower } from './support/follower.js'

const PAGE = 'clients.md'
const GATEWAY = 'http://127.0.0.1:8080'

let browser: Browser
t.before(async () => {
  browser = await startBrowser()
})
t.teardown(() => browser?.close())
t.jobs = 3

const chat = readChapter(PAGE, 'A chat of your own, in ten minutes')
const [setUp = '', serve = '', curl = ''] = codeIn(chat, 'sh')
const [html = ''] = codeIn(chat, 'html')
const rule = /'(.*)' > my-chat\/sluice\.json/.exec(setUp)?.[1] ?? ''

/** Opens a page as somebody. */
async function visit(t: Test, url: string, name: string): Promise<Page> {
  const context = await browser.newContext()
  t.teardown(() => context.close())
  // As if it had been asked for: Chromium can't always be answered while a page is loaded.
  await context.addInitScript(`if (location.protocol === 'http:') sessionStorage.me ??= '${name}'`)
  const page = await context.newPage()
  page.on('pageerror', (error) => t.fail(String(error)))
  // The program that serves it tells nobody when it is ready.
  await until('served', async () => (await page.goto(url))?.ok() ?? false)
  return page
}

const says = (page: Page, text: string) => page.locator('li', { hasText: text }).last().waitFor()
const here = (page: Page, ...names: string[]) =>
  page.waitForFunction((all) => {
    const shown = document.querySelector('#here')?.textContent ?? ''
    return shown.split(', ').sort().join() === all
  }, names.sort().join())

async function send(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

t.test('a chat in ten minutes: names, history, typing, reloads, copies, restarts', async (t) => {
  const [port, pagePort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  t.match(html, GATEWAY)
  const cwd = await layOutApplication(t, {
    'my-chat/index.html': html.replaceAll(GATEWAY, url),
    'my-chat/sluice.json': rule,
  })
  const env = {
    SLUICE_CONFIG: join(cwd, 'my-chat/sluice.json'),
    SLUICE_PORT: String(port),
    SLUICE_DRAIN_TIME: '200ms',
  }
  let gateway = await startGatewayProcess(env)
  t.teardown(() => gateway.stop())
  t.match(serve, 'listen(3000')
  const command = ['sh', '-c', serve.replace('3000', String(pagePort))]
  startFollower(t, { command, cwd, env: {} })
  const address = `http://127.0.0.1:${pagePort}`

  const ada = await visit(t, address, 'Ada')
  await send(ada, 'Anybody here?')
  await says(ada, 'Ada: Anybody here?')
  const bob = await visit(t, address, 'Bob')
  await says(bob, 'Ada: Anybody here?')
  for (const page of [ada, bob]) await here(page, 'Ada', 'Bob')
  await bob.getByLabel('Message').pressSequentially('Yes')
  await ada.locator('#typing', { hasText: 'Bob …' }).waitFor()
  await bob.getByRole('button', { name: 'Send' }).click()
  await says(ada, 'Bob: Yes')
  t.equal(await ada.locator('#typing').textContent(), '')
  await runShell(curl.replaceAll(GATEWAY, url))
  for (const page of [ada, bob]) await says(page, 'curl: Hello')

  await bob.reload()
  await says(bob, 'curl: Hello')
  await here(bob, 'Ada', 'Bob')
  const copied = bob.context().waitForEvent('page')
  await bob.evaluate(() => void window.open(location.href))
  const copy = await copied
  for (const page of [ada, bob, copy]) await here(page, 'Ada', 'Bob', 'Bob')
  // Of the same name, and not the same.
  await copy.getByLabel('Message').pressSequentially('Me too')
  await bob.locator('#typing', { hasText: 'Bob …' }).waitFor()

  await gateway.stop()
  await ada.locator('#state', { hasText: 'waiting' }).waitFor()
  await send(ada, 'Still there?')
  gateway = await startGatewayProcess(env)
  for (const page of [ada, bob, copy]) {
    await says(page, 'missing')
    await says(page, 'Ada: Still there?')
    await here(page, 'Ada', 'Bob', 'Bob')
  }
})

t.test('the same with tokens: the gateway says who wrote what', async (t) => {
  const chapter = readChapter(PAGE, 'With tokens')
  const [lock = '', start = ''] = codeIn(chapter, 'sh')
  const secret = /SLUICE_JWT_SECRET=(\S+)/.exec(lock)?.[1] ?? ''
  t.match(start, `SLUICE_JWT_SECRET=${secret}`)
  const [server = ''] = codeIn(chapter, 'js')
  t.match(server, 'listen(3000')
  const pagePort = await freePort()
  const files = {
    'my-chat/sluice.json': rule,
    'my-chat/server.mjs': server.replace('listen(3000', `listen(${pagePort}`),
  }
  const rules = await layOutApplication(t, files)
  const gateway = await startGatewayProcess({
    SLUICE_CONFIG: join(rules, 'my-chat/sluice.json'),
    SLUICE_JWT_SECRET: secret,
  })
  t.teardown(gateway.stop)
  const page = patched(html, codeIn(chapter, 'diff')[0] ?? '').replaceAll(GATEWAY, gateway.url)
  const cwd = await layOutApplication(t, { ...files, 'my-chat/index.html': page }, ['jose'])
  startFollower(t, { command: ['sh', '-c', start], cwd, env: {} })

  const address = `http://127.0.0.1:${pagePort}`
  const [ada, bob] = [await visit(t, address, 'Ada'), await visit(t, address, 'Bob')]
  for (const page of [ada, bob]) await here(page, 'Ada', 'Bob')
  await send(ada, 'Hello')
  await says(bob, 'Ada: Hello')
  await bob.getByLabel('Message').pressSequentially('Hi')
  await ada.locator('#typing', { hasText: 'Bob …' }).waitFor()
  t.equal((await post(`${gateway.url}/v1/events?channel=chat:lobby`, '"nobody"')).status, 401)
})

/** A text after a list of lines that go, each with the line that comes in its place. */
function patched(text: string, diff: string): string {
  const lines = diff.trimEnd().split('\n')
  const out = lines.filter((line) => line.startsWith('-')).map((line) => line.slice(1))
  const own = lines.filter((line) => line.startsWith('+')).map((line) => line.slice(1))
  return out.reduce((now, line, i) => {
    if (!now.includes(`\n${line}\n`)) throw new Error(`the page has no line "${line}"`)
    return now.replace(`\n${line}\n`, () => `\n${own[i]}\n`)
  }, text)
}

/** Serves a script that was bundled as the page says, and what the application answers besides. */
async function serveBundle(
  t: Test,
  entry: string,
  body: string,
  answers: Readonly<Record<string, () => unknown>> = {},
): Promise<string> {
  const { outputFiles } = await build({
    ...{ entryPoints: [entry], bundle: true, write: false, format: 'esm', jsx: 'automatic' },
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  const script = outputFiles[0]!.text
  const page = `<!doctype html><link rel="icon" href="data:,">${body}`
  const server = createServer(({ url = '/' }, response) => {
    const answer = answers[url]?.()
    const type =
      url === '/script.js' ? 'text/javascript' : answer ? 'application/json' : 'text/html'
    response.setHeader('content-type', `${type}; charset=utf-8`)
    response.end(url === '/script.js' ? script : answer ? JSON.stringify(answer) : page)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('with a bundler: changes come, and after a gap the state is loaded again', async (t) => {
  const gateway = await startGatewayProcess()
  t.teardown(gateway.stop)
  const files = filesIn(readChapter(PAGE, 'With a bundler'))
  t.match(files['orders.ts'], GATEWAY)
  const cwd = await layOutApplication(t, {
    'orders.ts': files['orders.ts']!.replaceAll(GATEWAY, gateway.url),
  })
  let truth = [{ id: 1, status: 'placed' }]
  const body = '<body></body><script type="module" src="/script.js"></script>'
  const answers = { '/orders.json': () => truth }
  const page = await visit(t, await serveBundle(t, `${cwd}/orders.ts`, body, answers), '')
  await page.waitForFunction(() => document.title === 'Orders')
  const shows = (text: string) =>
    page.waitForFunction((text) => document.body.textContent === text, text)
  await shows('1 placed')
  const channel = `${gateway.url}/v1/events?channel=orders:berlin`
  await post(channel, { id: 2, status: 'packed' })
  await shows('1 placed, 2 packed')
  await post(`${channel}&name=removed`, { id: 1 })
  await shows('2 packed')
  await page.context().setOffline(true)
  await page.waitForFunction(() => document.title === 'Orders (offline)')
  await post(channel, { id: 3, status: 'placed' })
  await ask(`${gateway.url}/v1/channels?channel=orders:berlin`, { method: 'DELETE' })
  truth = [{ id: 3, status: 'sent' }]
  await page.context().setOffline(false)
  await shows('3 sent')
})

t.test('React: the chat once more', async (t) => {
  const directory = await layOutApplication(t, { 'sluice.json': rule })
  const gateway = await startGatewayProcess({ SLUICE_CONFIG: join(directory, 'sluice.json') })
  t.teardown(gateway.stop)
  const chapter = readChapter(PAGE, 'React')
  const [code = ''] = codeIn(chapter, 'jsx')
  t.match(code, GATEWAY)
  const [, body = ''] = /^`(<main.*<\/script>)`/m.exec(chapter.text) ?? []
  t.match(body, 'src="chat.js"')
  const files = { 'chat.jsx': code.replaceAll(GATEWAY, gateway.url) }
  const cwd = await layOutApplication(t, files, ['react', 'react-dom'])
  const address = await serveBundle(t, `${cwd}/chat.jsx`, body.replace('chat.js', '/script.js'))
  const ada = await visit(t, address, 'Ada')
  await send(ada, 'Hello')
  await says(ada, 'Ada: Hello')
  const bob = await visit(t, address, 'Bob')
  await says(bob, 'Ada: Hello')
  for (const page of [ada, bob]) await page.getByText(/^Here: Ada, Bob\s*$/).waitFor()
  await bob.getByLabel('Message').pressSequentially('Hi')
  await ada.getByText('Bob …').waitFor()
  await ada.getByText('Bob …').waitFor({ state: 'detached' })
  await bob.getByRole('button', { name: 'Send' }).click()
  await says(ada, 'Bob: Hi')
})

t.test('EventSource: it comes back, tells what is missing, publishes, and stops', async (t) => {
  const gateway = await startGatewayProcess()
  t.teardown(gateway.stop)
  const cutter = await startCutter({
    ...{ target: gateway.port, random: seeded(7), budget: () => undefined },
  })
  t.teardown(() => cutter.stop())
  const [code = ''] = codeIn(readChapter(PAGE, 'EventSource'), 'html')
  t.match(code, GATEWAY)
  const pages = await startPageServer(code.replaceAll(GATEWAY, cutter.url))
  t.teardown(pages.stop)
  const channel = `${gateway.url}/v1/events?channel=chat:lobby`
  const about = `${gateway.url}/v1/channels?channel=chat:lobby`
  await post(channel, { from: 'Ada', text: 'one' })
  const page = await visit(t, pages.origin, '')
  await says(page, 'Ada: one')
  await send(page, 'two')
  await says(page, 'me: two')
  cutter.cutAll()
  await until('cut', async () => (await ask(about)).json.subscribers === 0)
  await post(channel, { from: 'Ada', text: 'lost' })
  await ask(about, { method: 'DELETE' })
  await post(channel, { from: 'Ada', text: 'three' })
  await says(page, 'missing')
  await says(page, 'Ada: three')
  await post(`${gateway.url}/v1/channels/close?channel=chat:lobby`, {})
  await says(page, 'Closed.')
  const all = ['Ada: one', 'me: two', /missing/, 'Ada: three', /Closed/]
  t.match(await page.locator('li').allTextContents(), all)
})

t.test('in Node: a bot answers', async (t) => {
  const gateway = await startGatewayProcess()
  t.teardown(gateway.stop)
  const [code = ''] = codeIn(readChapter(PAGE, 'In Node'), 'js')
  t.match(code, GATEWAY)
  const cwd = await layOutApplication(t, { 'bot.mjs': code.replaceAll(GATEWAY, gateway.url) })
  const bot = startFollower(t, { command: [process.execPath, 'bot.mjs'], cwd, env: {} })
  const about = `${gateway.url}/v1/channels?channel=chat:lobby`
  await until('there', async () => (await ask(about)).json.subscribers === 1)
  const channel = `${gateway.url}/v1/events?channel=chat:lobby`
  await post(channel, { from: 'Ada', text: 'ping' })
  await until('answered', async () => {
    const { json } = await ask(`${channel}&after=earliest&wait=0`, {
      headers: { accept: 'application/json' },
    })
    return json.events.at(-1).data.text === 'pong'
  })
  bot.stop()
  t.equal(await bot.ended, 0)
})

t.test('curl: what it publishes arrives', async (t) => {
  const gateway = await startGatewayProcess()
  t.teardown(gateway.stop)
  const [script = ''] = codeIn(readChapter(PAGE, 'curl'), 'sh')
  t.match(JSON.parse(await runShell(script.replaceAll(GATEWAY, gateway.url))), {
    channel: 'chat:lobby',
    duplicate: false,
  })
})
