/** What a configuration holds: milliseconds and bytes, checked. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Retention of the channels that match a pattern; what is left out is as for all channels. */
export interface ChannelRule {
  /** As in `compilePattern`: `chat:*`, `logs:**`. */
  readonly pattern: string
  /** Events a channel keeps. Default: `retentionEvents`. */
  readonly retentionEvents?: number
  /** Milliseconds a channel keeps them. Default: `retentionAgeMs`. */
  readonly retentionAgeMs?: number
}

export interface Config {
  /** Address to listen on. Loopback only, for there is no authentication. Default 127.0.0.1. */
  readonly host: string
  /** TCP port; 0 takes a free one. Default 8080. */
  readonly port: number
  /** Processes that share the port; several need Redis. `serve` alone reads it. Default 1. */
  readonly workers: number
  /**
   * URL of the log: one Redis, nodes of a cluster, or sentinels (log/redis/address.ts). Default
   * undefined: the log lives in memory.
   */
  readonly redisUrl: string | undefined
  /** What the names of all keys in Redis begin with. Default `sluice`. */
  readonly redisPrefix: string
  /** Replicas of Redis that must have an event before its publisher is answered. Default 0. */
  readonly redisMinReplicas: number
  /** Partitions of the log, 1–64, fixed for the life of the stored data. Default 1. */
  readonly partitions: number
  /** With Redis: take raw messages and what is in the inbox. Default true. */
  readonly ingest: boolean
  /** Origins of web pages that may call; `loopback` = those of this machine. Default `loopback`. */
  readonly corsOrigins: 'loopback' | readonly string[]
  /** Milliseconds of silence after which a stream gets a heartbeat. Default 15,000. */
  readonly heartbeatMs: number
  /** Milliseconds that a stream may live; 0 = without end. Default 0. */
  readonly maxAgeMs: number
  /** Events that a channel keeps. Default 10,000. */
  readonly retentionEvents: number
  /** Milliseconds that a channel keeps its events. Default 24 hours. */
  readonly retentionAgeMs: number
  /** Exceptions for channels by pattern; the first match counts. Default none. */
  readonly channels: readonly ChannelRule[]
  /** Bytes that the log in memory may hold. Default 512 MiB. */
  readonly memoryLimitBytes: number
  /** Streams open at one time. Default 20,000. */
  readonly maxStreams: number
  /** Channels on one stream. Default 1,000. */
  readonly maxChannels: number
  /** Bytes of one event's data. Default 256 KiB. */
  readonly maxEventBytes: number
  /** Bytes of a request's body that is read whole. Default 4 MiB. */
  readonly maxBodyBytes: number
  /** What is logged. Default `info`. */
  readonly logLevel: LogLevel
  /** Milliseconds that a shutdown waits at most for readers and requests to finish. Default 10,000. */
  readonly drainMs: number
}
