/**
 * A gateway process on a Redis that is deaf, empty, full or away, as its clients and its operators see
 * it: streams stay open and miss nothing unsaid, `/readyz` says what is wrong, the process lives, and
 * its log stays short.
 */
import type { Redis } from 'ioredis'
import t from 'tap'
import { type Direction, startHalfOpenProxy } from './log/half-open.js'
import { startLosingProxy } from './log/losing.js'
import {
  dataOf,
  gateway,
  green,
  plain,
  post,
  publish,
  readiness,
  reading,
  red,
  redis,
  repetition,
  seenAll,
} from './support/outage.js'
import type { RedisServer } from './support/redis.js'
import { controls, events, startReader } from './support/sse-reader.js'

// ── it is deaf, or we are ──

t.test('a lost last message reaches the stream', async (t) => {
  const server = await redis(t)
  const line = await startLosingProxy(server.port)
  t.teardown(() => line.stop())
  const { url } = await gateway(t, line.url)
  const reader = await reading(t, url, ['a'])
  await publish(url, 'a', 0)
  await seenAll(reader, ['a'], 1)
  const lost = line.loseNext()
  await publish(url, 'a', 1)
  await lost
  await seenAll(reader, ['a'], 2)
  t.same(dataOf(reader, 'a'), [0, 1])
  t.same(controls(reader.seen, 'stream.gap'), [])
  t.equal(reader.connections, 1)
})

t.test('a half-open line', { jobs: 2 }, async (t) => {
  for (const direction of ['to Redis', 'from Redis'] satisfies Direction[]) {
    t.test(`that swallows what goes ${direction} is said, and left`, async (t) => {
      const server = await redis(t)
      const line = await startHalfOpenProxy(server.port)
      t.teardown(() => line.stop())
      const deaf = await gateway(t, line.url)
      const other = await gateway(t, server.url)
      const reader = await reading(t, deaf.url, ['a'])
      await publish(other.url, 'a', 0)
      await seenAll(reader, ['a'], 1)
      const lines = deaf.log.length
      line.swallow(direction)
      await publish(other.url, 'a', 1)
      await red(deaf.url)
      t.equal((await post(deaf.url, 'a', 9)).status, 503)
      t.equal((await readiness(other.url)).status, 200, 'the others are well')
      line.heal()
      await seenAll(reader, ['a'], 2)
      await green(deaf.url)
      await publish(other.url, 'a', 2)
      await reader.until(() => dataOf(reader, 'a').includes(2))
      t.same(
        dataOf(reader, 'a').filter((data) => data !== 9),
        [0, 1, 2],
      )
      t.same(controls(reader.seen, 'stream.gap'), [])
      t.equal(reader.connections, 1)
      t.ok(repetition(deaf.log.slice(lines)) <= 2, deaf.log.slice(lines).join('\n'))
    })
  }
})

t.test('a gateway that froze under load and was cut off by Redis misses nothing', async (t) => {
  const server = await redis(t, ['--client-output-buffer-limit', 'pubsub 64kb 32kb 1'])
  const admin = plain(t, server)
  const frozen = await gateway(t, server.url)
  const reader = await reading(t, frozen.url, ['a'])
  await publish(frozen.url, 'a', 'before')
  const followers = async () => {
    const list = (await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub')) as string
    return (list.match(/^id=\d+(?=.*followers)/gm) ?? []) as string[]
  }
  const [connection] = await followers()
  t.ok(connection)
  const other = await gateway(t, server.url)
  await frozen.kill('SIGSTOP')
  const text = 'x'.repeat(200_000)
  let count = 0
  // As much as both kernels hold, and then some.
  while ((await followers()).includes(connection!))
    await publish(other.url, 'a', `${++count} ${text}`)
  await publish(other.url, 'a', 'after')
  await frozen.kill('SIGCONT')
  await reader.until(({ seen }) => events(seen).at(-1)?.data === '"after"')
  const numbers = events(reader.seen).map(({ data }) => data.slice(1, -1).split(' ')[0])
  t.same(numbers, ['before', ...Array.from({ length: count }, (_, i) => String(i + 1)), 'after'])
  t.same(controls(reader.seen, 'stream.gap'), [])
  t.equal(reader.connections, 1)
})

// ── it forgets ──

const wipes: {
  readonly name: string
  wipe(server: RedisServer, admin: Redis): Promise<unknown>
}[] = [
  { name: 'FLUSHALL', wipe: (_server, admin) => admin.flushall() },
  {
    name: 'another, empty Redis on the same port',
    async wipe(server) {
      await server.kill('SIGKILL')
      await server.restart()
    },
  },
]
for (const { name, wipe } of wipes) {
  t.test(`${name} under live streams is told on each channel, and ids go on`, async (t) => {
    const server = await redis(t)
    const { url, log } = await gateway(t, server.url)
    const channels = ['a', 'b', 'silent']
    const reader = await reading(t, url, channels)
    for (const channel of ['a', 'b']) await publish(url, channel, 0)
    await seenAll(reader, ['a', 'b'], 1)
    const before = events(reader.seen).at(-1)!.id!
    const lines = log.length
    await wipe(server, plain(t, server))
    await reader.until(({ seen }) => controls(seen, 'stream.gap').length >= channels.length)
    const told = controls(reader.seen, 'stream.gap').map(({ data }) => data.channel)
    t.same(told.sort(), channels)
    const id = await publish(url, 'a', 1)
    await seenAll(reader, ['a'], 2)
    t.ok(BigInt(id.split('-')[0]!) >= BigInt(before.split('-')[0]!))
    t.not(id, before)
    t.equal(events(reader.seen).at(-1)?.id, id)
    t.equal(reader.connections, 1)
    await green(url)
    t.ok(repetition(log.slice(lines)) <= 2, log.slice(lines).join('\n'))
  })
}

// ── it is full, or away ──

t.test(
  'a full Redis: publishers are refused, readers are not, and there is a way back',
  async (t) => {
    const server = await redis(t)
    const admin = plain(t, server)
    const { url, log } = await gateway(t, server.url)
    const reader = await reading(t, url, ['a'])
    await publish(url, 'a', 0)
    const lines = log.length
    await admin.config('SET', 'maxmemory', '1')
    await red(url)
    t.match((await readiness(url)).reason, /OOM/)
    const refused = await post(url, 'a', 1)
    t.equal(refused.status, 503)
    t.ok(refused.headers.has('retry-after'))
    t.match(await refused.json(), { code: 'log_unavailable' })
    const late = startReader({ url, channels: ['a'], after: 'earliest' })
    t.teardown(() => late.stop())
    await seenAll(late, ['a'], 1)
    await admin.config('SET', 'maxmemory', '0')
    await green(url)
    await publish(url, 'a', 1)
    await Promise.all([seenAll(reader, ['a'], 2), seenAll(late, ['a'], 2)])
    t.same(dataOf(reader, 'a'), [0, 1])
    t.same(controls(reader.seen, 'stream.gap'), [])
    t.equal(reader.connections, 1)
    t.equal(repetition(log.slice(lines)), 1, log.slice(lines).join('\n'))
  },
)

t.test(
  'a Redis that is away for a while is a line for each connection, whoever asks',
  async (t) => {
    const server = await redis(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
    const { url, log } = await gateway(t, server.url)
    const reader = await reading(t, url, ['a'])
    await publish(url, 'a', 0)
    const lines = log.length
    await server.kill('SIGKILL')
    await red(url)
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => post(url, 'b', i)))
    t.ok(answers.every(({ status }) => status === 503))
    const opening = startReader({ url, channels: ['b'] })
    t.teardown(() => opening.stop())
    t.equal(repetition(log.slice(lines)), 1, log.slice(lines).join('\n'))
    await server.restart()
    await green(url)
    await publish(url, 'a', 1)
    await seenAll(reader, ['a'], 2)
    t.same(dataOf(reader, 'a'), [0, 1])
    t.same(controls(reader.seen, 'stream.gap'), [])
    t.equal(reader.connections, 1)
    await opening.control('stream.live')
    t.ok(repetition(log.slice(lines)) <= 2, log.slice(lines).join('\n'))
  },
)
