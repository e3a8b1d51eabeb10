/** docs/llm.md, "AI SDK": the page's hook around the real `useChat`, in React, in a real Chromium. */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { ask } from '../routes/support/ask.js'
import { startBrowser } from '../support/browser.js'
import { filesIn, layOut, readChapter } from '../support/page.js'
import { until } from '../support/until.js'
import { startChatApp } from './support/chat.js'
import { KEY, PAGE, startLlm } from './support/llm.js'

let browser: Browser
t.before(async () => {
  browser = await startBrowser()
})
t.teardown(() => browser?.close())

const authorization = `Bearer ${KEY}`

/** What a page is that has nothing but the hook: it shows what it says, and has two buttons. */
const APP = `
  import { createElement as h } from 'react'
  import { createRoot } from 'react-dom/client'
  import { useResumableChat } from './use-resumable-chat.js'

  function Chat({ saved }) {
    const { messages, status, error, sendMessage, stop } = useResumableChat('c1', saved)
    const text = ({ parts }) => parts.map((part) => part.text ?? '').join('')
    return h('main', {},
      messages.map((message) => h('p', { key: message.id, className: message.role }, text(message))),
      h('output', {}, error ? 'error: ' + error.message : status),
      h('button', { onClick: () => sendMessage({ text: 'Hello' }) }, 'Ask'),
      h('button', { onClick: stop }, 'Stop'),
    )
  }
  createRoot(document.body).render(h(Chat, { saved: JSON.parse(sessionStorage.getItem('saved') ?? '[]') }))
`

/** The page's script: React, the SDK and the hook in one file. */
async function bundle(t: Test): Promise<string> {
  const hook = 'app/use-resumable-chat.js'
  const directory = await layOut(t, {
    'app/use-resumable-chat.js': filesIn(readChapter(PAGE, 'AI SDK'))[hook]!,
    'app/main.js': APP,
  })
  const { outputFiles } = await build({
    ...{ entryPoints: [`${directory}/app/main.js`], bundle: true, write: false, format: 'esm' },
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  return outputFiles[0]!.text
}

async function stage(t: Test) {
  const llm = await startLlm(t)
  const app = await startChatApp(t, llm)
  const script = await bundle(t)
  const asked: string[] = []
  const server = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming
    if (url === '/') {
      outgoing.setHeader('content-type', 'text/html; charset=utf-8')
      outgoing.end('<!doctype html><body></body><script type="module" src="/main.js"></script>')
    } else if (url === '/main.js') {
      outgoing.setHeader('content-type', 'text/javascript; charset=utf-8').end(script)
    } else if (!url.startsWith('/api/')) outgoing.writeHead(404).end()
    else {
      const onward = request(app.url + url, { method, headers }, (answer) => {
        asked.push(`${method} ${url} ${answer.statusCode}`)
        outgoing.writeHead(answer.statusCode!, answer.headers)
        outgoing.flushHeaders()
        answer.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      outgoing.on('close', () => onward.destroy())
      incoming.pipe(onward)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const model = app.chats.says.writable.getWriter()
  async function visit() {
    const context = await browser.newContext()
    t.teardown(() => context.close())
    await context.addCookies([{ name: 'login', value: '7', url: origin }])
    const page = await context.newPage()
    await page.goto(origin)
    const shows = (answer: string, status: string) =>
      page.waitForFunction(
        `(document.querySelector('p.assistant')?.textContent ?? '') === ${JSON.stringify(answer)} &&
          document.querySelector('output')?.textContent === '${status}'`,
      )
    /** Reloads it with what the application has saved: the question. */
    const reload = async () => {
      const saved = [{ id: 'q', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }]
      await page.evaluate(`sessionStorage.setItem('saved', '${JSON.stringify(saved)}')`)
      await page.reload()
    }
    return {
      page,
      shows,
      reload,
      press: (name: string) => page.getByText(name, { exact: true }).click(),
    }
  }
  return {
    ...{ app, asked, visit },
    async begin() {
      await model.write({ type: 'stream-start', warnings: [] })
      await model.write({ type: 'text-start', id: 't' })
    },
    say: (delta: string) => model.write({ type: 'text-delta', id: 't', delta }),
    async end() {
      await model.write({ type: 'text-end', id: 't' })
      const usage = { inputTokens: { total: 3 }, outputTokens: { total: 2 } }
      await model.write({ type: 'finish', finishReason: { unified: 'stop' }, usage })
      await model.close()
    },
    state: async () => {
      const [id = ''] = app.chats.runs.values()
      return (await ask(`${llm.url}/v1/runs/${id}`, { headers: { authorization } })).json
    },
  }
}

t.test('useChat: a reload in mid-sentence has it all again, and the rest', async (t) => {
  const { asked, visit, begin, say, end, state } = await stage(t)
  const { shows, reload, press } = await visit()
  await shows('', 'ready')
  t.same(asked, ['GET /api/chat/c1/stream 204'], 'nothing runs')
  await press('Ask')
  await begin()
  await say('Hel')
  await shows('Hel', 'streaming')
  await reload()
  await shows('Hel', 'streaming')
  await say('lo')
  await shows('Hello', 'streaming')
  await end()
  await shows('Hello', 'ready')
  t.match(await state(), { state: 'done', format: 'ai-sdk', text: 'Hello' })
  t.equal(asked.at(-1), 'GET /api/chat/c1/stream 200')
})

t.test('useChat: a stop on one page ends it on both, as no error', async (t) => {
  const { app, visit, begin, say, state } = await stage(t)
  const first = await visit()
  await first.shows('', 'ready')
  await first.press('Ask')
  await begin()
  await say('Hel')
  await first.shows('Hel', 'streaming')
  const second = await visit()
  await second.shows('Hel', 'streaming')
  await second.press('Stop')
  await app.chats.aborted
  await first.shows('Hel', 'ready')
  await second.shows('Hel', 'ready')
  await until('it has ended', async () => (await state()).state !== 'running')
  t.match(await state(), { state: 'aborted', text: 'Hel' })
})
