/** A native EventSource in a real Chromium, on a page of another origin, behind nginx with TLS and HTTP/2. */
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { type PageServer, startBrowser, startPageServer } from '../support/browser.js'
import { check } from '../support/checker.js'
import { type Cutter, startCutter } from '../support/cutter.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { type Nginx, startNginx } from '../support/nginx.js'
import { freePort } from '../support/ports.js'
import { createPublisher } from '../support/publisher.js'
import { seeded } from '../support/random.js'
import { startRedis } from '../support/redis.js'
import type { Seen } from '../support/sse-reader.js'

/** What a page's author writes, and notes of what happened. */
const HTML = `<!doctype html><title>EventSource</title><script>
  const notes = []
  let waiting
  const note = (what) => { notes.push(what); waiting?.() }
  // Resolves once the predicate, given as source, holds for the notes.
  async function until(source) {
    const predicate = (0, eval)(source)
    while (!predicate(notes)) await new Promise((resolve) => { waiting = resolve })
    return notes
  }
  let source
  let connection = 0
  function open(url) {
    source = new EventSource(url)
    source.onopen = () => note({ kind: 'open', connection: ++connection })
    source.onerror = () => note({ kind: 'error', state: source.readyState })
    source.onmessage = ({ data, lastEventId }) => {
      const { id, channel, data: content } = JSON.parse(data)
      const rest = { name: 'message', cursor: lastEventId, data: JSON.stringify(content) }
      note({ kind: 'event', connection, id, channel, ...rest })
    }
    for (const name of ['ready', 'live', 'gap', 'end', 'bye']) {
      source.addEventListener('stream.' + name, ({ data, lastEventId }) =>
        note({ kind: 'control', connection, name: 'stream.' + name, data: JSON.parse(data), cursor: lastEventId }))
    }
  }
</script>`

type Note =
  | Exclude<Seen, { kind: 'answer' }>
  | { readonly kind: 'open'; readonly connection: number }
  | { readonly kind: 'error'; readonly state: number }

let browser: Browser
let pages: PageServer
t.before(async () => {
  browser = await startBrowser()
  pages = await startPageServer(HTML)
})
t.teardown(async () => {
  await browser?.close()
  await pages?.stop()
})
// A browser's start and its waiting between two connections, on a machine that does other things too.
t.setTimeout(240_000)

interface Stage {
  readonly gateway: GatewayProcess
  readonly nginx: Nginx
  readonly cutter: Cutter
  /** An EventSource on a page of its own. */
  open(query: string): Promise<Reader>
}

interface Reader {
  readonly page: Page
  /** Resolves with all notes once the predicate holds. It runs in the page and sees nothing else. */
  until(predicate: (notes: Note[]) => boolean): Promise<Note[]>
}

/** Streams are sent away at once when the gateway stops: there is no fleet to spread over time. */
function own(): Record<string, string> {
  return { SLUICE_CORS_ORIGINS: pages.origin, SLUICE_DRAIN_TIME: '200ms' }
}

/** Page → cutter → nginx → gateway. */
async function stage(t: Test, env: Record<string, string> = {}): Promise<Stage> {
  const gateway = await startGatewayProcess({
    ...own(),
    SLUICE_TRUSTED_PROXIES: 'loopback',
    ...env,
  })
  t.teardown(gateway.stop)
  const nginx = await startNginx({ upstreams: [gateway.port] })
  t.teardown(nginx.stop)
  const cutter = await startCutter({
    target: nginx.httpsPort,
    random: seeded(1),
    budget: () => undefined,
  })
  t.teardown(cutter.stop)
  return {
    gateway,
    nginx,
    cutter,
    async open(query) {
      const context = await browser.newContext({ ignoreHTTPSErrors: true })
      t.teardown(() => context.close())
      const page = await context.newPage()
      await page.goto(pages.origin)
      await page.evaluate(`open('https://127.0.0.1:${cutter.port}/v1/events?${query}')`)
      return {
        page,
        until: (predicate) => page.evaluate(`until(${JSON.stringify(`(${predicate})`)})`),
      }
    },
  }
}

const isLive = (notes: Note[]) =>
  notes.some((it) => it.kind === 'control' && it.name === 'stream.live')
const isClosed = (notes: Note[]) => notes.some((it) => it.kind === 'error' && it.state === 2)
const hasLast = (notes: Note[]) =>
  notes.some((it) => it.kind === 'event' && it.data === '"the last one"')

/** The notes in the form that the checker reads. */
function seen(notes: readonly Note[]): Seen[] {
  return notes.filter((it) => it.kind === 'event' || it.kind === 'control')
}

t.test('the first frame comes at once to a page of another origin', async (t) => {
  const { open } = await stage(t, { SLUICE_HEARTBEAT: '5m' })
  const { until } = await open('channel=a')
  const [opened, ready] = await until((notes) => notes.length >= 2)
  t.equal(opened?.kind, 'open')
  t.match(ready, { kind: 'control', name: 'stream.ready' })
  t.ok(ready?.kind === 'control' && ready.cursor, 'with an id to resume from')
})

t.test('ten streams live side by side, for HTTP/2 has no limit of six', async (t) => {
  const { open } = await stage(t)
  const { page, until } = await open('channel=a')
  await page.evaluate('for (let n = 2; n <= 10; n++) open(source.url)')
  const notes = await until((notes) => {
    const live = notes.filter((it) => it.kind === 'control' && it.name === 'stream.live')
    return live.length === 10
  })
  t.equal(notes.filter(({ kind }) => kind === 'open').length, 10)
})

t.test('cut again and again, it misses nothing', async (t) => {
  const { gateway, cutter, open } = await stage(t)
  const { until } = await open('channel=a&channel=b')
  await until(isLive)
  const publisher = createPublisher()
  const publish = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      const at = publisher.acknowledged.length
      await publisher.one(gateway.url, at % 2 === 0 ? 'a' : 'b', { n: at })
    }
  }
  await publish(10)
  for (let cut = 1; cut <= 3; cut++) {
    cutter.cutAll()
    await publish(10)
    const live = `(notes) => notes.filter((it) => it.name === 'stream.live').length > ${cut}`
    await until(live as unknown as (notes: Note[]) => boolean)
    await publish(10)
  }
  await publisher.one(gateway.url, 'a', 'the last one')
  const notes = await until(hasLast)
  const reader = { name: 'page', channels: ['a', 'b'], seen: seen(notes) }
  const { acknowledged } = publisher
  t.equal(acknowledged.length, 71)
  t.same(check({ acknowledged, readers: [reader] }), [])
  t.equal(seen(notes).filter(({ kind }) => kind === 'event').length, 71, 'and sees nothing twice')
})

t.test('cut before its first event, it resumes from where it opened', async (t) => {
  const { gateway, cutter, open } = await stage(t)
  const { until } = await open('channel=a')
  await until(isLive)
  cutter.cutAll()
  const publisher = createPublisher()
  await publisher.one(gateway.url, 'a', 'while it was away')
  await publisher.one(gateway.url, 'a', 'the last one')
  const notes = await until(hasLast)
  const reader = { name: 'page', channels: ['a'], seen: seen(notes) }
  t.same(check({ acknowledged: publisher.acknowledged, readers: [reader] }), [])
})

t.test('it stops for good once all its channels are closed and read', async (t) => {
  const { gateway, cutter, open } = await stage(t)
  const publisher = createPublisher()
  await publisher.one(gateway.url, 'a', 'the last one')
  const { until } = await open('channel=a&after=earliest')
  await until(hasLast)
  const closing = await fetch(`${gateway.url}/v1/channels/close?channel=a`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  t.equal(closing.status, 200)
  await until((notes) => notes.some((it) => it.kind === 'control' && it.name === 'stream.end'))
  cutter.cutAll()
  const notes = await until(isClosed)
  t.match(notes.at(-1), { kind: 'error', state: 2 }, 'a 204, which no EventSource survives')
  t.equal(seen(notes).filter(({ kind }) => kind === 'event').length, 1)
})

t.test('a cursor that says the end stops it', async (t) => {
  const { nginx, open } = await stage(t)
  const response = await fetch(`${nginx.url}/v1/events?channel=a`, {
    headers: { accept: 'text/event-stream' },
  })
  const { value } = await response.body!.getReader().read()
  const cursor = /^id: (.+)$/m.exec(new TextDecoder().decode(value))?.[1]
  const { until } = await open(`channel=a&after=end.${cursor}`)
  const notes = await until(isClosed)
  t.same(notes, [{ kind: 'error', state: 2 }])
})

t.test('it lives through a deployment', async (t) => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const port = String(await freePort())
  const trust = { SLUICE_TRUSTED_PROXIES: 'loopback' }
  const env = { ...own(), ...trust, SLUICE_REDIS_URL: redis.url, SLUICE_PORT: port }
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await t.test(`by ${signal}`, async (t) => {
      const { gateway, open } = await stage(t, env)
      const channel = `deploy:${signal}`
      const { until } = await open(`channel=${channel}`)
      await until(isLive)
      const publisher = createPublisher()
      await publisher.one(gateway.url, channel, 'before')
      await until((notes) => notes.some((it) => it.kind === 'event'))
      await gateway.kill(signal)
      // nginx's own answer: open, nothing in it, over, and still no reason to give up.
      await until((notes) => {
        const last = notes.slice(-2)
        return last[0]?.kind === 'open' && last[1]?.kind === 'error'
      })
      const next = await startGatewayProcess(env)
      t.teardown(next.stop)
      await publisher.one(next.url, channel, 'while it was away')
      await publisher.one(next.url, channel, 'the last one')
      const notes = await until(hasLast)
      const reader = { name: 'page', channels: [channel], seen: seen(notes) }
      t.same(check({ acknowledged: publisher.acknowledged, readers: [reader] }), [])
      t.notOk(isClosed(notes), 'it never gave up')
    })
  }
})

t.test('with mode=poll it works by finite answers', async (t) => {
  const { gateway, open } = await stage(t)
  const { until } = await open('channel=a&mode=poll')
  await until((notes) => notes.some((it) => it.kind === 'control'))
  const publisher = createPublisher()
  for (let n = 1; n <= 3; n++) {
    await publisher.one(gateway.url, 'a', { n })
    const read = `(notes) => notes.filter((it) => it.kind === 'event').length >= ${n}`
    await until(read as unknown as (notes: Note[]) => boolean)
  }
  await publisher.one(gateway.url, 'a', 'the last one')
  const notes = await until(hasLast)
  const reader = { name: 'page', channels: ['a'], seen: seen(notes) }
  t.same(check({ acknowledged: publisher.acknowledged, readers: [reader] }), [])
  t.ok(notes.filter(({ kind }) => kind === 'open').length >= 3, 'one after the other')
})
