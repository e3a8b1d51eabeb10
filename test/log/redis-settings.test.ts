/** What a gateway says about the settings of the Redis that it meets, asked of real ones. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createExaminer, type Finding, judge } from '../../src/log/redis/settings.js'
import { createRedisLog } from '../../src/log/redis.js'
import { freePort } from '../support/ports.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import { startCluster } from '../support/redis-cluster.js'
import { createRecorder, drafts, everything, readAll, retentionFor } from './subject.js'

const BARE = ['--save', '', '--appendonly', 'no']

async function redis(t: Test, ...args: string[]): Promise<RedisServer> {
  const server = await startRedis({ args: [...BARE, ...args] })
  t.teardown(() => server.stop())
  return server
}

function plain(t: Test, url: string): Redis {
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  return client
}

/** A logger that writes down `level text`. */
function notes() {
  const lines: string[] = []
  const at = (level: string) => (_: object, text: string) => {
    lines.push(`${level} ${text}`)
  }
  return { lines, info: at('info'), warn: at('warn'), error: at('error') }
}

/** What is said on first contact. */
async function told(t: Test, server: RedisServer, url = server.url): Promise<string[]> {
  const logger = notes()
  await createExaminer(logger).examine(plain(t, url))
  return logger.lines
}

const WELL = [
  '--maxmemory',
  '1gb',
  '--client-output-buffer-limit',
  'pubsub 256mb 64mb 60',
  '--stream-node-max-bytes',
  '1024',
]

t.test('a Redis that is set well is spoken of in one line', async (t) => {
  const server = await redis(t, ...WELL, '--appendonly', 'yes', '--appendfsync', 'always')
  t.match(await told(t, server), [/^info Redis: appendfsync always: .* survive/])
})

t.test('a Redis with its defaults is spoken of in three lines', async (t) => {
  const lines = await told(t, await redis(t))
  t.match(lines, [
    /^warn Redis: client-output-buffer-limit .*pubsub 256mb/,
    /^info Redis: .*a restart of Redis loses the log/,
    /^info Redis could be set better: maxmemory .*; stream-node-max-bytes 1024/,
  ])
  t.equal(lines.length, 3)
})

t.test('what a restart loses is said by what is persisted', async (t) => {
  const cases: [string[], RegExp][] = [
    [['--save', ''], /no snapshots: a restart of Redis loses the log/],
    [['--save', '3600 1'], /loses all events since the last snapshot/],
    [['--appendonly', 'yes', '--appendfsync', 'everysec'], /loses the last second or two/],
    [['--appendonly', 'yes', '--appendfsync', 'no'], /up to half a minute/],
    [['--appendonly', 'yes', '--appendfsync', 'always'], /survive a crash of Redis and of its mac/],
    [
      [
        ...['--appendonly', 'yes', '--appendfsync', 'always'],
        ...['--no-appendfsync-on-rewrite', 'yes'],
      ],
      /but no-appendfsync-on-rewrite yes/,
    ],
  ]
  for (const [args, what] of cases) {
    const server = await redis(t, ...args)
    const lines = await told(t, server)
    t.ok(
      lines.some((line) => line.startsWith('info') && what.test(line)),
      `${args.join(' ')}: ${what}`,
    )
  }
})

t.test('a log is not begun where keys may be evicted without a trace', async (t) => {
  for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random']) {
    const server = await redis(t, '--maxmemory-policy', policy)
    const log = createRedisLog({ url: server.url, retentionFor, startTimeout: 1000 })
    await t.rejects(log.start(createRecorder()), { message: new RegExp(policy) })
    t.same(await plain(t, server.url).dbsize(), 0, 'nothing was made')
  }
})

t.test('volatile eviction is warned of', async (t) => {
  const server = await redis(t, '--maxmemory-policy', 'volatile-lru')
  const lines = await told(t, server)
  t.ok(lines.some((line) => /^warn Redis: maxmemory-policy is volatile-lru: .*vanish/.test(line)))
})

t.test('what volatile eviction takes is told to its readers', async (t) => {
  const server = await redis(t, '--maxmemory-policy', 'volatile-random', '--maxmemory', '4mb')
  const log = createRedisLog({ url: server.url, retentionFor })
  await log.start(createRecorder())
  t.teardown(() => log.stop())
  const { order: before } = log.position(0)
  const client = plain(t, server.url)
  const channels: string[] = []
  while (!/evicted_keys:[1-9]/.test(await client.info('stats'))) {
    const more = Array.from({ length: 100 }, (_, i) => `c${channels.length + i}`)
    channels.push(...more)
    await log.append(more.flatMap((channel) => drafts(channel, 2)))
  }
  const told = { whole: 0, gap: 0, silent: 0 }
  for (const channel of channels) {
    const { entries, gaps } = await readAll(log, channel, before)
    told[entries.length === 2 ? 'whole' : gaps.length === 1 ? 'gap' : 'silent']++
  }
  t.ok(told.gap > 0)
  t.equal(told.silent, 0)
  t.same((await everything(log, 'c0')).gaps, [], 'the earliest that there is, is no gap')
})

t.test('replicas that publishes wait for are missed', async (t) => {
  const server = await redis(t, '--min-replicas-to-write', '1', '--min-replicas-max-lag', '10')
  const lines = await told(t, server)
  t.ok(lines.some((line) => /^warn Redis: min-replicas-to-write .*refuses publishes/.test(line)))
})

t.test('what could be set better is one line', async (t) => {
  const bus = String(await freePort())
  const server = await redis(t, '--cluster-enabled', 'yes', '--cluster-port', bus)
  const lines = await told(t, server)
  const hints = lines.filter((line) => line.startsWith('info Redis could be set better'))
  t.equal(hints.length, 1)
  t.match(hints[0], /stream-node-max-bytes/)
  t.match(hints[0], /cluster-require-full-coverage no/)
})

t.test('a backlog that a second fills is told of where there are replicas', async (t) => {
  const server = await redis(t, ...WELL)
  const alone = await told(t, server)
  t.notOk(alone.some((line) => line.includes('repl-backlog-size')))
  await redis(t, '--replicaof', '127.0.0.1', String(server.port))
  const client = plain(t, server.url)
  while (!/connected_slaves:1/.test(await client.info('replication'))) {}
  const lines = await told(t, server)
  t.ok(lines.some((line) => /repl-backlog-size 64mb/.test(line)))
})

t.test('a user without CONFIG is told once, and eviction is judged all the same', async (t) => {
  const server = await redis(t, ...WELL)
  const admin = plain(t, server.url)
  await admin.call('ACL', 'SETUSER', 'me', 'on', '>x', '~*', '&*', '+@all', '-config')
  const url = `redis://me:x@127.0.0.1:${server.port}`
  const lines = await told(t, server, url)
  t.match(lines, [
    /^info .*CONFIG GET is not permitted/,
    /^info .*appendonly no, snapshots unknown/,
  ])
  t.equal(lines.length, 2)
  await admin.config('SET', 'maxmemory-policy', 'allkeys-random')
  const examiner = createExaminer(notes())
  await t.rejects(examiner.examine(plain(t, url)), { message: /allkeys-random/ })
})

t.test('what can’t be known of persistence is not claimed', async (t) => {
  const said = (...facts: [string, string][]) =>
    judge(new Map([['redis_version', '7.0.15'], ...facts]), undefined).at(-1)?.text
  t.match(said(['aof_enabled', '1']), /^appendonly yes, appendfsync unknown/)
  t.match(said(['aof_enabled', '0']), /^appendonly no, snapshots unknown/)
  t.match(said(), /^persistence unknown/)
})

t.test('each server process is looked at once, and each thing said once', async (t) => {
  const server = await redis(t)
  const other = await redis(t)
  const logger = notes()
  const { examine } = createExaminer(logger)
  await Promise.all([server, server, other, other].map(({ url }) => examine(plain(t, url))))
  t.equal(logger.lines.length, 3)
  await server.restart()
  await examine(plain(t, server.url))
  t.equal(logger.lines.length, 3, 'another process, nothing new')
})

t.test('what another process has said isn’t said again, but what comes later is', async (t) => {
  const logger = notes()
  const examiner = createExaminer(logger, true)
  await examiner.examine(plain(t, (await redis(t)).url))
  examiner.relent()
  await examiner.examine(plain(t, (await redis(t)).url))
  t.same(logger.lines, [])
  await examiner.examine(plain(t, (await redis(t, '--maxmemory-policy', 'volatile-ttl')).url))
  t.match(logger.lines, [/volatile-ttl/])
  t.equal(logger.lines.length, 1)
  const bad = createExaminer(notes(), true)
  const evicting = await redis(t, '--maxmemory-policy', 'allkeys-lru')
  await t.rejects(bad.examine(plain(t, evicting.url)), { message: /allkeys-lru/ }, 'it is refused')
})

t.test('a master that is set otherwise is spoken of when it is met', async (t) => {
  const logger = notes()
  const { examine } = createExaminer(logger)
  await examine(plain(t, (await redis(t, ...WELL)).url))
  const before = logger.lines.length
  await examine(plain(t, (await redis(t, ...WELL, '--maxmemory-policy', 'volatile-ttl')).url))
  t.match(logger.lines.slice(before), [/volatile-ttl/])
})

t.test('older servers are refused, Valkey is taken for what it can do', async (t) => {
  const severities = (lines: [string, string][]) =>
    judge(new Map(lines), undefined).map(({ severity }: Finding) => severity)
  t.same(severities([['redis_version', '6.2.14']]), ['refuse'])
  t.same(severities([['server', 'unknown']]), ['refuse'])
  t.notOk(severities([['redis_version', '7.0.15']]).includes('refuse'))
  t.notOk(severities([['redis_version', '10.0.0']]).includes('refuse'))
  const valkey: [string, string][] = [
    ['redis_version', '7.2.4'],
    ['server_name', 'valkey'],
    ['valkey_version', '8.1.1'],
  ]
  t.notOk(severities(valkey).includes('refuse'))
})

t.test('a promoted replica that is set badly is an error in the log, not an outage', async (t) => {
  const server = await redis(t, ...WELL)
  const logger = notes()
  const log = createRedisLog({ url: server.url, retentionFor, logger })
  const heard = createRecorder()
  await log.start(heard)
  t.teardown(() => log.stop())
  await log.follow('a')
  // As a replica with other settings would be found at a failover.
  await server.restart('SIGTERM', ['--maxmemory-policy', 'allkeys-lru'])
  await heard.until(() => heard.interruptions.length === 1)
  await log.follow('a')
  while ((await log.append(drafts('a', 1)).catch(() => true)) === true) {}
  await heard.until(() => heard.entries.length > 0)
  t.equal(log.fault(), undefined)
  t.ok(logger.lines.some((line) => /^error Redis: .*allkeys-lru/.test(line)))
})

t.test('each master of a cluster is looked at before the log is begun', async (t) => {
  const cluster = await startCluster({ replicas: 0 })
  t.teardown(() => cluster.stop())
  await plain(t, cluster.nodes[2]!.url).config('SET', 'maxmemory-policy', 'allkeys-lru')
  const log = createRedisLog({ url: cluster.url, partitions: 4, retentionFor })
  await t.rejects(log.start(createRecorder()), { message: /allkeys-lru/ })
})
