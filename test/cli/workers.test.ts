/** `sluice serve --workers N`, as its operators run it: real processes, a real Redis, real signals. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { startRedis } from '../support/redis.js'
import { ask as askRedis } from '../support/redis-ask.js'
import { controls, events, type Reader, startReader } from '../support/sse-reader.js'
import { run } from './run.js'

const WORKERS = 3
const redis = await startRedis()
t.teardown(redis.stop)

async function start(t: Test, env: Readonly<Record<string, string>> = {}) {
  const gateway = await startGatewayProcess({
    ...{ SLUICE_REDIS_URL: redis.url, SLUICE_WORKERS: String(WORKERS), ...env },
  })
  t.teardown(gateway.stop)
  return gateway
}

/** The process of each worker, by number, as the primary told of them last. */
function pids(gateway: GatewayProcess): number[] {
  const up = new Map<number, number>()
  for (const line of gateway.log) {
    if (!line.includes('"worker up"')) continue
    const { worker, pid } = JSON.parse(line)
    up.set(worker, pid)
  }
  return [...up].sort(([a], [b]) => a - b).map(([, pid]) => pid)
}

/** Process and number of the worker that holds most connections. */
function busiest(gateway: GatewayProcess): { pid: number; number: number } {
  const at = `( sport = :${new URL(gateway.url).port} )`
  const { stdout } = spawnSync('ss', ['-tnpH', 'state', 'established', at], { encoding: 'utf8' })
  const counts = pids(gateway).map((pid, i) => {
    return { pid, number: i + 1, count: stdout.split(`pid=${pid},`).length }
  })
  return counts.sort((a, b) => b.count - a.count)[0]!
}

interface Answer {
  readonly status: number
  readonly json: Record<string, unknown>
}

/** On a connection of its own, for any worker may take it. */
async function call(url: string, body?: unknown, headers = {}, ms = 20_000): Promise<Answer> {
  const req = request(url, {
    ...{ agent: false, method: body === undefined ? 'GET' : 'POST' },
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.timeout(ms),
  })
  req.end(body === undefined ? undefined : JSON.stringify(body))
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of res.setEncoding('utf8')) text += chunk
  return { status: res.statusCode ?? 0, json: JSON.parse(text) }
}

/** Until it is acknowledged: the worker that had it may be the one that was killed. */
async function publish(url: string, channel: string, n: number): Promise<void> {
  const headers = { 'idempotency-key': `${channel}-${n}` }
  const target = `${url}/v1/events?channel=${channel}`
  for (;;) {
    const answer = await call(target, n, headers).catch(() => undefined)
    if (answer?.status === 201 || answer?.status === 200) return
  }
}

async function readers(t: Test, url: string, channel: string, count: number): Promise<Reader[]> {
  const all = Array.from({ length: count }, () => startReader({ url, channels: [channel] }))
  for (const reader of all) t.teardown(reader.stop)
  await Promise.all(all.map((reader) => reader.control('stream.live')))
  return all
}

/** The data of a reader's events, doubles by id left out. */
function dataOf(reader: Reader): unknown[] {
  const known = new Map(events(reader.seen).map((event) => [event.id, event.data]))
  return [...known.values()].map((data) => JSON.parse(data))
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

/** Resolves when the reader has the event. */
const has = (reader: Reader, n: number) =>
  reader.until(({ seen }) => events(seen).some(({ data }) => data === String(n)))

t.test('workers under one port are one gateway', { timeout: 100_000 }, async (t) => {
  const gateway = await start(t)
  const { url } = gateway

  await t.test('they say once where they listen, and each line says whose it is', async (t) => {
    t.equal(gateway.log.filter((line) => line.includes('http://')).length, 1)
    t.equal(new Set(pids(gateway)).size, WORKERS)
    const own = gateway.log.map((line) => JSON.parse(line)).filter((line) => line.partition === 0)
    t.same(new Set(own.map((line) => line.worker)), new Set([1, 2, 3]))
  })

  await t.test('what is posted to any is read on all, and counts are sums', async (t) => {
    const all = await readers(t, url, 'sum', 9)
    for (const n of upTo(6)) await publish(url, 'sum', n)
    await Promise.all(all.map((reader) => has(reader, 5)))
    for (const reader of all) t.same(dataOf(reader), upTo(6))
    // Whoever answers gives the same answer.
    for (let i = 0; i < WORKERS; i++) {
      t.match(await call(`${url}/v1/channels?channel=sum`), { json: { subscribers: 9 } })
      t.same((await call(`${url}/readyz`)).json, { status: 'ready', streams: 9 })
    }
  })

  await t.test('a count without a worker that is frozen says so', async (t) => {
    const [pid] = pids(gateway)
    process.kill(pid!, 'SIGSTOP')
    t.teardown(() => process.kill(pid!, 'SIGCONT'))
    const answers = []
    // One connection may lie with the frozen worker; the primary gives it no more.
    while (answers.length < 2) {
      const answer = await call(`${url}/readyz`, undefined, {}, 2000).catch(() => undefined)
      if (answer !== undefined) answers.push(answer)
    }
    for (const { json } of answers) t.match(json, { status: 'ready', partial: true })
    process.kill(pid!, 'SIGCONT')
    while ((await call(`${url}/readyz`)).json.partial === true);
  })

  await t.test('the streams of a worker that is killed go on with the others', async (t) => {
    const all = await readers(t, url, 'kill', 9)
    const before = gateway.log.length
    let n = 0
    for (; n < 5; n++) await publish(url, 'kill', n)
    const { pid, number } = busiest(gateway)
    process.kill(pid, 'SIGKILL')
    const ended = await gateway.said(/"a worker ended"/, before)
    t.match(JSON.parse(ended), { worker: number, pid, signal: 'SIGKILL' })
    let back = false
    const replaced = gateway.said(/"worker up"/, before).then(() => {
      back = true
    })
    while (!back || n < 20) await publish(url, 'kill', n++)
    await replaced
    t.notOk(pids(gateway).includes(pid))
    await Promise.all(all.map((reader) => has(reader, n - 1)))
    for (const reader of all) {
      t.same(dataOf(reader), upTo(n), 'nothing missing, in order')
      t.same(controls(reader.seen, 'stream.gap'), [])
    }
    const moved = all.filter((reader) => reader.connections > 1).length
    t.ok(moved > 0, `${moved} of ${all.length} streams were on it`)
  })

  await t.test('a worker that is told to end drains, and is replaced', async (t) => {
    const all = await readers(t, url, 'term', 6)
    const before = gateway.log.length
    const { pid, number } = busiest(gateway)
    process.kill(pid, 'SIGTERM')
    t.match(JSON.parse(await gateway.said(/"a worker ended"/, before)), { worker: number, code: 0 })
    await gateway.said(/"worker up"/, before)
    const told = all.flatMap((reader) => controls(reader.seen, 'stream.bye'))
    t.ok(told.length > 0)
    for (const { data } of told) t.match(data, { reason: 'draining', reconnect: true })
  })

  await t.test(
    'how Redis is set is said by the first alone, also when others come later',
    async (t) => {
      const hints = gateway.log.filter((line) => line.includes('Redis could be set better'))
      t.equal(hints.length, 1)
      t.match(JSON.parse(hints[0]!), { worker: 1 })
    },
  )

  await t.test('SIGTERM drains them all, and the end is a clean one', async (t) => {
    const all = await readers(t, url, 'end', 6)
    await gateway.stop()
    t.equal(await gateway.ended, 0)
    await gateway.deserted
    for (const reader of all) {
      const byes = controls(reader.seen, 'stream.bye')
      t.match(byes, [{ data: { reason: 'draining', reconnect: true } }])
    }
  })
})

t.test('a primary that is killed leaves nobody behind', { timeout: 60_000 }, async (t) => {
  const gateway = await start(t)
  const all = await readers(t, gateway.url, 'orphan', 6)
  await gateway.kill('SIGKILL')
  await gateway.deserted
  for (const reader of all) {
    const byes = controls(reader.seen, 'stream.bye')
    t.match(byes, [{ data: { reason: 'draining', reconnect: true } }], 'a goodbye all the same')
  }
})

t.test('a second signal ends all at once', { timeout: 60_000 }, async (t) => {
  const gateway = await start(t, { SLUICE_DRAIN_TIME: '1h' })
  // A body that goes on: the drain would wait for it.
  const upload = request(`${gateway.url}/v1/events?channel=up`, {
    ...{ method: 'POST', agent: false },
    headers: { 'content-type': 'application/x-ndjson' },
  })
  upload.on('error', () => {})
  upload.write('{"data":1}\n')
  const watcher = startReader({ url: gateway.url, channels: ['up'], after: 'earliest' })
  t.teardown(watcher.stop)
  await watcher.until(({ seen }) => events(seen).length > 0)
  process.kill(gateway.pid, 'SIGTERM')
  await gateway.said(/"closing"/)
  process.kill(gateway.pid, 'SIGTERM')
  t.equal(await gateway.ended, 1)
  await gateway.deserted
})

t.test('where workers can’t start any more it gives up and says why', async (t) => {
  const other = await startRedis()
  t.teardown(other.stop)
  const env = { SLUICE_WORKERS: '2', SLUICE_REDIS_URL: other.url }
  const gateway = await start(t, env)
  // From now on every start is refused.
  await askRedis(other.port, ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru'])
  for (const pid of pids(gateway)) process.kill(pid, 'SIGKILL')
  t.equal(await gateway.ended, 1)
  await gateway.deserted
  const last = gateway.log.map((line) => JSON.parse(line)).at(-1)
  t.match(last, { level: 60, msg: 'gave up', reason: /5 times in a row, and no other serves/ })
  t.ok(gateway.log.some((line) => /can’t start.*allkeys-lru|allkeys-lru.*can’t start/.test(line)))
})

t.test('several workers without a Redis are refused before anything is started', async (t) => {
  const ran = await run(['serve', '--workers', '2'])
  t.match(ran, { code: 2, stderr: /2 workers need a log that they share.*--redis-url/ })
})

t.test('what stops the first worker from starting is told once, as ever', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  const error = await start(t, { SLUICE_PORT: String(port) }).catch((error: Error) => error)
  const text = error instanceof Error ? error.message : ''
  t.match(text, /^the gateway ended \(1\)/)
  t.equal(text.split(`can't start: port ${port} is taken; choose another`).length, 2)
})
