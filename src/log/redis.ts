/**
 * The log on Redis 7 (or Valkey 8) and up: streams for what was, Pub/Sub for what is, and one
 * function call that writes both. Several gateways share it.
 */
import { Redis } from 'ioredis'
import type { Log, LogListener, Receipt, Retention } from './log.js'
import { partitionOf } from './partition.js'
import { firstContact, within, withoutPassword } from './redis/contact.js'
import { APPEND_TIMEOUT, CHECK_EVERY, CHECK_TIMEOUT, START_TIMEOUT } from './redis/limits.js'
import { createPartition, type Partition, type RedisLogger, type Role } from './redis/partition.js'
import { createExaminer } from './redis/settings.js'
import { hashTag } from './redis/slots.js'

export interface RedisLogOptions {
  /** `redis://[user:password@]host:port[/db]`, `rediss://` for TLS. */
  readonly url: string
  /** What keys begin with. Default `sluice`. */
  readonly prefix?: string
  /** Fixed for the life of the data. Default 1. */
  readonly partitions?: number
  readonly retentionFor: (channel: string) => Retention
  /** Default: silent. */
  readonly logger?: RedisLogger
  /** ms until an append is given up. Default 2000. */
  readonly appendTimeout?: number
  /** ms between two comparisons of heads. Default 1000. */
  readonly checkEvery?: number
  /** ms until an unanswered comparison is taken for a dead connection. Default 3500. */
  readonly checkTimeout?: number
  /** ms that `start` waits for Redis. Default 5000. */
  readonly startTimeout?: number
}

/** The log, and what only this one can do. */
export interface RedisLog extends Log {
  /** Compares heads now rather than at the next tick; resolves when followers have heard of every hole. */
  check(): Promise<void>
}

const SILENT: RedisLogger = { info() {}, warn() {}, error() {} }

export function createRedisLog(options: RedisLogOptions): RedisLog {
  const { url, prefix = 'sluice', retentionFor, logger = SILENT } = options
  const count = options.partitions ?? 1
  const appendTimeout = options.appendTimeout ?? APPEND_TIMEOUT
  const checkTimeout = options.checkTimeout ?? CHECK_TIMEOUT
  let partitions: Partition[] = []

  /** A client for one connection: whoever holds it reconnects and sends again, not the client. */
  function connect(role: Role): Redis {
    return new Redis(url, {
      lazyConnect: true,
      retryStrategy: null,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      // Half of an append's time: there must be some left for a second try on a new connection.
      commandTimeout: role === 'commands' ? appendTimeout / 2 : checkTimeout,
      connectionName: `${prefix}-${role}`,
    })
  }

  const of = (channel: string) => partitions[partitionOf(channel, count)]!

  return {
    partitions: count,
    partitionOf: (channel) => partitionOf(channel, count),

    async start(listener: LogListener) {
      const deadline = performance.now() + (options.startTimeout ?? START_TIMEOUT)
      const examiner = createExaminer(logger)
      partitions = Array.from({ length: count }, (_, index) =>
        createPartition({
          index,
          partitions: count,
          base: `${prefix}:{${hashTag(index, count)}}`,
          listener,
          retentionFor,
          appendTimeout,
          checkEvery: options.checkEvery ?? CHECK_EVERY,
          logger,
          examine: examiner.examine,
          connect,
        }),
      )
      try {
        await firstContact(() => connect('commands'), deadline, examiner)
        // The first one knows whether the number of partitions is right: no other is made before.
        const [first, ...others] = partitions
        await within(deadline, first!.start())
        await within(deadline, Promise.all(others.map((each) => each.start())))
        examiner.relent()
      } catch (error) {
        await Promise.all(partitions.map((each) => each.stop()))
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`The log on Redis at ${withoutPassword(url)} can't be used: ${why}`, {
          cause: error,
        })
      }
    },
    async stop() {
      await Promise.all(partitions.map((each) => each.stop()))
    },
    fault() {
      if (partitions.length === 0) return 'not started'
      for (const each of partitions) {
        const fault = each.fault()
        if (fault !== undefined) return fault
      }
      return undefined
    },

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
    close: (channel, reason) => of(channel).writer.close(channel, reason),
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
