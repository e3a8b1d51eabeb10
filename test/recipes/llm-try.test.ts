/** docs/llm.md, "Try it in two minutes": its files as they stand, in a real Chromium, also before the demo's gateway. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.js'
import { start } from '../routes/support/start.js'
import { startBrowser } from '../support/browser.js'
import { codeIn, filesIn, layOut, readChapter } from '../support/page.js'
import { freePort } from '../support/ports.js'
import { DONE, openaiChunk, PAGE, SSE, startModel, withEnv } from './support/llm.js'
import { startProgram } from './support/program.js'

const chapter = readChapter(PAGE, 'Try it in two minutes')
const [shell = '', second = ''] = codeIn(chapter, 'sh')
const DEMO = fileURLToPath(new URL('../../demo/llm/main.mjs', import.meta.url))

const exported = (script: string) =>
  Object.fromEntries(
    [...script.matchAll(/^export (\w+)=(\S+)/gm)].map(([, name, it]) => [
      name!,
      it!.replace('…', 'of-the-operator'),
    ]),
  )

let browser: Browser
t.before(async () => {
  browser = await startBrowser()
})
t.teardown(() => browser?.close())

/** The application in front of a gateway, and a page of it. */
async function visit(t: Test, url: string) {
  const cwd = await layOut(t, filesIn(chapter))
  const port = String(await freePort())
  const env = { ...exported(second), SLUICE_URL: url, PORT: port }
  const [, address = ''] =
    /^Open (http:\S+)$/.exec(await startProgram(t, { command: ['node', 'app.mjs'], cwd, env })) ??
    []
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  await page.goto(address)
  const ask = async (question: string) => {
    await page.getByRole('textbox').fill(question)
    await page.getByRole('button').click()
  }
  const shows = (text: string) =>
    page.waitForFunction(
      `document.querySelector('p').textContent.startsWith(${JSON.stringify(text)})`,
    )
  return { page, ask, shows }
}

t.test('an answer survives a reload, in mid-sentence and afterwards', async (t) => {
  const model = await startModel(t)
  withEnv(t, exported(shell))
  const [file = ''] = codeIn(chapter, 'json')
  const config = loadConfig({
    env: {
      ...exported(shell),
      OPENAI_API_KEY: undefined,
      SLUICE_CONFIG: 'sluice.json',
      SLUICE_PORT: '0',
    },
    readFile: () => file.replace('https://api.openai.com', model.url),
  })
  const { url } = await start(t, config)
  const { page, ask, shows } = await visit(t, url)
  await ask('Hello?')
  const { response, body, request } = await model.next()
  t.match(JSON.parse(body), { stream: true, messages: [{ content: 'Hello?' }] })
  t.match(request.headers, { authorization: 'Bearer sk-of-the-operator' })
  response.writeHead(200, SSE).write(openaiChunk('Hel'))
  await shows('Hel')
  await page.reload()
  await shows('Hel')
  response.end(openaiChunk('lo') + DONE)
  await shows('Hello')
  await page.reload()
  await shows('Hello')
  await ask('And now?')
  const refused = await model.next()
  refused.response.writeHead(429).end('slow down')
  await shows('slow down')
})

t.test('without a provider: the demo is such a gateway', async (t) => {
  const port = String(await freePort())
  t.match(chapter.text, '`npm run demo:llm -- --gateway-port 8080`')
  const command = ['--pdeathsig', 'KILL', process.execPath, DEMO]
  const options = ['--port', '0', '--gateway-port', port]
  const child = spawn('setpriv', [...command, ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await exited
  })
  let url = ''
  for await (const line of createInterface({ input: child.stdout })) {
    url ||= /export SLUICE_URL=(\S+)/.exec(line)?.[1] ?? ''
    if (line.includes('$SLUICE_URL/v1/relay/openai/v1/chat/completions')) break
  }
  t.equal(url, `http://127.0.0.1:${port}`)
  const { page, ask, shows } = await visit(t, url)
  await ask('Who is there?')
  await shows('I’m a very')
  await page.reload()
  await shows('I’m a very small')
})
