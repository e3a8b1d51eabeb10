/** `sluice/react` in real React, in a real Chromium, against a real gateway. */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { connect } from '../../src/client/index.js'
import { useChannel, useConnectionState, usePresence } from '../../src/react/index.js'
import { ask } from '../routes/support/ask.js'
import { start } from '../routes/support/start.js'
import { type PageServer, startBrowser, startPageServer } from '../support/browser.js'
import { createPublisher } from '../support/publisher.js'
import { until } from '../support/until.js'
import { bundle } from './support.js'

/** A component that shows what the hooks give, and keeps what it gave last where a test finds it. */
const APP = `
  import { createElement as h, StrictMode, useState } from 'react'
  import { createRoot, hydrateRoot } from 'react-dom/client'
  import { connect } from 'sluice/client'
  import { useChannel, useConnectionState, usePresence } from 'sluice/react'

  window.renders = 0
  function Channel({ client, channel, options }) {
    renders++
    const snapshot = window.snapshot = useChannel(client, channel, options)
    return h('ul', {}, snapshot.events.map(({ id, data }) => h('li', { key: id }, String(data))))
  }
  function Members({ client, channel }) {
    return h('p', {}, usePresence(client, channel).map(({ data }) => data.name).join())
  }
  function App({ first }) {
    const [{ connected = true, ...props }, set] = useState(first)
    window.set = set
    const state = useConnectionState(window.client)
    const given = { client: connected ? client : undefined, ...props }
    return [
      h('output', { key: 1 }, state.state),
      props.shown && h(Channel, { key: 2, ...given }),
      props.present && h(Members, { key: 3, ...given }),
    ]
  }
  window.begin = (options, first, html) => {
    window.client = connect(options)
    const app = h(StrictMode, {}, h(App, { first }))
    const root = document.querySelector('main')
    root.innerHTML = html ?? ''
    if (html) hydrateRoot(root, app)
    else createRoot(root).render(app)
  }
`

let browser: Browser
let pages: PageServer
t.before(async () => {
  browser = await startBrowser()
  const script = (await bundle(APP, 'development')).replaceAll('</script', '<\\/script')
  pages = await startPageServer(
    `<!doctype html><link rel="icon" href="data:,"><main></main><script>${script}</script>`,
  )
})
t.teardown(async () => {
  await browser?.close()
  await pages?.stop()
})
t.jobs = 3

interface Props {
  readonly shown?: boolean
  readonly present?: boolean
  readonly channel?: string | null
  readonly connected?: boolean
  readonly options?: object
}

async function open(t: Test, options: object, props: Props, html?: string) {
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  const requests: string[] = []
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url())
    if (!pathname.startsWith('/v1/') || request.method() === 'OPTIONS') return
    const what = ['session', 'rewind'].find((it) => searchParams.has(it))
    requests.push(`${request.method()} ${pathname.slice(4)}${what ? ` ${what}` : ''}`)
  })
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (it) => {
    if (it.type() === 'error' && !it.text().startsWith('Failed to load')) errors.push(it.text())
  })
  await page.goto(pages.origin)
  const given = [options, props, html].map((it) => JSON.stringify(it)).join()
  await page.evaluate(`begin(${given})`)
  return { page, requests, errors }
}

const change = (page: Page, props: Props) => page.evaluate(`set(${JSON.stringify(props)})`)
const texts = (page: Page) => page.locator('li').allTextContents()
const isLive = (page: Page) => page.waitForFunction('snapshot.state.state === "live"')
const shows = (page: Page, text: string) => page.locator('li', { hasText: text }).waitFor()
const readers = async (url: string, channel: string) =>
  (await ask(`${url}/v1/channels?channel=${channel}`)).json.subscribers

t.test('in StrictMode history and news stand there once, by one stream', async (t) => {
  const { url } = await start(t)
  const publisher = createPublisher()
  for (const n of [1, 2, 3]) await publisher.one(url, 'a', n)
  const props = { shown: true, channel: 'a', options: { rewind: 2 } }
  const { page, requests, errors } = await open(t, { url }, props)
  await isLive(page)
  await publisher.one(url, 'a', 4)
  await shows(page, '4')
  t.strictSame(await texts(page), ['2', '3', '4'])
  for (const once of ['GET events session', 'GET events rewind']) {
    t.equal(requests.filter((it) => it === once).length, 1, once)
  }
  t.equal(await readers(url, 'a'), 1)
  t.strictSame(errors, [])
})

t.test('a component that goes takes its subscription along', async (t) => {
  const { url } = await start(t)
  const { page } = await open(t, { url }, { shown: true, channel: 'a' })
  await isLive(page)
  t.equal(await readers(url, 'a'), 1)
  await change(page, { shown: false, channel: 'a' })
  await until('free', async () => (await readers(url, 'a')) === 0)
  await page.locator('output', { hasText: 'idle' }).waitFor()
})

t.test('another channel shows nothing of the one before, on the same stream', async (t) => {
  const { url } = await start(t)
  const publisher = createPublisher()
  await publisher.one(url, 'a', 'old')
  await publisher.one(url, 'b', 'other')
  const options = { rewind: 10 }
  const { page, requests } = await open(t, { url }, { shown: true, channel: 'a', options })
  await shows(page, 'old')
  await isLive(page)
  await change(page, { shown: true, channel: 'b', options })
  await shows(page, 'other')
  t.strictSame(await texts(page), ['other'])
  await until('left', async () => (await readers(url, 'a')) === 0)
  await publisher.one(url, 'b', 'new')
  await shows(page, 'new')
  t.equal(requests.filter((it) => it === 'GET events session').length, 1)
})

t.test('without a channel, or a client, nothing is asked', async (t) => {
  const { url } = await start(t)
  const { page, requests } = await open(t, { url }, { shown: true, channel: null })
  await change(page, { shown: true, present: true, channel: 'a', connected: false })
  await page.waitForFunction('renders > 2')
  t.strictSame(requests, [])
  t.strictSame(await page.evaluate('snapshot.events'), [])
  await change(page, { shown: true, channel: 'a' })
  await isLive(page)
})

t.test('a thousand events are drawn once a frame, and the newest are kept', async (t) => {
  const { url } = await start(t)
  const { page } = await open(t, { url }, { shown: true, channel: 'a', options: { limit: 5 } })
  await isLive(page)
  const before = await page.evaluate('window.begun = performance.now(), renders')
  const publisher = createPublisher()
  for (let n = 0; n < 1000; n += 20) {
    const drafts = Array.from({ length: 20 }, (_, i) => ({ channel: 'a', data: n + i }))
    await publisher.batch(url, drafts)
  }
  await shows(page, '999')
  t.strictSame(await texts(page), ['995', '996', '997', '998', '999'])
  const [renders, ms] = (await page.evaluate('[renders, performance.now() - begun]')) as [
    number,
    number,
  ]
  // In StrictMode each is drawn twice.
  const drawn = (renders - (before as number)) / 2
  t.comment(`${drawn} in ${Math.round(ms)} ms`)
  t.ok(drawn <= ms / 16 + 2, `${drawn} in ${ms} ms`)
  t.ok(drawn < 500)
})

t.test('only events of a name, where one is given', async (t) => {
  const { url } = await start(t)
  const options = { name: 'message' }
  const { page } = await open(t, { url }, { shown: true, channel: 'a', options })
  await isLive(page)
  await page.evaluate(`client.publish('a', 1, { name: 'typing' })`)
  await page.evaluate(`client.publish('a', 2)`)
  await shows(page, '2')
  t.strictSame(await texts(page), ['2'])
})

t.test('a gap, an end and a refusal are part of what is shown', async (t) => {
  const { url } = await start(t)
  const publisher = createPublisher()
  await publisher.one(url, 'a', 1)
  const options = { after: '1000-0' }
  const { page } = await open(t, { url }, { shown: true, channel: 'a', options })
  await shows(page, '1')
  t.equal(await page.evaluate('snapshot.gap.reason'), 'unknown')
  await isLive(page)
  await ask(`${url}/v1/channels/close?channel=a`, {
    method: 'POST',
    body: '{"reason":"done"}',
    headers: { 'content-type': 'application/json' },
  })
  await page.waitForFunction('snapshot.end?.reason === "done"')
  await change(page, { shown: true, channel: 'inbox:a' })
  await page.waitForFunction('snapshot.error !== undefined')
  t.equal(await page.evaluate('snapshot.error.status'), 403)
})

t.test('who is present comes and goes, and looking on is not being there', async (t) => {
  const { url } = await start(t, { channels: [{ pattern: '*', presence: true }] })
  const ada = await open(
    t,
    { url, presence: { name: 'Ada' } },
    {
      shown: true,
      present: true,
      channel: 'a',
    },
  )
  await ada.page.locator('p', { hasText: /^Ada$/ }).waitFor()
  const bob = await open(t, { url, presence: { name: 'Bob' } }, { present: true, channel: 'a' })
  await bob.page.locator('p', { hasText: /^Ada$/ }).waitFor()
  await change(bob.page, { shown: true, present: true, channel: 'a' })
  for (const { page } of [ada, bob]) await page.locator('p', { hasText: /^Ada,Bob$/ }).waitFor()
  await change(bob.page, { present: true, channel: 'a' })
  for (const { page } of [ada, bob]) await page.locator('p', { hasText: /^Ada$/ }).waitFor()
  t.strictSame([...ada.errors, ...bob.errors], [])
})

t.test(
  'on a server it shows nothing and asks nothing, and a page goes on from there',
  async (t) => {
    const { url } = await start(t)
    const require = createRequire(import.meta.url)
    const { createElement: h } = require('react')
    const { renderToString } = require('react-dom/server')
    const asked: unknown[] = []
    const client = connect({ url, fetch: async (input) => asked.push(input) as never })
    t.teardown(() => client.close())
    const Channel = () => {
      const { events } = useChannel(client, 'a', { rewind: 5 })
      usePresence(client, 'a')
      return [
        h('output', { key: 1 }, useConnectionState(client).state),
        h(
          'ul',
          { key: 2 },
          events.map(({ id }) => h('li', { key: id })),
        ),
      ]
    }
    const html = renderToString(h(Channel))
    t.equal(html, '<output>idle</output><ul></ul>')
    t.strictSame(asked, [])
    await createPublisher().one(url, 'a', 'one')
    const props = { shown: true, channel: 'a', options: { rewind: 5 } }
    const { page, errors } = await open(t, { url }, props, html)
    await shows(page, 'one')
    t.strictSame(errors, [])
  },
)

t.test(
  'the hooks are small: at most 1.5 KiB, packed, and nothing of the client in them',
  async (t) => {
    const dist = new URL('../../dist/react/', import.meta.url)
    const { outputFiles } = await build({
      entryPoints: [new URL('index.js', dist).pathname],
      ...{ bundle: true, minify: true, write: false, format: 'esm', external: ['react'] },
    })
    const { length } = gzipSync(outputFiles[0]!.contents, { level: 9 })
    t.comment(`${length} bytes`)
    t.ok(length <= 1536, `${length} bytes`)
    for (const name of readdirSync(dist).filter((it) => it.endsWith('.d.ts'))) {
      t.notMatch(readFileSync(new URL(name, dist), 'utf8'), /^import.*'react'/m, name)
    }
  },
)
