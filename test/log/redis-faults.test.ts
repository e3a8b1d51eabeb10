/** What the log on Redis promises when Redis, or the way to it, fails. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { callFunction } from '../../src/log/redis/functions.js'
import { hashTag } from '../../src/log/redis/slots.js'
import { createRedisLog, type RedisLog, type RedisLogOptions } from '../../src/log/redis.js'
import { startCutter } from '../support/cutter.js'
import { seeded } from '../support/random.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import { startLosingProxy } from './losing.js'
import {
  createRecorder,
  dataOf,
  drafts,
  everything,
  type Recorder,
  readAll,
  retentionFor,
} from './subject.js'

/** What the keys of the only partition begin with. */
const BASE = `sluice:{${hashTag(0, 1)}}`

async function redis(t: Test, args?: readonly string[]): Promise<RedisServer> {
  const server = await startRedis(args === undefined ? {} : { args })
  t.teardown(() => server.stop())
  return server
}

async function open(
  t: Test,
  url: string,
  options: Partial<RedisLogOptions> = {},
): Promise<{ log: RedisLog; heard: Recorder }> {
  // Checks come when the tests ask for them.
  const log = createRedisLog({ url, retentionFor, checkEvery: 3_600_000, ...options })
  const heard = createRecorder()
  await log.start(heard)
  t.teardown(() => log.stop())
  return { log, heard }
}

function plain(t: Test, url: string): Redis {
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  return client
}

/** Appends until the store takes it again. */
async function appendAgain(log: RedisLog, channel: string, data: string): Promise<number> {
  for (;;) {
    try {
      const [receipt] = await log.append([{ channel, name: 'message', data, key: `again-${data}` }])
      return receipt!.position!.order
    } catch {}
  }
}

t.test('a restart without persistence is told to whoever had read before', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url)
  await log.follow('a')
  const [before] = await log.append(drafts('a', 1))
  await server.restart()
  await heard.until(() => heard.interruptions.length === 1)
  await log.follow('a')
  const order = await appendAgain(log, 'a', '1')
  t.ok(order > before!.position!.order, 'positions go on')
  await heard.until(() => heard.entries.at(-1)?.order === order)
  t.match(await log.locate(0, before!.position!), { known: false, reason: 'unknown' })
  const { gaps, entries } = await readAll(log, 'a', before!.position!.order)
  t.match(gaps, [{ reason: 'unknown' }])
  t.same(dataOf(entries), ['1'])
})

t.test('a restart with persistence loses nothing and tells of nothing', async (t) => {
  const server = await redis(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
  const { log, heard } = await open(t, server.url)
  await log.follow('a')
  const [first, second] = await log.append(drafts('a', 2))
  await server.restart()
  await heard.until(() => heard.interruptions.length === 1)
  await log.follow('a')
  await appendAgain(log, 'a', '2')
  t.same(await log.locate(0, second!.position!), { known: true })
  const { gaps, entries } = await readAll(log, 'a', first!.position!.order)
  t.same(gaps, [])
  t.same(dataOf(entries), ['1', '2'])
  t.not(entries[1]!.tag, entries[0]!.tag, 'another process, another tag')
  t.equal(entries[1]!.prev, entries[0]!.order)
})

t.test('a position that the store lost is told as lost', async (t) => {
  const server = await redis(t, ['--save', '', '--appendonly', 'no'])
  const { log } = await open(t, server.url)
  await log.append(drafts('a', 1))
  const client = plain(t, server.url)
  await client.save()
  const [, lost] = await log.append(drafts('a', 2, 1))
  client.disconnect()
  // Ended by a signal it would not save: the two events after the snapshot are gone.
  await server.kill('SIGKILL')
  await server.restart()
  await appendAgain(log, 'a', '3')
  const standing = await log.locate(0, lost!.position!)
  t.match(standing, { known: false, reason: 'lost' })
  const resumed = await readAll(log, 'a', standing.known ? 0 : standing.resume.order)
  t.same(dataOf(resumed.entries), ['3'])
})

t.test('a wipe is found by the check, and positions go on after it', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url)
  await log.follow('a')
  const [before] = await log.append(drafts('a', 1))
  await heard.until(() => heard.entries.length === 1)
  await plain(t, server.url).flushall()
  await log.check()
  t.same(heard.interruptions, [0])
  await log.follow('a')
  const order = await appendAgain(log, 'a', '1')
  t.ok(order > before!.position!.order)
  t.match((await readAll(log, 'a', before!.position!.order)).gaps, [{ reason: 'unknown' }])
  await heard.until(() => heard.entries.at(-1)?.order === order)
})

t.test('a killed subscriber connection is told, and nothing is missing after it', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url)
  await log.follow('a')
  const [first] = await log.append(drafts('a', 1))
  await heard.until(() => heard.entries.length === 1)
  await plain(t, server.url).call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await log.append(drafts('a', 1, 1))
  await heard.until(() => heard.interruptions.length === 1)
  await log.follow('a')
  const { entries, gaps, snapshot } = await readAll(log, 'a', first!.position!.order)
  await log.append(drafts('a', 1, 2))
  await heard.until(() => dataOf(heard.entries).includes('2'))
  const live = heard.entries.filter(({ order }) => order > snapshot.order)
  t.same(gaps, [])
  t.same(dataOf([...entries, ...live]), ['1', '2'])
})

t.test('following asked for during an outage resolves when it is over', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url)
  await server.kill('SIGKILL')
  await heard.until(() => heard.interruptions.length === 1)
  t.type(log.fault(), 'string')
  const following = log.follow('a')
  await server.restart()
  await following
  const order = await appendAgain(log, 'a', '0')
  await heard.until(() => heard.entries.at(-1)?.order === order)
  t.equal(log.fault(), undefined)
})

t.test('functions that vanish are loaded again', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url)
  const client = plain(t, server.url)
  await log.follow('a')
  const asks: (() => Promise<unknown>)[] = [
    () => log.append(drafts('a', 1)),
    () => everything(log, 'a'),
    () => log.check(),
    () => log.follow('b'),
    () => log.info('a'),
  ]
  for (const ask of asks) {
    await client.call('FUNCTION', 'FLUSH')
    await ask()
  }
  t.same(heard.interruptions, [])
})

t.test('a batch sent again after a cut is appended once', async (t) => {
  const server = await redis(t)
  const random = seeded(1)
  const cutter = await startCutter({ target: server.port, random, budget: () => undefined })
  t.teardown(() => cutter.stop())
  const { log } = await open(t, `redis://127.0.0.1:${cutter.port}`)
  const witness = await open(t, server.url)
  await witness.log.follow('a')
  cutter.hold()
  const appending = log.append(drafts('a', 3))
  // Executed, and the answer is on its way.
  await witness.heard.until(() => witness.heard.entries.length === 3)
  cutter.cutAll()
  cutter.release()
  const receipts = await appending
  t.same(
    receipts.map(({ position, duplicate }) => [position!.order, duplicate]),
    witness.heard.entries.map(({ order }) => [order, false]),
  )
  t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2'])
})

t.test('a lost last message is found by the check', async (t) => {
  const server = await redis(t)
  const proxy = await startLosingProxy(server.port)
  t.teardown(() => proxy.stop())
  const { log, heard } = await open(t, proxy.url)
  await log.follow('a')
  const [first] = await log.append(drafts('a', 1))
  await heard.until(() => heard.entries.length === 1)
  const lost = proxy.loseNext()
  await log.append(drafts('a', 1, 1))
  await lost
  await log.check()
  t.same(heard.holes, [{ channel: 'a', seen: first!.position!.order }])
  const { entries } = await readAll(log, 'a', heard.holes[0]!.seen)
  t.same(dataOf(entries), ['1'])
  await log.check()
  t.equal(heard.holes.length, 1, 'told once')
})

t.test('what another process publishes in a master’s name is not handed over', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url)
  await log.follow('a')
  const [first] = await log.append(drafts('a', 1))
  await heard.until(() => heard.entries.length === 1)
  // So a replaced master's events come, over the bus of a cluster, once it thaws.
  const { order, tag } = first!.position!
  const foreign = `E${order + 4096}\x1f${tag + 1}\x1f${order}\x1fmessage\x1f\x1f"lost"`
  const client = plain(t, server.url)
  await client.spublish(`${BASE}:e:a`, foreign)
  await client.spublish(`${BASE}:e:a`, `D${order}\x1f${tag + 1}`)
  await log.append(drafts('a', 1, 1))
  await heard.until(() => heard.entries.length === 2)
  t.same(dataOf(heard.entries), ['0', '1'])
  t.same(heard.deletions, [])
  t.same(heard.holes, [])
  t.same(heard.interruptions, [])
})

t.test('a lost message is found among thousands of busy channels', async (t) => {
  const server = await redis(t)
  const proxy = await startLosingProxy(server.port)
  t.teardown(() => proxy.stop())
  const { log, heard } = await open(t, proxy.url)
  await log.follow('a')
  const busy = (from: number) =>
    Array.from({ length: 1500 }, (_, i) => drafts(`busy:${from + i}`, 1)).flat()
  await log.append(busy(0))
  const lost = proxy.loseNext()
  const [receipt] = await log.append(drafts('a', 1))
  await lost
  await log.append(busy(1500))
  await log.check()
  t.equal(heard.holes.length, 1)
  t.match(heard.holes, [{ channel: 'a' }])
  t.ok(heard.holes[0]!.seen < receipt!.position!.order)
  t.ok(log.position(0).order > receipt!.position!.order)
})

t.test('thousands of channels are followed again after a cut', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url)
  const channels = Array.from({ length: 1500 }, (_, i) => `c${i}`)
  const followAll = () => Promise.all(channels.map((each) => log.follow(each)))
  await followAll()
  await plain(t, server.url).call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await heard.until(() => heard.interruptions.length === 1)
  await followAll()
  await log.append(channels.flatMap((each) => drafts(each, 1)))
  await heard.until(() => heard.entries.length === 1500)
  t.same(new Set(heard.entries.map(({ channel }) => channel)), new Set(channels))
  const { channels: reads } = await log.read(
    0,
    channels.map((channel) => ({ channel, after: heard.entries[0]!.order - 1 })),
    10,
  )
  t.ok(reads.every(({ entries, complete, gap }) => entries.length === 1 && complete && !gap))
})

t.test('a subscriber connection that fell silent is found by the check', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url, { checkTimeout: 200 })
  await log.follow('a')
  t.equal(log.fault(), undefined)
  await server.kill('SIGSTOP')
  await log.check()
  t.same(heard.interruptions, [0])
  t.type(log.fault(), 'string')
  await server.kill('SIGCONT')
  await log.follow('a')
  const order = await appendAgain(log, 'a', '0')
  await heard.until(() => heard.entries.at(-1)?.order === order)
  t.equal(log.fault(), undefined)
})

t.test('a copy of a batch that arrives after a later one is refused', async (t) => {
  const server = await redis(t)
  const { log } = await open(t, server.url)
  const client = plain(t, server.url)
  const args = (number: number) => [
    'me',
    number,
    '1:0',
    0,
    1,
    'a',
    10,
    60_000,
    'G',
    1,
    0,
    1,
    '',
    '',
    '1',
  ]
  const first = await callFunction(client, 'write', BASE, args(1))
  t.equal(await callFunction(client, 'write', BASE, args(1)), first, 'the same answer')
  await callFunction(client, 'write', BASE, args(2))
  await t.rejects(callFunction(client, 'write', BASE, args(1)), { message: /STALE/ })
  t.equal((await everything(log, 'a')).entries.length, 2)
})

t.test('a lost message shows at the next one', async (t) => {
  const server = await redis(t)
  const proxy = await startLosingProxy(server.port)
  t.teardown(() => proxy.stop())
  const { log, heard } = await open(t, proxy.url)
  await log.follow('a')
  const [first] = await log.append(drafts('a', 1))
  await heard.until(() => heard.entries.length === 1)
  const lost = proxy.loseNext()
  await log.append(drafts('a', 1, 1))
  await lost
  await log.append(drafts('a', 1, 2))
  await heard.until(() => heard.entries.length === 2)
  t.same(heard.holes, [{ channel: 'a', seen: first!.position!.order }])
  t.same(dataOf(heard.entries), ['0', '2'])
})

t.test('two gateways on one Redis see the same order', async (t) => {
  const server = await redis(t)
  const both = [await open(t, server.url), await open(t, server.url)]
  for (const { log } of both) await Promise.all([log.follow('a'), log.follow('b')])
  await Promise.all(
    both.flatMap(({ log }, who) =>
      Array.from({ length: 40 }, (_, i) =>
        log.append([...drafts('a', 1, 100 * who + i), ...drafts('b', 1, 100 * who + i)]),
      ),
    ),
  )
  for (const { heard } of both) await heard.until(() => heard.entries.length === 160)
  const [one, two] = both.map(({ heard }) => heard.entries.map((entry) => ({ ...entry })))
  t.same(one, two)
  t.same(
    one!.map(({ order }) => order),
    one!.map(({ order }) => order).sort((x, y) => x - y),
  )
})

t.test('a frozen Redis makes appends fail as unknown, and is used again when thawed', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url, { appendTimeout: 400 })
  await log.follow('a')
  await log.append(drafts('a', 1))
  await server.kill('SIGSTOP')
  const given = { channel: 'a', name: 'message', data: '"given up"' }
  await t.rejects(log.append([given]), { code: 'log_unavailable', retryable: true })
  await t.rejects(log.append([given]), { code: 'log_unavailable' }, 'nor is the next one sent')
  t.type(log.fault(), 'string')
  await server.kill('SIGCONT')
  const order = await appendAgain(log, 'a', '1')
  const { entries } = await everything(log, 'a')
  t.equal(entries.at(-1)!.order, order)
  t.ok(dataOf(entries).filter((data) => data === given.data).length <= 1, 'never sent again')
  await log.follow('a')
  await log.check()
  t.equal(log.fault(), undefined)
  t.same(heard.deletions, [])
})

t.test('what waits for a Redis that is away is bounded', async (t) => {
  const server = await redis(t)
  const { log } = await open(t, server.url, { appendTimeout: 500 })
  await server.kill('SIGSTOP')
  const outcomes = await Promise.allSettled(
    Array.from({ length: 80 }, () => log.append(drafts('a', 1000))),
  )
  const codes = outcomes.map((each) => (each.status === 'rejected' ? each.reason.code : 'stored'))
  t.same(new Set(codes), new Set(['log_unavailable', 'overloaded']))
})

t.test('appends under way are settled by stop', async (t) => {
  const server = await redis(t)
  const { log } = await open(t, server.url)
  const appending = log.append(drafts('a', 5))
  await log.stop()
  t.equal((await appending).length, 5)
  await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
})

t.test('a channel forgotten long ago moves the horizon, not a false gap', async (t) => {
  const server = await redis(t)
  const brief = { retentionFor: () => ({ maxEvents: 10, maxAge: 20 }) }
  const { log } = await open(t, server.url, brief)
  const client = plain(t, server.url)
  const { order: before } = log.position(0)
  const [old] = await log.append(drafts('old', 1))
  // Heads are pruned on the way, some at a time, so it is appended until that one is due.
  while ((await client.zscore(`${BASE}:h`, 'old')) !== null) {
    await log.append(drafts('new', 1))
  }
  t.equal(await log.info('old'), undefined)
  const missed = await readAll(log, 'old', before)
  t.match(missed.gaps, [{ reason: 'expired' }])
  t.ok(missed.gaps[0]!.floor.order >= old!.position!.order)
  const { order: now } = (await log.seek(0, ['old'], { from: 'latest' })).position
  t.same((await readAll(log, 'old', now)).gaps, [])
})

t.test('a start says what is wrong, and no password', async (t) => {
  const server = await redis(t)
  const start = (url: string, options: Partial<RedisLogOptions> = {}) => {
    const log = createRedisLog({ url, retentionFor, startTimeout: 400, ...options })
    return log.start(createRecorder())
  }
  const { port } = server
  const error = await start('redis://me:secret@127.0.0.1:1/').catch((error: Error) => error)
  t.match(error?.message, /127\.0\.0\.1:1/)
  t.notMatch(error?.message, /secret/)

  await open(t, server.url, { partitions: 2 })
  await t.rejects(start(server.url, { partitions: 3 }), { message: /2 partitions, but 3/ })
  await t.rejects(start(server.url), { message: /2 partitions, but 1/ })
  const client = plain(t, server.url)
  t.same(await client.keys('*{p2}*'), [], 'nothing was made for the wrong number')

  await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await t.rejects(start(`redis://127.0.0.1:${port}`, { partitions: 2 }), { message: /allkeys-lru/ })

  await server.kill('SIGSTOP')
  await t.rejects(start(server.url), { message: /can't be used/ })
  await server.kill('SIGCONT')
})
