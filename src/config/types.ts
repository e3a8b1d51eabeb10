/** What a configuration holds: milliseconds and bytes, checked. */

import type { RightsClaim } from '../auth/rights.js'
import type { Rate } from '../auth/shared.js'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** What holds for the channels that match a pattern; what is left out is as for all channels. */
export interface ChannelRule {
  /** As in `compilePattern`: `chat:*`, `logs:**`. */
  readonly pattern: string
  /** Events a channel keeps. Default: `retentionEvents`. */
  readonly retentionEvents?: number
  /** Milliseconds a channel keeps them. Default: `retentionAgeMs`. */
  readonly retentionAgeMs?: number
  /** Whether whoever reads is present, to those who may see it. Default false. */
  readonly presence?: boolean
}

export interface Config {
  /** Address to listen on; beyond loopback only with keys. Default 127.0.0.1. */
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
  /** Pages of its own: `/inspect`, and where it is open `/` with the demos. Default true. */
  readonly pages: boolean
  /** Origins of web pages that may call; `loopback` = those of this machine. Default `loopback`. */
  readonly corsOrigins: 'loopback' | readonly string[]
  /** Keys of backends: whoever sends one may do everything. Default none. */
  readonly apiKeys: readonly string[]
  /** Secrets that tokens are signed with (HS256, HS384, HS512). Default none. */
  readonly jwtSecrets: readonly string[]
  /** PEM texts of public keys (RSA, EC, Ed25519) of those who sign tokens. Default none. */
  readonly jwtPublicKeys: readonly string[]
  /** Where such keys are published. Default undefined. */
  readonly jwksUrl: string | undefined
  /** Algorithms of tokens that are accepted. Default undefined: those that fit the keys. */
  readonly jwtAlgorithms: readonly string[] | undefined
  /** What `iss` of a token must be; empty: anything. Default empty. */
  readonly jwtIssuers: readonly string[]
  /** What `aud` of a token must have; empty: anything. Default empty. */
  readonly jwtAudiences: readonly string[]
  /** Claim that holds the rights. Default `sluice`. */
  readonly jwtClaim: string
  /** Milliseconds that the clock of whoever signs tokens may be off. Default 30,000. */
  readonly jwtToleranceMs: number
  /** Name of the cookie that may hold a token. Default `__Host-sluice`. */
  readonly cookie: string
  /** Rights of callers without a token. Default undefined: they have none. */
  readonly anonymous: RightsClaim | undefined
  /** Endpoint that is asked on subscribe and publish, beside the token's rights. Default undefined. */
  readonly authorizeUrl: string | undefined
  /** Bearer token that it is sent. Default undefined. */
  readonly authorizeKey: string | undefined
  /** Milliseconds that its answers count. Default 10,000. */
  readonly authorizeCacheMs: number
  /** Milliseconds that it may take. Default 2,000. */
  readonly authorizeTimeoutMs: number
  /** Names that may stand in the Host header; `any`; undefined: `loopback` where it listens there only or is open, else `any`. */
  readonly allowedHosts: 'any' | 'loopback' | readonly string[] | undefined
  /** Addresses of proxies whose X-Forwarded-For counts. Default none. */
  readonly trustedProxies: readonly string[]
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
  /** Whom the gateway asks on behalf of callers, by name, as written (relay/read-upstreams.ts). Default none. */
  readonly upstreams: Readonly<Record<string, unknown>>
  /** STUN and TURN servers, as written: secrets are read from the environment. Default undefined: none. */
  readonly iceServers: unknown
  /** Bytes that the log in memory may hold. Default 512 MiB. */
  readonly memoryLimitBytes: number
  /** Bytes of a request's head. Default 32 KiB. */
  readonly maxHeadBytes: number
  /** Characters of a URL. Default 24 Ki. */
  readonly maxUrlLength: number
  /** Milliseconds in which a request's head must have come. Default 8,000. */
  readonly headMs: number
  /** Milliseconds in which a body that is read whole must have come. Default 8,000. */
  readonly bodyMs: number
  /** Milliseconds without a byte after which a streamed body is given up. Default 60,000. */
  readonly uploadIdleMs: number
  /** Streams of one subject at one time; 0: no limit. Default 100. */
  readonly maxStreamsPerSubject: number
  /** Streams from one address at one time; 0: no limit. Default 1,000. */
  readonly maxStreamsPerAddress: number
  /** Streams, polls and tickets that one subject may open. Default 300 a minute. */
  readonly streamRate: Rate
  /** Events that one subject may publish. Default 100 a second. */
  readonly publishRate: Rate
  /** Events that all subjects may publish on one channel. Default 1,000 a second. */
  readonly channelRate: Rate
  /** Bytes of a streamed body; 0: no limit. Default 1 GiB. */
  readonly maxUploadBytes: number
  /** Streams open at one time. Default 20,000. */
  readonly maxStreams: number
  /** Milliseconds after which somebody whose connection is gone isn't present any more. Default 20,000. */
  readonly presenceGraceMs: number
  /** Connections that count as present on one channel. Default 10,000. */
  readonly maxPresent: number
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
