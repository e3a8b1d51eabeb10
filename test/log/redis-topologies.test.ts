/** The log's contract on every topology, each of real servers. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Log, LogListener } from '../../src/log/log.js'
import { createRedisLog } from '../../src/log/redis.js'
import { startCluster } from '../support/redis-cluster.js'
import { startSentinels } from '../support/redis-sentinel.js'
import { logContract } from './contract.js'
import type { CreateSubject } from './subject.js'
import { createRecorder, retentionFor } from './subject.js'

t.setTimeout(300_000)

/** What a listener of one partition of a log hears, and how that partition looks as a log of its own. */
function inOnePartition(log: Log, listener: LogListener): { log: Log; listener: LogListener } {
  const CHOSEN = 11
  const named = new Map<string, string>()
  const meant = new Map<string, string>()
  /** The same channels for the contract, with names that fall into the partition. */
  const name = (channel: string): string => {
    for (let i = 0; !named.has(channel); i++) {
      const candidate = `${channel}.${i}`
      if (log.partitionOf(candidate) !== CHOSEN) continue
      named.set(channel, candidate)
      meant.set(candidate, channel)
    }
    return named.get(channel)!
  }
  const back = <T extends { readonly channel: string }>(it: T): T => ({
    ...it,
    channel: meant.get(it.channel) ?? it.channel,
  })
  const onlyMine = (partition: number) => partition === CHOSEN
  return {
    listener: {
      entry: (entry) => listener.entry(back(entry)),
      ephemeral: (event) => listener.ephemeral(back(event)),
      deleted: (channel, upTo) => listener.deleted(meant.get(channel)!, upTo),
      hole: (channel, seen) => listener.hole(meant.get(channel)!, seen),
      interrupted: (partition) => onlyMine(partition) && listener.interrupted(0),
      verified: (partition, position) => onlyMine(partition) && listener.verified(0, position),
    },
    log: {
      ...log,
      partitions: 1,
      partitionOf: () => 0,
      async append(group) {
        const drafts = group.map((draft) => ({ ...draft, channel: name(draft.channel) }))
        return (await log.append(drafts)).map(back)
      },
      close: async (channel, reason, fence) => back(await log.close(name(channel), reason, fence)),
      fence: (channel, fence) => log.fence(name(channel), fence),
      delete: (channel) => log.delete(name(channel)),
      async read(_, requests, limit) {
        const renamed = requests.map((each) => ({ ...each, channel: name(each.channel) }))
        const result = await log.read(CHOSEN, renamed, limit)
        const channels = result.channels.map((each) => ({
          ...back(each),
          entries: each.entries.map(back),
        }))
        return { ...result, channels }
      },
      seek: (_, channels, start) => log.seek(CHOSEN, channels.map(name), start),
      locate: (_, position) => log.locate(CHOSEN, position),
      async info(channel) {
        const info = await log.info(name(channel))
        return info && back(info)
      },
      follow: (channel) => log.follow(name(channel)),
      unfollow: (channel) => log.unfollow(name(channel)),
      position: () => log.position(CHOSEN),
      frontier: () => log.frontier(CHOSEN),
    },
  }
}

let logs = 0
/** Subjects on servers of this machine, one of which owns the clock. */
function subjects(t: Test, url: string, port: number, usually: number): CreateSubject {
  const client = new Redis(port, '127.0.0.1')
  t.teardown(() => client.disconnect())
  async function serverTime(): Promise<number> {
    const [seconds, micros] = await client.time()
    return Number(seconds) * 1000 + Number(micros) / 1000
  }
  return async ({ partitions } = {}) => {
    const prefix = `t${++logs}`
    const log = createRedisLog({ url, prefix, partitions: partitions ?? usually, retentionFor })
    const heard = createRecorder()
    // What holds within a partition is asked of one among the others.
    const view =
      partitions === undefined && usually > 1
        ? inOnePartition(log, heard)
        : { log, listener: heard }
    await log.start(view.listener)
    return {
      log: view.log,
      heard,
      // The server is asked until it has gone on; a blocking command paces the questions.
      async elapse(ms) {
        const due = (await serverTime()) + ms
        while ((await serverTime()) < due) await client.wait(1000, 50)
      },
      stop: () => log.stop(),
    }
  }
}

t.test('found through sentinels', async (t) => {
  const redis = await startSentinels()
  t.teardown(() => redis.stop())
  const { port } = await redis.primary()
  await logContract(t, 'sentinel', subjects(t, redis.url, port, 1))
})

t.test('in a cluster', async (t) => {
  const cluster = await startCluster()
  t.teardown(() => cluster.stop())
  const [node] = cluster.nodes
  await logContract(t, 'one partition', subjects(t, cluster.url, node!.port, 1))
  // One node of a cluster stands for all of it.
  await logContract(t, 'sixteen partitions', subjects(t, node!.url, node!.port, 16))
})
