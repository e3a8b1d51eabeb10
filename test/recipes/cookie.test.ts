/** docs/security.md, "A page with a cookie", in a real Chromium. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { KEY, locked, read, SECRET, ticketFor } from '../http/support/locked.js'
import { start } from '../routes/support/start.js'
import { startBrowser } from '../support/browser.js'
import { codeIn, filesIn, layOut, readChapter } from '../support/page.js'
import { startApp } from './support/app.js'
import { PAGE } from './support/locked.js'

let browser: Browser
t.before(async () => {
  browser = await startBrowser()
})
t.teardown(() => browser?.close())

const chapter = readChapter(PAGE, 'A page with a cookie')
const [, script = ''] = codeIn(chapter, 'js')
const [own, domain] = [...chapter.text.matchAll(/`(__\w+-sluice)=…(; .*?)`/g)].map(
  ([, name = '', attributes = '']) => ({ name, attributes }),
)

/** The backend's part, with a lifetime of the test's choice: seconds. */
async function loadBackend(t: Test, lifetimes: readonly number[]) {
  const files = {
    ...filesIn(chapter),
    'signing.js': filesIn(readChapter(PAGE, 'Signing tokens'))['tokens.js']!,
    'tokens.js': `import { tokenFor as sign } from './signing.js'
      const lifetimes = ${JSON.stringify(lifetimes)}
      export const tokenFor = (user) => sign(user, lifetimes.shift() + 's')`,
  }
  const directory = await layOut(t, files)
  process.env.SLUICE_JWT_SECRET = SECRET
  const module = await import(pathToFileURL(join(directory, 'cookie.js')).href)
  delete process.env.SLUICE_JWT_SECRET
  return module.cookieFor as (user: string) => Promise<string>
}

interface Place {
  readonly app: string
  readonly gateway: string
  readonly cookie: { readonly name: string; readonly attributes: string }
}

async function stage(t: Test, { app: host, gateway: name, cookie }: Place, lifetimes: number[]) {
  const cookieFor = await loadBackend(t, lifetimes)
  let ahead = 0
  let url = ''
  const app = await startApp(t, {
    browser,
    script: () => script,
    sluice: () => url,
    async answer(path, response) {
      if (path !== '/' && path !== '/refresh') return null
      const written = await cookieFor('alice')
      t.ok(written.startsWith(own!.name) && written.endsWith(own!.attributes), 'as the table says')
      const token = written.slice(own!.name.length + 1).split(';')[0]
      response.setHeader('set-cookie', `${cookie.name}=${token}${cookie.attributes}`)
      return null
    },
  })
  const origin = `http://${host}:${app.port}`
  const config = locked({ corsOrigins: [origin], allowedHosts: [name], cookie: cookie.name })
  const gateway = await start(t, config, { now: () => Date.now() + ahead })
  url = gateway.url.replace('127.0.0.1', name)
  const { page, until } = await app.open(origin)
  return {
    page,
    until,
    async advance(seconds: number) {
      // A stream that nobody cares for ends: then all have been looked at.
      const headers = { host: name }
      const terms = { channels: ['x'], ttl: seconds }
      const { ticket } = await ticketFor(gateway.url, KEY, terms, headers)
      const other = await read(gateway.url, [], undefined, `ticket=${ticket}`, headers)
      await other.event('stream.live')
      ahead += seconds * 1000
      await other.over()
    },
  }
}

const PLACES: Readonly<Record<string, Place>> = {
  'on its own host': { app: 'localhost', gateway: 'localhost', cookie: own! },
  'on another host of its domain': {
    app: 'app.test.localhost',
    gateway: 'live.app.test.localhost',
    cookie: {
      ...domain!,
      attributes: domain!.attributes.replace('app.example', 'app.test.localhost'),
    },
  },
}

t.test('the names of the cookies are those of the configuration', async (t) => {
  t.equal(own?.name, locked().cookie)
  t.match(chapter.text, `SLUICE_COOKIE=${domain?.name}`)
})

for (const [name, place] of Object.entries(PLACES)) {
  t.test(`with a cookie, a page reads and writes at a gateway ${name}`, async (t) => {
    const { page, until } = await stage(t, place, [3600])
    await until(({ sources }) => sources[0]?.live === true)
    await page.evaluate(`say({ text: 'Hello' })`)
    const { shown, answers } = await until(({ shown }) => shown.length === 1)
    t.same(shown, [{ data: { text: 'Hello' }, sender: 'alice' }])
    t.same(answers, ['/v1/events 201'])
    t.equal(await page.evaluate('document.cookie'), '', 'which no script of the page can read')
  })

  t.test(`with a fresh cookie it goes on without a cut, at a gateway ${name}`, async (t) => {
    const { page, until, advance } = await stage(t, place, [20, 3600])
    await until(({ answers }) => answers.includes('/v1/sessions/token 200'))
    await advance(25)
    await page.evaluate(`say('later')`)
    const notes = await until(({ shown }) => shown.length === 1)
    t.equal(notes.opened, 1)
    t.same(notes.answers, ['/refresh 200', '/v1/sessions/token 200', '/v1/events 201'])
  })
}

t.test('a cookie for one host stays away from another one of the domain', async (t) => {
  const place = { ...PLACES['on another host of its domain']!, cookie: own! }
  const { until } = await stage(t, place, [3600])
  const { opened } = await until(({ sources }) => sources[0]?.readyState === 2)
  t.equal(opened, 0)
})
