/** docs/llm.md, "A page with EventSource" and "Stop", in a real Chromium. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { ask } from '../routes/support/ask.js'
import { startBrowser } from '../support/browser.js'
import { codeIn, filesIn, layOut, readChapter } from '../support/page.js'
import { freePort } from '../support/ports.js'
import { startApp } from './support/app.js'
import { DONE, KEY, openaiChunk, PAGE, SSE, startLlm, withEnv } from './support/llm.js'

let browser: Browser
t.before(async () => {
  browser = await startBrowser()
})
t.teardown(() => browser?.close())

const chapter = readChapter(PAGE, 'A page with EventSource')
const [, script = ''] = codeIn(chapter, 'js')
const [beacon = ''] = codeIn(readChapter(PAGE, 'Stop'), 'js')
const authorization = `Bearer ${KEY}`

const OWN = `
  let text = ''
  const show = (more) => { text += more; notes.shown[0] = { data: text }; told() }
  const end = (how) => { notes.answers.push('ended ' + how); told() }
`

/** Its names are also those of the stage: it has a scope of its own, and these handles. */
const HANDLES = 'window.page = { ask, stop, current: () => current }'

async function stage(t: Test) {
  // The gateway must know the page's origin before there is one.
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const llm = await startLlm(t, { env: { SLUICE_CORS_ORIGINS: origin } })
  const directory = await layOut(t, {
    ...filesIn(readChapter('security.md', 'Next.js')),
    ...filesIn(chapter),
    'lib/auth.js': `export const getUser = async (request) =>
      request.headers.get('cookie') === 'login=7' ? { id: '7' } : null`,
  })
  withEnv(t, llm.env)
  const { POST } = await import(pathToFileURL(join(directory, 'app/ask/route.js')).href)
  const answer = async (body: string, cookie = 'login=7', key = 'k'): Promise<Response> => {
    const headers = { cookie, 'idempotency-key': key }
    return POST(new Request(`${origin}/ask`, { method: 'POST', body, headers }))
  }
  let questions = 0
  const app = await startApp(t, {
    ...{ browser, port, script: () => `{ ${OWN} ${script} ${HANDLES} }`, sluice: () => llm.url },
    async answer(path, response) {
      if (path !== '/ask') return null
      const own = await answer('Hello', 'login=7', `k${questions++}`)
      response.statusCode = own.status
      return own.ok ? own.json() : null
    },
  })
  const { page, until } = await app.open(origin)
  return { llm, page, until, answer }
}

t.test('a page that is reloaded in mid-sentence has it all again, and the rest', async (t) => {
  const { llm, page, until, answer } = await stage(t)
  const asked = page.evaluate(`page.ask('Hello')`)
  const { response, body } = await llm.model.next()
  t.match(JSON.parse(body), { stream: true, messages: [{ content: 'Hello' }] })
  response.writeHead(200, SSE).write(openaiChunk('Hel'))
  await asked
  await until(({ shown }) => shown[0]?.data === 'Hel')
  await page.reload()
  await until(({ shown }) => shown[0]?.data === 'Hel')
  response.end(openaiChunk('lo') + DONE)
  const notes = await until(({ answers }) => answers.includes('ended done'))
  t.same(notes.shown, [{ data: 'Hello' }])
  t.equal((await answer('Hello', '')).status, 401, 'nobody else')
  await page.reload()
  const again = await until(({ answers }) => answers.includes('ended done'))
  t.same(again.shown, [{ data: 'Hello' }], 'also after the end')
})

t.test('an end without the format’s own is found out, and so is a run that is none', async (t) => {
  const { llm, page, until } = await stage(t)
  const run = { method: 'POST', headers: { authorization, 'content-type': 'application/json' } }
  const item = JSON.stringify(openaiChunk('Hel').slice(6).trim())
  t.equal((await ask(`${llm.url}/v1/runs/7:a/events`, { ...run, body: item })).status, 201)
  t.equal((await ask(`${llm.url}/v1/runs/7:a/end`, { ...run, body: '{}' })).status, 200)
  const wish = JSON.stringify({ subject: '7', channels: ['run:7:a', 'run:7:none'] })
  const { ticket } = (await ask(`${llm.url}/v1/tickets`, { ...run, body: wish })).json
  const come = async (current: object) => {
    await page.evaluate(`sessionStorage.setItem('run', '${JSON.stringify(current)}')`)
    await page.reload()
  }
  await come({ run: '7:a', ticket })
  const { shown } = await until(({ answers }) => answers.includes('ended done'))
  t.same(shown, [{ data: 'Hel' }])
  await come({ run: '7:none', ticket })
  await until(({ answers }) => answers.includes('ended run_unknown'))
  await come({ run: '7:a', ticket: 'x'.repeat(43) })
  await until(({ answers }) => answers.includes('ended ticket_invalid'))
})

t.test('another question silences the one before, and a failed one is told', async (t) => {
  const { llm, page, until } = await stage(t)
  await page.evaluate('page.stop()')
  const first = page.evaluate(`page.ask('Hello')`)
  const one = await llm.model.next()
  one.response.writeHead(200, SSE).write(openaiChunk('one'))
  await first
  await until(({ shown }) => shown[0]?.data === 'one')
  const second = page.evaluate(`page.ask('Hello')`)
  const two = await llm.model.next()
  two.response.writeHead(200, SSE).write(openaiChunk(' two'))
  await second
  await until(({ shown }) => shown[0]?.data === 'one two')
  one.response.end(openaiChunk('!') + DONE)
  two.response.end(DONE)
  const { shown } = await until(({ answers }) => answers.includes('ended done'))
  t.same(shown, [{ data: 'one two' }])
  const third = page.evaluate(`page.ask('Hello')`)
  const { response } = await llm.model.next()
  response.writeHead(429).end()
  await third
  await until(({ answers }) => answers.includes('ended failed 502'))
})

t.test('a question that is sent twice is asked once', async (t) => {
  const { llm, answer } = await stage(t)
  const both = [answer('Hello'), answer('Hello')]
  const { response } = await llm.model.next()
  response.writeHead(200, SSE).end(openaiChunk('Hello') + DONE)
  const [one, two] = await Promise.all(both.map(async (it) => (await it).json()))
  t.equal(one.run, two.run)
  t.equal(llm.model.asked.length, 1)
})

t.test('a stop by a beacon is seen by everybody, and the upstream is let go of', async (t) => {
  const { llm, page, until } = await stage(t)
  const asked = page.evaluate(`page.ask('Hello')`)
  const { response } = await llm.model.next()
  const gone = new Promise((resolve) => response.once('close', resolve))
  response.writeHead(200, SSE).write(openaiChunk('Hel'))
  await asked
  await until(({ shown }) => shown[0]?.data === 'Hel')
  const run = await page.evaluate<string>('page.current().run')
  t.match(script.replaceAll('current.', ''), beacon.trim(), 'as the chapter says')
  await page.evaluate('page.stop()')
  await gone
  const notes = await until(({ answers }) => answers.includes('ended aborted'))
  t.same(notes.shown, [{ data: 'Hel' }])
  const state = await ask(`${llm.url}/v1/runs/${run}`, { headers: { authorization } })
  t.match(state.json, { state: 'aborted', text: 'Hel' })
})

t.test('a backend hears when nothing was begun', async (t) => {
  const { llm, answer } = await stage(t)
  const answered = answer('Hello')
  const { response } = await llm.model.next()
  response.writeHead(429).end()
  t.equal((await answered).status, 502)
})
