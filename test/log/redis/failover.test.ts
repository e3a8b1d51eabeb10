/** What the log promises when another server becomes master: nothing accepted is missing, doubled or swapped. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { hashTag, slotOf } from '../../../src/log/redis/slots.js'
import { createRedisLog, type RedisLog } from '../../../src/log/redis.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { type RedisCluster, startCluster } from '../../support/redis-cluster.js'
import { type SentinelRedis, startSentinels } from '../../support/redis-sentinel.js'
import { until } from '../../support/until.js'
import { createRecorder, dataOf, drafts, everything, readAll, retentionFor } from '../subject.js'
import { startTraffic } from './traffic.js'

t.setTimeout(300_000)

function plain(t: Test, { port }: { readonly port: number }): Redis {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: null })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

/** Resolves when the master's replica has all that was written: then a crash of the master loses nothing. */
async function level(t: Test, master: RedisServer): Promise<void> {
  const client = plain(t, master)
  await until('level', async () => {
    const info = await client.info('replication')
    const own = /master_repl_offset:(\d+)/.exec(info)?.[1]
    return /^slave0:.*offset=(\d+)/m.exec(info)?.[1] === own
  })
}

/** Resolves when all partitions are usable again, also those that no event went to. */
async function well(log: RedisLog): Promise<void> {
  await until('well', () => log.fault() === undefined)
}

t.test('under Sentinel', async (t) => {
  let redis: SentinelRedis
  t.before(async () => {
    redis = await startSentinels()
  })
  t.teardown(() => redis.stop())

  t.test('a failover that loses nothing is no interruption to events', async (t) => {
    const traffic = await startTraffic(t, { url: redis.url, prefix: 'f' })
    await traffic.more(100)
    await redis.failover()
    await traffic.more(100)
    await traffic.finish()
    await well(traffic.log)
  })

  t.test('a master that was replaced but goes on to answer is left', async (t) => {
    await redis.settled()
    const traffic = await startTraffic(t, { url: redis.url, prefix: 'z' })
    await traffic.more(100)
    await traffic.hold()
    const old = await redis.primary()
    await level(t, old)
    await redis.hardFailover()
    const client = plain(t, await redis.primary())
    // What is still appended to the old one will be thrown away.
    await until('left', async () => String(await client.client('LIST')).includes('name=z-commands'))
    t.match(await plain(t, old).info('replication'), /role:master/, 'which hasn’t been told yet')
    traffic.go()
    await traffic.more(100)
    await traffic.finish()
  })

  t.test('both connections of a partition are to one server', async (t) => {
    await redis.settled()
    // Nobody asks where the master is but a connection that was lost.
    const never = 3_600_000
    const log = createRedisLog({ url: redis.url, prefix: 'b', retentionFor, findEvery: never })
    const heard = createRecorder()
    await log.start(heard)
    t.teardown(() => log.stop())
    await log.follow('a')
    await log.append(drafts('a', 1))
    const old = await redis.primary()
    await level(t, old)
    await redis.hardFailover()
    const clients = await plain(t, old).client('LIST')
    const [, id] = /id=(\d+) .*name=b-commands/.exec(String(clients))!
    await plain(t, old).call('CLIENT', 'KILL', 'ID', id!)
    await heard.until(() => heard.interruptions.length > 0)
    t.match(await plain(t, old).info('replication'), /role:master/, 'which ends no connection yet')
    await log.follow('a')
    await log.append(drafts('a', 1, 1))
    await heard.until(() => heard.entries.length === 2)
    t.same(heard.holes, [])
  })

  t.test('a master that is killed is followed by its replica', async (t) => {
    await redis.settled()
    const traffic = await startTraffic(t, { url: redis.url, prefix: 'k' })
    await traffic.more(100)
    await traffic.hold()
    const old = await redis.primary()
    await level(t, old)
    await old.kill('SIGKILL')
    traffic.go()
    await until('said', () => traffic.log.fault() !== undefined)
    await traffic.more(100)
    await traffic.finish()
    await well(traffic.log)
  })
})

t.test('in a cluster', async (t) => {
  const PARTITIONS = 6
  let cluster: RedisCluster
  t.before(async () => {
    cluster = await startCluster()
  })
  t.teardown(() => cluster.stop())

  t.test('a manual failover costs no event that was accepted', async (t) => {
    const url = cluster.nodes[0]!.url
    const traffic = await startTraffic(t, { url, prefix: 'f', partitions: PARTITIONS, rate: 500 })
    await traffic.more(200)
    for (const master of await cluster.masters()) {
      const [replica] = await cluster.replicasOf(master)
      await cluster.failover(replica!)
      await traffic.more(200)
    }
    await traffic.finish()
    await well(traffic.log)
  })

  t.test('a slot moves while events come', async (t) => {
    await cluster.settled()
    const { url } = cluster
    const slot = slotOf(hashTag(0, PARTITIONS))
    const from = await cluster.masterOf(slot)
    const other = (await cluster.masters()).find((each) => each !== from)!
    const traffic = await startTraffic(t, { url, prefix: 'm', partitions: PARTITIONS, rate: 500 })
    await traffic.more(200)
    await cluster.moveSlot(slot, other)
    await traffic.more(200)
    await cluster.moveSlot(slot, from)
    await traffic.more(200)
    await traffic.finish()
    await well(traffic.log)
  })

  t.test('in the middle of a slot’s way appends and reads are refused, not halved', async (t) => {
    await cluster.settled()
    const { url } = cluster
    const tag = hashTag(0, PARTITIONS)
    const slot = slotOf(tag)
    const base = `h:{${tag}}`
    const from = await cluster.masterOf(slot)
    const to = (await cluster.masters()).find((each) => each !== from)!
    const log = createRedisLog({ url, prefix: 'h', partitions: PARTITIONS, retentionFor })
    const heard = createRecorder()
    await log.start(heard)
    t.teardown(() => log.stop())
    const mine = Array.from({ length: 200 }, (_, i) => `c${i}`).filter(
      (each) => log.partitionOf(each) === 0,
    )
    const channel = mine[0]!
    await log.follow(channel)
    for (const each of mine) await log.append(drafts(each, 2))
    const before = await log.read(0, [{ channel, after: 0 }], 10)
    await cluster.moveSlot(slot, to, async () => {
      const importing = plain(t, to)
      const moved = (await importing.call('CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[]
      const staying = (await plain(t, from).call(
        'CLUSTER',
        'GETKEYSINSLOT',
        slot,
        1000,
      )) as string[]
      t.ok(moved.length > 0 && staying.length > 0, 'some keys here, some there')
      await t.rejects(log.append(drafts(channel, 1, 2)), { code: 'log_unavailable' })
      await t.rejects(log.read(0, [{ channel, after: 0 }], 10), { code: 'log_unavailable' })
      await t.rejects(log.info(channel), { code: 'log_unavailable' })
      await until('said', () => /ASK|TRYAGAIN/.test(log.fault() ?? ''))
      t.strictSame(
        ((await importing.call('CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[]).sort(),
        moved.sort(),
        'nothing was made where the slot is on its way to',
      )
    })
    await well(log)
    await log.follow(channel)
    await log.append(drafts(channel, 1, 2))
    await heard.until(() =>
      heard.entriesOf(channel).some((each) => 'data' in each && each.data === '2'),
    )
    for (const each of mine)
      t.equal((await everything(log, each)).entries.length, each === channel ? 3 : 2)
    const { gaps, entries } = await readAll(log, channel, before.channels[0]!.entries[0]!.order)
    t.strictSame(gaps, [])
    t.equal(entries.length, 2)
    t.equal(await plain(t, to).exists(`${base}:m`), 1)
  })

  t.test('a master that is killed is followed by its replica', async (t) => {
    await cluster.settled()
    const { url } = cluster
    const traffic = await startTraffic(t, { url, prefix: 'k', partitions: PARTITIONS })
    await traffic.more(100)
    await traffic.hold()
    const old = await cluster.masterOf(slotOf(hashTag(0, PARTITIONS)))
    await level(t, old)
    await old.kill('SIGKILL')
    traffic.go()
    await until('said', () => /partition/.test(traffic.log.fault() ?? ''))
    await traffic.more(100)
    await traffic.finish()
    await well(traffic.log)
  })
})

t.test('one server', async (t) => {
  t.test('that is made a replica is refused, and used again when it is a master', async (t) => {
    const [server, above] = await Promise.all([startRedis(), startRedis()])
    t.teardown(() => Promise.all([server.stop(), above.stop()]))
    const log = createRedisLog({ url: server.url, retentionFor })
    const heard = createRecorder()
    await log.start(heard)
    t.teardown(() => log.stop())
    await log.follow('a')
    await log.append(drafts('a', 1))
    const client = plain(t, server)
    // A copy that takes over: the old one, its replica then, has answers to all questions.
    await plain(t, above).replicaof('127.0.0.1', server.port)
    await level(t, server)
    await plain(t, above).replicaof('NO', 'ONE')
    await client.replicaof('127.0.0.1', above.port)
    await heard.until(() => heard.interruptions.length > 0)
    await until('said', () => /replica/.test(log.fault() ?? ''))
    await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
    await t.rejects(log.read(0, [{ channel: 'a', after: 0 }], 1), { code: 'log_unavailable' })
    await client.replicaof('NO', 'ONE')
    await well(log)
    await log.append(drafts('a', 1, 1))
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1'])
  })

  t.test('that can’t be the log says at start what it is', async (t) => {
    const [server, above] = await Promise.all([startRedis(), startRedis()])
    const redis = await startSentinels()
    const cluster = await startCluster({ replicas: 0 })
    t.teardown(() => Promise.all([server.stop(), above.stop(), redis.stop(), cluster.stop()]))
    const start = (url: string) => {
      const log = createRedisLog({ url, retentionFor, startTimeout: 1500 })
      return log.start(createRecorder())
    }
    await plain(t, server).replicaof('127.0.0.1', above.port)
    await t.rejects(start(server.url), { message: /it is a replica/ })
    await t.rejects(start(redis.sentinels[0]!.url), {
      message: /it is a Sentinel.*redis\+sentinel/,
    })
    await t.rejects(start(`${cluster.nodes[0]!.url}/1`), { message: /no database but 0/ })
    await t.rejects(start(`${server.url},${above.url}`), { message: /cluster support disabled/ })
    const nobody = redis.url.replace(/[^/]*$/, 'nobody')
    await t.rejects(start(nobody), { message: /no sentinel says.*No such master/ })
  })
})
