/**
 * What the log on Redis promises on Redis's bad days: when it is full, deaf, slow, wiped, locked, or
 * somebody has been at its keys. `redis-faults.test.ts` has the faults of every day.
 */
import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { CHECK_EVERY, CHECK_TIMEOUT, QUEUE_BYTES, SILENCE } from '../../src/log/redis/limits.js'
import { hashTag } from '../../src/log/redis/slots.js'
import { createRedisLog, type RedisLog, type RedisLogOptions } from '../../src/log/redis.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Direction, startHalfOpenProxy } from './half-open.js'
import { createJournal, type Journal } from './journal.js'
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

async function redis(t: Test, args: readonly string[] = []): Promise<RedisServer> {
  const server = await startRedis({ args: ['--save', '', '--appendonly', 'no', ...args] })
  t.teardown(() => server.stop())
  return server
}

interface Opened {
  readonly log: RedisLog
  readonly heard: Recorder
  readonly journal: Journal
}

async function open(t: Test, url: string, options: Partial<RedisLogOptions> = {}): Promise<Opened> {
  const journal = createJournal()
  // Checks come when the tests ask for them.
  const common = { url, retentionFor, logger: journal, checkEvery: 3_600_000 }
  const log = createRedisLog({ ...common, ...options })
  const heard = createRecorder()
  await log.start(heard)
  t.teardown(() => log.stop())
  return { log, heard, journal }
}

function plain(t: Test, url: string): Redis {
  const client = new Redis(url)
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

/** Appends until the store takes it again. */
async function appendAgain(log: RedisLog, channel: string, data: string): Promise<number> {
  for (;;) {
    try {
      const [receipt] = await log.append([{ channel, name: 'message', data, key: `again-${data}` }])
      return receipt!.position!.order
    } catch {
      // Refused at once while there is no connection: a turn for there to be one.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

// ── it reads, and doesn't write ──

async function dumpOf(client: Redis): Promise<string> {
  const [, dir] = (await client.config('GET', 'dir')) as [string, string]
  return join(dir, 'dump.rdb')
}

interface Denial {
  readonly name: string
  readonly pattern: RegExp
  begin(client: Redis): Promise<unknown>
  end(client: Redis): Promise<unknown>
}

const denials: Denial[] = [
  {
    name: 'a full Redis',
    pattern: /OOM/,
    begin: (client) => client.config('SET', 'maxmemory', '1'),
    end: (client) => client.config('SET', 'maxmemory', '0'),
  },
  {
    name: 'a Redis that can’t persist',
    pattern: /MISCONF/,
    // Root may write everywhere, but not put a file in the place of a folder.
    async begin(client) {
      await client.config('SET', 'save', '3600 1000000')
      await mkdir(await dumpOf(client))
      await client.bgsave()
      const refused = () =>
        client.set('probe', '').then(
          () => false,
          () => true,
        )
      while (!(await refused())) await client.info('persistence')
    },
    async end(client) {
      await rmdir(await dumpOf(client))
      await client.save()
    },
  },
  {
    name: 'a Redis without its replicas',
    pattern: /NOREPLICAS/,
    begin: (client) => client.config('SET', 'min-replicas-to-write', '1'),
    end: (client) => client.config('SET', 'min-replicas-to-write', '0'),
  },
]

for (const { name, pattern, begin, end } of denials) {
  t.test(`${name} refuses appends, is read and followed, and is said so once`, async (t) => {
    const server = await redis(t)
    const admin = plain(t, server.url)
    const { log, heard, journal } = await open(t, server.url, { appendTimeout: 200 })
    await log.append(drafts('a', 3))
    await log.follow('a')
    await begin(admin)
    await log.check()
    t.match(log.fault(), pattern, 'found before a publisher finds it')
    const outcomes = await Promise.allSettled(drafts('a', 20, 3).map((each) => log.append([each])))
    for (const each of outcomes) {
      t.match(each, { status: 'rejected', reason: { code: 'log_unavailable', retryable: true } })
    }
    t.match((outcomes[0] as PromiseRejectedResult).reason.cause?.message, pattern)
    t.equal(journal.count(/refuses appends/), 1)
    t.equal(journal.count(pattern), 1)

    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2'])
    await log.follow('b')
    const from = journal.lines.length
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await journal.line(/ready for commands/, from)
    await journal.line(/following/, from)
    await log.follow('a')
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2'], 'on a new connection')
    const newcomer = await open(t, server.url)
    t.same(dataOf((await everything(newcomer.log, 'a')).entries), ['0', '1', '2'])
    t.match(newcomer.log.fault(), pattern)

    await end(admin)
    await log.check()
    t.equal(log.fault(), undefined)
    t.equal(journal.count(/takes appends again/), 1)
    const order = await appendAgain(log, 'a', '3')
    await heard.until(() => heard.entries.at(-1)?.order === order)
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2', '3'], 'nothing doubled')
  })
}

t.test('a Redis near its limit is no flood in the log', async (t) => {
  const server = await redis(t)
  const admin = plain(t, server.url)
  const { log, journal } = await open(t, server.url, { appendTimeout: 200 })
  for (let i = 0; i < 10; i++) {
    await admin.config('SET', 'maxmemory', '1')
    await t.rejects(log.append(drafts('a', 1)))
    await admin.config('SET', 'maxmemory', '0')
    await appendAgain(log, 'a', String(i))
  }
  t.ok(journal.count(/appends/) <= 2, journal.lines.join('\n'))
})

t.test('what can be asked of a channel can be asked while Redis is full', async (t) => {
  const server = await redis(t)
  const { log } = await open(t, server.url)
  await log.append(drafts('a', 3))
  await plain(t, server.url).config('SET', 'maxmemory', '1')
  t.match(await log.info('a'), { channel: 'a', events: 3 })
})

t.test('a user without rights is said so once, and used again when it has them', async (t) => {
  const server = await redis(t)
  const admin = plain(t, server.url)
  const rights = ['on', '>right', '~*', '&*', '+@all']
  await admin.call('ACL', 'SETUSER', 'gateway', ...rights)
  const url = `redis://gateway:right@127.0.0.1:${server.port}`
  const { log, heard, journal } = await open(t, url, { appendTimeout: 200 })
  await log.follow('a')
  await log.append(drafts('a', 1))
  const from = journal.lines.length
  await admin.call('ACL', 'SETUSER', 'gateway', 'reset')
  for (let i = 0; i < 20; i++) {
    await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
  }
  await log.check()
  // The first thing it knows is that it was cut off; why, it learns when it comes back.
  await until('shut out', () => /NOPERM|NOAUTH|WRONGPASS/.test(log.fault() ?? ''))
  t.same(heard.interruptions, [0])
  t.ok(journal.lines.length - from <= 3, journal.lines.join('\n'))
  await admin.call('ACL', 'SETUSER', 'gateway', ...rights)
  await log.follow('a')
  const order = await appendAgain(log, 'a', '1')
  await heard.until(() => heard.entries.at(-1)?.order === order)
  await log.check()
  t.equal(log.fault(), undefined)
  t.notMatch(journal.lines.join(), /right@|>right/)
})

t.test('a right that only appends need is said to be missing, until it is there', async (t) => {
  const server = await redis(t)
  const admin = plain(t, server.url)
  await admin.call('ACL', 'SETUSER', 'gateway', 'on', '>right', '~*', '&*', '+@all')
  const url = `redis://gateway:right@127.0.0.1:${server.port}`
  const { log } = await open(t, url)
  await log.append(drafts('a', 1))
  for (const right of ['xadd', 'zadd', 'spublish']) {
    await admin.call('ACL', 'SETUSER', 'gateway', `-${right}`)
    await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
    await log.check()
    t.match(log.fault(), /refuses appends.*(NOPERM|can't run|ACL)/, right)
    await admin.call('ACL', 'SETUSER', 'gateway', `+${right}`)
    await log.append(drafts('a', 1))
    t.equal(log.fault(), undefined)
  }
})

t.test('a changed password is said, also who was let in before is locked out', async (t) => {
  const server = await redis(t)
  const admin = plain(t, server.url)
  await admin.config('SET', 'requirepass', 'old')
  const { log, heard } = await open(t, `redis://:old@127.0.0.1:${server.port}`, {
    appendTimeout: 200,
  })
  await log.follow('a')
  await admin.config('SET', 'requirepass', 'new')
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await heard.until(() => heard.interruptions.length === 1)
  await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
  await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
  await until('shut out', () => /NOAUTH|WRONGPASS/.test(log.fault() ?? ''))
  await admin.config('SET', 'requirepass', 'old')
  await log.follow('a')
  const order = await appendAgain(log, 'a', '1')
  await heard.until(() => heard.entries.at(-1)?.order === order)
  t.equal(log.fault(), undefined)
})

// ── it says nothing ──

t.test('a deaf gateway finds out within five seconds', async (t) => {
  t.ok(CHECK_EVERY + CHECK_TIMEOUT < 5000)
  t.ok(CHECK_EVERY + SILENCE < 5000, '/readyz says so earlier')
})

for (const direction of ['to Redis', 'from Redis'] satisfies Direction[]) {
  t.test(`a line that swallows what goes ${direction} is found and left`, async (t) => {
    const server = await redis(t)
    const line = await startHalfOpenProxy(server.port)
    t.teardown(() => line.stop())
    const quick = { checkEvery: 50, checkTimeout: 150, appendTimeout: 300 }
    const { log, heard, journal } = await open(t, line.url, quick)
    const other = await open(t, server.url)
    await log.follow('a')
    await log.append(drafts('a', 1))
    await heard.until(() => heard.entries.length === 1)
    const from = journal.lines.length
    line.swallow(direction)
    await other.log.append(drafts('a', 1, 1))
    await heard.until(() => heard.interruptions.length === 1)
    // Nobody publishes and nobody reads here: the probe finds it.
    await journal.line(/command connection lost/, from)
    t.type(log.fault(), 'string')
    await t.rejects(log.append(drafts('a', 1, 9)), { code: 'log_unavailable' })
    line.heal()
    await log.follow('a')
    const order = await appendAgain(log, 'a', '2')
    await heard.until(() => heard.entries.at(-1)?.order === order)
    await log.check()
    t.equal(log.fault(), undefined)
    const { entries, gaps } = await readAll(log, 'a', heard.entries[0]!.order)
    t.same(gaps, [])
    t.same(
      dataOf(entries).filter((data) => data !== '9'),
      ['1', '2'],
    )
    t.ok(journal.lines.length - from <= 4, journal.lines.join('\n'))
  })
}

// ── somebody was at the keys ──

t.test('heads that were deleted by hand hide nothing', async (t) => {
  const server = await redis(t)
  const admin = plain(t, server.url)
  const { log, heard, journal } = await open(t, server.url)
  await log.follow('a')
  const [first] = await log.append(drafts('a', 3))
  await log.close('ended', 'over')
  await heard.until(() => heard.entries.length === 3)
  await admin.del(`${BASE}:h`)
  const before = await readAll(log, 'a', first!.position!.order)
  t.same(dataOf(before.entries), ['1', '2'])
  t.same(before.gaps, [])
  t.match(await log.info('a'), { events: 3 })
  t.match((await log.read(0, [{ channel: 'ended', after: 0 }], 10)).channels[0], { closed: {} })
  await log.append(drafts('a', 1, 3))
  await heard.until(() => heard.entries.length === 4)
  t.same(heard.holes, [], 'the chain goes on')
  await log.check()
  const { entries, gaps } = await readAll(log, 'a', first!.position!.order)
  t.same(dataOf(entries), ['1', '2', '3'])
  t.same(gaps, [])
  t.same(heard.interruptions, [])
  t.equal(journal.count(/lost/), 0)
})

t.test('a stream that was deleted by hand is a gap for whoever stood before its end', async (t) => {
  const server = await redis(t)
  const { log, heard } = await open(t, server.url)
  await log.follow('a')
  const [first, , third] = await log.append(drafts('a', 3))
  await heard.until(() => heard.entries.length === 3)
  await plain(t, server.url).del(`${BASE}:s:a`)
  const behind = await readAll(log, 'a', first!.position!.order)
  t.match(behind.gaps, [{ floor: third!.position! }])
  t.same(
    (await readAll(log, 'a', third!.position!.order)).gaps,
    [],
    'who had read all misses nothing',
  )
  await log.append(drafts('a', 1, 3))
  await heard.until(() => heard.entries.length === 4)
  t.same(heard.holes, [])
  t.match((await readAll(log, 'a', first!.position!.order)).gaps, [{ floor: third!.position! }])
})

t.test(
  'meta data deleted by hand: positions go on, and cursors are told that they are unknown',
  async (t) => {
    const server = await redis(t)
    const { log, heard } = await open(t, server.url)
    await log.follow('a')
    const [first, , third] = await log.append(drafts('a', 3))
    await heard.until(() => heard.entries.length === 3)
    await plain(t, server.url).del(`${BASE}:m`)
    await log.check()
    await heard.until(() => heard.interruptions.length === 1)
    await log.follow('a')
    const order = await appendAgain(log, 'a', '3')
    t.ok(order > third!.position!.order)
    await heard.until(() => heard.entries.at(-1)?.order === order)
    t.match(await log.locate(0, first!.position!), { known: false, reason: 'unknown' })
    const { entries } = await readAll(log, 'a', first!.position!.order)
    t.same(dataOf(entries).slice(-3), ['1', '2', '3'], 'what is still there is given')
  },
)

t.test('a channel whose stream was overwritten by hand is lost alone', async (t) => {
  const server = await redis(t)
  const admin = plain(t, server.url)
  const { log, heard } = await open(t, server.url)
  await Promise.all([log.follow('a'), log.follow('broken')])
  const [first] = await log.append(drafts('broken', 2))
  await log.append(drafts('a', 1))
  await heard.until(() => heard.entries.length === 3)
  await admin.set(`${BASE}:s:broken`, 'mine')
  await admin.set(`${BASE}:s:new`, 'mine')
  // All in one call.
  const [good, bad, mixed, fresh, ended, after] = await Promise.allSettled([
    log.append(drafts('a', 1, 1)),
    log.append(drafts('broken', 1)),
    log.append([...drafts('a', 1, 2), ...drafts('broken', 1)]),
    log.append(drafts('new', 1)),
    log.close('broken', null),
    log.append(drafts('a', 1, 3)),
  ])
  t.match([good, after], [{ status: 'fulfilled' }, { status: 'fulfilled' }])
  const unavailable = { status: 'rejected', reason: { code: 'log_unavailable' } }
  t.match([bad, mixed, fresh, ended], Array(4).fill(unavailable))
  // Half of a group may stay: what is stored is heard, whatever its publisher was told.
  await heard.until(() => dataOf(heard.entriesOf('a')).includes('3'))
  t.same(dataOf(heard.entriesOf('a')), dataOf((await everything(log, 'a')).entries))
  t.same(heard.holes, [])
  const after0 = first!.position!.order
  const requests = ['a', 'broken', 'new'].map((channel) => ({ channel, after: after0 }))
  const { channels } = await log.read(0, requests, 100)
  t.match(channels[1], { entries: [], gap: { reason: 'trimmed' } }, 'told as a gap')
  t.equal(channels[0]!.entries.length, dataOf(heard.entriesOf('a')).length)
})

t.test('scripts that vanish are nobody’s loss', async (t) => {
  const server = await redis(t)
  const { log, heard, journal } = await open(t, server.url)
  const admin = plain(t, server.url)
  await log.follow('a')
  const from = journal.lines.length
  for (const [i, what] of ['SCRIPT', 'FUNCTION', 'SCRIPT', 'FUNCTION'].entries()) {
    await admin.call(what, 'FLUSH')
    await log.append(drafts('a', 1, i))
    await log.check()
  }
  await heard.until(() => heard.entries.length === 4)
  t.same(heard.holes, [])
  t.same(heard.interruptions, [])
  t.equal(journal.lines.length, from)
})

// ── many ──

t.test('bytes that wait for a Redis that is away are bounded', async (t) => {
  const server = await redis(t)
  const { log } = await open(t, server.url, { appendTimeout: 500 })
  await server.kill('SIGSTOP')
  const data = JSON.stringify('x'.repeat(1024 * 1024))
  const appends = Array.from({ length: 40 }, () =>
    log.append([{ channel: 'a', name: 'message', data }]),
  )
  const outcomes = await Promise.allSettled(appends)
  const refused = outcomes.filter(
    (each) => each.status === 'rejected' && each.reason.code === 'overloaded',
  )
  t.ok(refused.length >= 40 - QUEUE_BYTES / data.length - 1, 'more are not held')
  await server.kill('SIGCONT')
  await appendAgain(log, 'a', '0')
})

t.test(
  'ten thousand channels are followed in batches, and what comes between is heard',
  async (t) => {
    const server = await redis(t)
    const { log, heard } = await open(t, server.url)
    const other = await open(t, server.url)
    const admin = plain(t, server.url)
    const names = Array.from({ length: 10_000 }, (_, i) => `c${i}`)
    const round = async () => {
      let left = names.length
      let between = false
      const first = log.follow(names[0]!)
      const all = Promise.all(names.map((each) => log.follow(each).then(() => left--)))
      await first
      const [receipt] = await other.log.append(drafts(names[0]!, 1))
      const { order } = receipt!.position!
      await Promise.all([
        heard
          .until(() => heard.entries.some((entry) => entry.order === order))
          .then(() => {
            between = left > 0
          }),
        all,
      ])
      t.ok(between, 'heard before the last channel was followed')
    }
    await round()
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await heard.until(() => heard.interruptions.length === 1)
    await round()
    await other.log.append(names.slice(-500).flatMap((each) => drafts(each, 1)))
    await heard.until(() => heard.entries.length === 502)
    await log.check()
    t.same(heard.holes, [])
    t.same(heard.interruptions, [0])
  },
)
