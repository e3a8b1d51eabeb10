/**
 * The log on Redis 7 (or Valkey 8) and up: streams for what was, Pub/Sub for what is, and one
 * function call that writes both. Several gateways share it.
 */
import type { Redis } from 'ioredis'
import type { Log, LogListener, Receipt, Retention } from './log.js'
import { partitionOf } from './partition.js'
import type { Node } from './redis/address.js'
import { createConnector } from './redis/connector.js'
import { examineMaster, firstContact, LateError, within } from './redis/contact.js'
import { createIntake, type Intake } from './redis/intake.js'
import { claimLayout, layoutKey } from './redis/layout.js'
import {
  APPEND_TIMEOUT,
  ATTEND_EVERY,
  CHECK_EVERY,
  CHECK_TIMEOUT,
  FIND_EVERY,
  START_TIMEOUT,
  WITNESS_PATIENCE,
} from './redis/limits.js'
import { createPartition, type Partition, type RedisLogger, type Role } from './redis/partition.js'
import { createExaminer } from './redis/settings.js'
import { hashTag, slotOf } from './redis/slots.js'

export interface RedisLogOptions {
  /**
   * `redis://[user:password@]host:port[/db]`, `rediss://` for TLS. Several `host:port` with commas are
   * nodes of a cluster; `redis+sentinel://host:port,host:port/master[/db]` asks sentinels.
   */
  readonly url: string
  /** What keys begin with. Default `sluice`. */
  readonly prefix?: string
  /** Fixed for the life of the data. Default 1. */
  readonly partitions?: number
  readonly retentionFor: (channel: string) => Retention
  /** Default: silent. */
  readonly logger?: RedisLogger
  /** Another process has said already how Redis is set. Default false. */
  readonly settingsTold?: boolean
  /** ms until an append is given up. Default 2000. */
  readonly appendTimeout?: number
  /** ms between two comparisons of heads. Default 1000. */
  readonly checkEvery?: number
  /** ms until an unanswered comparison is taken for a dead connection. Default 3500. */
  readonly checkTimeout?: number
  /** ms between two questions where the masters are. Default 1000. */
  readonly findEvery?: number
  /** ms between a gateway's signs of life. Default 1000. */
  readonly attendEvery?: number
  /** ms that a new epoch waits for witnesses of what it lacks. Default 10000. */
  readonly witnessPatience?: number
  /** Replicas that must have an append before it is answered. Default 0. */
  readonly minReplicas?: number
  /** ms that `start` waits for Redis. Default 5000. */
  readonly startTimeout?: number
}

/** The log, and what only this one can do. */
export interface RedisLog extends Log {
  /** For roads in that are made of Redis itself. Of use from `start` to `stop`. */
  readonly intake: Intake
  /** Compares heads now rather than at the next tick; resolves when followers have heard of every hole. */
  check(): Promise<void>
}

const SILENT: RedisLogger = { info() {}, warn() {}, error() {} }

export function createRedisLog(options: RedisLogOptions): RedisLog {
  const { retentionFor, logger = SILENT } = options
  const connector = createConnector(options.url, options.prefix ?? 'sluice')
  const { prefix } = connector
  const count = options.partitions ?? 1
  const appendTimeout = options.appendTimeout ?? APPEND_TIMEOUT
  const checkTimeout = options.checkTimeout ?? CHECK_TIMEOUT
  let partitions: Partition[] = []
  let watch: NodeJS.Timeout | undefined
  let stopped = false

  function dial(node: Node, role: Role): Redis {
    // Half of an append's time: there must be some left for a second try on a new connection.
    const timeout = role === 'commands' ? appendTimeout / 2 : checkTimeout
    return connector.dial(node, { name: `${prefix}-${role}`, timeout })
  }

  /** A master that was replaced may go on to answer: nobody but the others would say so. */
  function watchMasters(): void {
    if (stopped || !connector.movable()) return
    watch = setTimeout(() => {
      Promise.all(partitions.map((each) => each.review())).finally(watchMasters)
    }, options.findEvery ?? FIND_EVERY)
  }

  function fault(): string | undefined {
    if (partitions.length === 0) return 'not started'
    const faults = partitions.flatMap((each) => each.fault() ?? [])
    const others = faults.length - 1
    return others > 0 ? `${faults[0]}; and ${others} more` : faults[0]
  }

  async function stop(): Promise<void> {
    stopped = true
    clearTimeout(watch)
    await Promise.all(partitions.map((each) => each.stop()))
    connector.stop()
  }

  const of = (channel: string) => partitions[partitionOf(channel, count)]!

  const intake = createIntake({
    prefix,
    count,
    findEvery: () => (connector.movable() ? (options.findEvery ?? FIND_EVERY) : 0),
    partition: (index) => partitions[index]!,
    find: (slot) => connector.find(slot),
    dial: (node) => dial(node, 'intake'),
  })

  return {
    intake,
    partitions: count,
    partitionOf: (channel) => partitionOf(channel, count),

    async start(listener: LogListener) {
      const deadline = performance.now() + (options.startTimeout ?? START_TIMEOUT)
      const examiner = createExaminer(logger, options.settingsTold)
      partitions = Array.from({ length: count }, (_, index) => {
        const slot = slotOf(hashTag(index, count))
        return createPartition({
          index,
          partitions: count,
          base: intake.base(index),
          listener,
          retentionFor,
          appendTimeout,
          checkEvery: options.checkEvery ?? CHECK_EVERY,
          minReplicas: options.minReplicas ?? 0,
          attendEvery: options.attendEvery ?? ATTEND_EVERY,
          witnessPatience: options.witnessPatience ?? WITNESS_PATIENCE,
          logger,
          examine: examiner.examine,
          find: () => connector.find(slot),
          dial,
        })
      })
      let met = false
      try {
        await connector.explore(deadline)
        const connect = async () => {
          const slot = slotOf(hashTag(0, count))
          return dial(await connector.find(slot), 'commands')
        }
        await firstContact(connect, deadline, (master) => examineMaster(master, examiner))
        // Before anything else is written.
        const key = layoutKey(prefix)
        const keeper = async () => dial(await connector.find(slotOf(key)), 'commands')
        await firstContact(keeper, deadline, (master) => claimLayout(master, key, count))
        met = true
        await within(deadline, Promise.all(partitions.map((each) => each.start())))
        examiner.relent()
        watchMasters()
      } catch (error) {
        const late = met && error instanceof LateError ? fault() : undefined
        await stop()
        const why = late ?? (error instanceof Error ? error.message : String(error))
        throw new Error(`The log on Redis at ${connector.name} can't be used: ${why}`, {
          cause: error,
        })
      }
    },
    stop,
    fault,

    async append(group) {
      if (count === 1) return group.length === 0 ? [] : partitions[0]!.writer.append(group)
      const parts = new Map<number, number[]>()
      for (const [place, { channel }] of group.entries()) {
        const index = partitionOf(channel, count)
        const places = parts.get(index)
        if (places === undefined) parts.set(index, [place])
        else places.push(place)
      }
      const receipts: Receipt[] = new Array(group.length)
      await Promise.all(
        Array.from(parts, async ([index, places]) => {
          const part = await partitions[index]!.writer.append(places.map((i) => group[i]!))
          for (const [k, place] of places.entries()) receipts[place] = part[k]!
        }),
      )
      return receipts
    },
    close: (channel, reason, fence) => of(channel).writer.close(channel, reason, fence),
    fence: (channel, fence) => of(channel).writer.fence(channel, fence),
    delete: (channel) => of(channel).writer.delete(channel),

    read: (partition, requests, limit) => partitions[partition]!.read(requests, limit),
    seek: (partition, channels, start) => partitions[partition]!.seek(channels, start),
    locate: (partition, position) => partitions[partition]!.locate(position),
    info: (channel) => of(channel).info(channel),

    follow: (channel) => of(channel).follower.follow(channel),
    unfollow: (channel) => of(channel).follower.unfollow(channel),
    position: (partition) => partitions[partition]!.follower.position(),
    frontier: (partition) => partitions[partition]!.follower.frontier(),

    async check() {
      await Promise.all(partitions.map((each) => each.check()))
    },
  }
}
