/** The pages that come with the gateway: which are there, and for whom. */
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { startGatewayProcess } from '../support/gateway.js'
import { subscribe } from './support/stream.js'

async function start(t: Test, options: Record<string, unknown>): Promise<string> {
  const { url, close } = await startGateway(loadConfig({ options: { port: 0, ...options } }))
  t.teardown(close)
  return url
}

const DEMOS = ['/', '/chat', '/tokens', '/notifications', '/call']

t.test('an open gateway shows what it is, and demos', async (t) => {
  const url = await start(t, {})
  for (const path of [...DEMOS, '/inspect']) {
    const page = await fetch(`${url}${path}`)
    t.equal(page.status, 200, path)
    t.match(page.headers.get('content-type'), 'text/html')
    t.match(page.headers.get('content-security-policy'), "default-src 'none'")
    const text = await page.text()
    t.match(text, /<title>.+<\/title>/)
    for (const [, file] of text.matchAll(/(?:src|href)="(\/pages\/[^"#]+)"/g)) {
      t.equal((await fetch(`${url}${file}`)).status, 200, `${file}`)
    }
  }
})

t.test('a slash at the end leads to the page, with all that is asked of it', async (t) => {
  const url = await start(t, {})
  for (const path of [...DEMOS.filter((path) => path !== '/'), '/inspect']) {
    const answer = await fetch(`${url}${path}/?room=a/b`, { redirect: 'manual' })
    t.equal(answer.status, 308, path)
    t.equal(answer.headers.get('location'), `${path}?room=a/b`)
    t.equal((await fetch(`${url}${path}/`)).url, `${url}${path}`)
  }
})

t.test('one that is locked shows the way into it alone', async (t) => {
  const url = await start(t, { apiKey: 'a-key-that-is-long-enough-for-anybody' })
  const first = await fetch(`${url}/`, { redirect: 'manual' })
  t.equal(first.status, 302)
  t.equal(first.headers.get('location'), '/inspect')
  for (const path of DEMOS.filter((path) => path !== '/')) {
    t.equal((await fetch(`${url}${path}`)).status, 404, path)
    t.equal((await fetch(`${url}${path}/`)).status, 404, `${path}/`)
  }
  t.equal((await fetch(`${url}/demo/answers`, { method: 'POST' })).status, 404)
  t.equal((await fetch(`${url}/inspect`)).status, 200)
})

t.test('they can be turned off', async (t) => {
  const url = await start(t, { pages: 'off' })
  for (const path of [...DEMOS, '/inspect']) t.equal((await fetch(`${url}${path}`)).status, 404)
})

t.test('the small model pushes a whole answer into a run', async (t) => {
  const url = await start(t, {})
  const asked = await fetch(`${url}/demo/answers?question=How+does+a+sluice+work%3F`, {
    method: 'POST',
  })
  t.equal(asked.status, 202)
  const { run } = (await asked.json()) as { run: string }
  const state = await fetch(`${url}/v1/runs/${run}`)
  t.match(await state.json(), { id: run, state: 'running' })
  const stopped = await fetch(`${url}/v1/runs/${run}/stop`, { method: 'POST' })
  t.ok(stopped.ok)
  t.match(await (await fetch(`${url}/v1/runs/${run}`)).json(), { state: 'aborted' })
})

t.test('a question that is none is refused', async (t) => {
  const url = await start(t, {})
  const query = new URLSearchParams({ question: 'x'.repeat(501) })
  const answer = await fetch(`${url}/demo/answers?${query}`, { method: 'POST' })
  t.equal(answer.status, 400)
  t.match(await answer.json(), { code: 'request_invalid', detail: /500/ })
})

t.test('a gateway whose small model speaks shuts down at once, and well', async (t) => {
  const gateway = await startGatewayProcess()
  t.teardown(() => gateway.stop())
  const { url } = gateway
  const asked = await fetch(`${url}/demo/answers?question=sluice`, { method: 'POST' })
  const { run } = (await asked.json()) as { run: string }
  const reader = await subscribe(url, [`run:${run}`], 'after=earliest')
  await reader.until(() => reader.text.includes('token'))
  const from = performance.now()
  await gateway.stop()
  await reader.over()
  t.match(reader.text, /done\\":true/, 'nobody is left with half an answer')
  t.equal(await gateway.ended, 0)
  t.ok(performance.now() - from < 8_000, 'before its drain time of 10 s is over')
  t.notMatch(gateway.log.join('\n'), /AbortError|"level":[456]0/)
  reader.close()
})
