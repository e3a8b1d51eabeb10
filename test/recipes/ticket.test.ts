/** docs/security.md, "A page with a ticket", in a real Chromium. */
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { KEY, locked, mint, read, ticketFor, write } from '../http/support/locked.js'
import { post } from '../routes/support/ask.js'
import { start } from '../routes/support/start.js'
import { startBrowser } from '../support/browser.js'
import { codeIn, readChapter } from '../support/page.js'
import { startApp } from './support/app.js'
import { PAGE } from './support/locked.js'

let browser: Browser
t.before(async () => {
  browser = await startBrowser()
})
t.teardown(() => browser?.close())

const scripts = codeIn(readChapter(PAGE, 'A page with a ticket'), 'js')
t.equal(scripts.length, 3)
const [fromBackend, follow, fromGateway] = scripts as [string, string, string]
const CHANNELS = ['chat:7', 'user:alice']

/** The two ways to a ticket: what the page runs, and what its backend answers. */
const WAYS = {
  'from its backend': {
    script: fromBackend + follow,
    path: '/sluice-ticket',
    answer: (url: string, seconds: number) =>
      ticketFor(url, KEY, { subject: 'alice', channels: CHANNELS, ttl: seconds }),
  },
  'from the gateway': {
    script: `const getToken = async () => (await fetch('/token')).json()\n${fromGateway}${follow}`,
    path: '/token',
    answer: (_url: string, seconds: number) => mint({ exp: Date.now() / 1000 + seconds }),
  },
} as const

async function stage(t: Test, { script, path, answer }: (typeof WAYS)[keyof typeof WAYS]) {
  let ahead = 0
  /** Seconds of what the backend gives; undefined: it gives nothing. */
  let lifetime: (() => number | undefined) | undefined
  let url = ''
  const app = await startApp(t, {
    browser,
    script: () => script,
    sluice: () => url,
    async answer(asked) {
      if (asked !== path) return null
      const seconds = lifetime?.()
      return seconds === undefined ? undefined : answer(url, seconds)
    },
  })
  const origin = `http://127.0.0.1:${app.port}`
  const now = () => Date.now() + ahead
  const gateway = await start(t, locked({ corsOrigins: [origin] }), { now })
  url = gateway.url
  return {
    url,
    app,
    path,
    /** Opens the page; `lifetimes` one after the other, the last for ever after. */
    async open(...lifetimes: (number | undefined)[]) {
      lifetime = () => (lifetimes.length > 1 ? lifetimes.shift() : lifetimes[0])
      return app.open(origin)
    },
    async advance(seconds: number) {
      // A stream that nobody cares for ends: then all have been looked at.
      const { ticket } = await ticketFor(url, KEY, { channels: ['x'], ttl: seconds })
      const other = await read(url, [], undefined, `ticket=${ticket}`)
      await other.event('stream.live')
      ahead += seconds * 1000
      await other.over()
    },
  }
}

for (const [name, way] of Object.entries(WAYS)) {
  t.test(`with a ticket ${name}, a page reads`, async (t) => {
    const { url, open } = await stage(t, way)
    const { until } = await open(3600)
    await until(({ sources }) => sources[0]?.live === true)
    await write(url, 'chat:7', 'Hello')
    await write(url, 'user:alice', 'to you')
    const { shown } = await until(({ shown }) => shown.length === 2)
    t.same(
      shown.map(({ data }) => data),
      ['Hello', 'to you'],
    )
  })

  t.test(`with a ticket ${name}, it goes on beyond the end of it without a cut`, async (t) => {
    const { url, app, path, open, advance } = await stage(t, way)
    const { until } = await open(20, 3600)
    await until(({ answers }) => answers.includes('/v1/sessions/token 200'))
    await advance(25)
    await write(url, 'chat:7', 'later')
    const notes = await until(({ shown }) => shown.length === 1)
    t.equal(notes.opened, 1)
    t.equal(app.asked.filter((asked) => asked === path).length, 2)
  })

  t.test(`with a ticket ${name}, it opens anew where the browser gives up`, async (t) => {
    const { url, open, advance } = await stage(t, way)
    const { until } = await open(20, undefined, 3600)
    await until(({ sources }) => sources[0]?.live === true)
    await write(url, 'chat:7', 'before')
    await until(({ shown }) => shown.length === 1)
    await advance(25)
    await write(url, 'chat:7', 'while it was away')
    await until(({ sources }) => sources[1]?.live === true)
    await write(url, 'chat:7', 'after')
    const { shown, gaps } = await until(({ shown }) => shown.some(({ data }) => data === 'after'))
    t.same(
      shown.map(({ data }) => data),
      ['before', 'while it was away', 'after'],
    )
    t.same(gaps, [])
  })
}

t.test('a page whose login was revoked stops asking', async (t) => {
  const { url, app, path, open } = await stage(t, WAYS['from its backend'])
  const { page, until } = await open(3600)
  await until(({ sources }) => sources[0]?.live === true)
  await page.clock.install()
  await post(`${url}/v1/revocations`, { subject: 'alice' }, { authorization: `Bearer ${KEY}` })
  await page.waitForFunction('notes.sources[0].readyState === 2')
  await page.clock.fastForward('05:00')
  await page.evaluate(`fetch('/marker')`)
  t.same(
    app.asked.filter((asked) => asked !== '/'),
    [path, '/marker'],
  )
})
