/**
 * Sluice inside an application.
 *
 * ```ts
 * import fastify from 'fastify'
 * import { sluice } from 'sluice'
 *
 * const app = fastify()
 * await app.register(sluice, { redisUrl: 'redis://127.0.0.1:6379' })
 * await app.listen({ port: 8080 })
 * ```
 */

import type { FastifyPluginAsync } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { type Config, ConfigError, isLocked, loadConfig, modeOf } from './config.js'
import { gatewayPlugin } from './gateway.js'
import { type Logger, silentLogger } from './logger.js'
import { registerHeaders } from './plugins/headers.js'
import { defaultHosts, registerHosts, registerLocalOnly } from './plugins/hosts.js'
import { type Gateway, startGateway } from './server.js'

export { type Config, ConfigError, loadConfig } from './config.js'
export type { Logger } from './logger.js'
export type { Gateway } from './server.js'
export { type ErrorCode, type Problem, SluiceError } from './wire/errors.js'

/** A duration: `500ms`, `15s`, `5m`, `2h`, `7d`; a bare number is seconds. */
type Duration = string | number
/** A size: `256kb`, `4mb`, `1gb`; a bare number is bytes. */
type Size = string | number

/**
 * The options of `docs/operating.md` by their camelCase names, checked like those of the command: a
 * wrong or unknown one throws a ConfigError that says what to do. Variables are not read.
 */
export interface SluiceOptions {
  /** Address to listen on; beyond loopback with keys only. `createGateway` alone. Default `127.0.0.1`. */
  readonly host?: string
  /** Port; 0 takes a free one. `createGateway` alone. Default 8080. */
  readonly port?: number
  /** Redis that keeps the log. Default: the log lives in memory. */
  readonly redisUrl?: string
  /** What all names in Redis begin with. Default `sluice`. */
  readonly redisPrefix?: string
  /** Replicas of Redis that must have an event before its publisher is answered. Default 0. */
  readonly redisMinReplicas?: number
  /** Partitions of the log, fixed for the life of the data. Default 1. */
  readonly partitions?: number
  /** With Redis: take what others PUBLISH or XADD there. Default `on`. */
  readonly ingest?: boolean | 'on' | 'off'
  /** Pages of its own: `/inspect`, and where it is open `/` with demos. `createGateway` alone. Default `on`. */
  readonly pages?: boolean | 'on' | 'off'
  /** Keys of backends: whoever sends one may do everything. Default none. */
  readonly apiKey?: string | readonly string[]
  /** Secrets that tokens are signed with (HS256, HS384, HS512). Default none. */
  readonly jwtSecret?: string | readonly string[]
  /** Public keys of those who sign tokens: PEM, or a path. Default none. */
  readonly jwtPublicKey?: string | readonly string[]
  /** Where such keys are published as a JWKS. Default none. */
  readonly jwksUrl?: string
  /** Algorithms that are accepted. Default: those that fit the keys. */
  readonly jwtAlgorithms?: string | readonly string[]
  /** What `iss` of a token must be. Default: anything. */
  readonly jwtIssuer?: string | readonly string[]
  /** What `aud` of a token must have. Default: anything. */
  readonly jwtAudience?: string | readonly string[]
  /** Claim that holds the rights. Default `sluice`. */
  readonly jwtClaim?: string
  /** How far the clock of whoever signs tokens may be off. Default `30s`. */
  readonly jwtTolerance?: Duration
  /** Cookie that may hold a token. Default `__Host-sluice`. */
  readonly cookie?: string
  /** What callers without a token may do: `public:**=subscribe`, or as in a token. Default nothing. */
  readonly anonymous?: string | { readonly channels: Readonly<Record<string, readonly string[]>> }
  /** Endpoint that is asked on subscribe and publish, too. Default none. */
  readonly authorizeUrl?: string
  /** Bearer token that it is sent. Default none. */
  readonly authorizeKey?: string
  /** How long its answers count. Default `10s`. */
  readonly authorizeCache?: Duration
  /** How long it may take. Default `2s`. */
  readonly authorizeTimeout?: Duration
  /** Names in the Host header. Default: those of this machine where there are no keys, else any. */
  readonly allowedHosts?: string | readonly string[]
  /** Proxies whose X-Forwarded-For counts. `createGateway` alone: an application has `trustProxy`. */
  readonly trustedProxies?: string | readonly string[]
  /** Origins of pages that may call. Default `loopback`. */
  readonly corsOrigins?: string | readonly string[]
  /** Silence after which a stream gets a sign of life. Default `15s`. */
  readonly heartbeat?: Duration
  /** Longest life of a stream; 0 = without end. Default 0. */
  readonly maxAge?: Duration
  /** Events that a channel keeps. Default 10,000. */
  readonly retentionEvents?: number
  /** How long a channel keeps them. Default `24h`. */
  readonly retentionAge?: Duration
  /** Retention by pattern; the first match counts. Default none. */
  readonly channels?: readonly {
    readonly pattern: string
    readonly retentionEvents?: number
    readonly retentionAge?: Duration
  }[]
  /** LLM APIs behind the relay, by name: `docs/llm.md`. Default none. */
  readonly upstreams?: Readonly<Record<string, unknown>>
  /** What the log in memory may hold. Default `512mb`. */
  readonly memoryLimit?: Size
  /** Streams and waiting polls at one time. Default 20,000. */
  readonly maxStreams?: number
  /** Channels on one stream. Default 1,000. */
  readonly maxChannels?: number
  /** Data of one event. Default `256kb`. */
  readonly maxEventSize?: Size
  /** A body that is read whole. Default `4mb`. */
  readonly maxBodySize?: Size
  /** A streamed body as a whole; 0 = no limit. Default `1gb`. */
  readonly maxUploadSize?: Size
  /** Head of a request. `createGateway` alone. Default `32kb`. */
  readonly maxHeadSize?: Size
  /** URL of a request. `createGateway` alone. Default `24kb`. */
  readonly maxUrlLength?: Size
  /** Time in which a head must have come. `createGateway` alone. Default `8s`. */
  readonly headTimeout?: Duration
  /** Time in which a body that is read whole must have come. Default `8s`. */
  readonly bodyTimeout?: Duration
  /** Silence after which a streamed body is given up. Default `60s`. */
  readonly uploadTimeout?: Duration
  /** Streams of one subject at one time; 0 = no limit. Default 100. */
  readonly maxStreamsPerSubject?: number
  /** Streams from one address at one time; 0 = no limit. Default 1,000. */
  readonly maxStreamsPerAddress?: number
  /** Streams, polls and tickets that one subject may open. Default `300/m`. */
  readonly streamRate?: string
  /** Events that one subject may publish. Default `100/s`. */
  readonly publishRate?: string
  /** Events that all subjects may publish on one channel. Default `1000/s`. */
  readonly channelRate?: string
  /** Longest wait for readers and requests at a shutdown. Default `10s`. */
  readonly drainTime?: Duration
  /** Default: silent. A pino logger or Fastify's own (`app.log`) fits. */
  readonly logger?: Logger
}

/** Options of Fastify's own that `app.register` hands on. */
type Registration = { readonly prefix?: string; readonly logSerializers?: unknown }

function configOf(options: SluiceOptions & Registration): Config {
  const { logger: _, prefix: __, logSerializers: ___, ...own } = options
  const config = loadConfig({ options: own })
  if (config.workers === 1) return config
  const fault = 'an application has one worker: its own process'
  throw new ConfigError([{ source: 'options: workers', fault, advice: 'leave it out' }])
}

/** The gateway as a Fastify plugin: its routes under the application's prefix, its hooks and error replies for them alone. */
export const sluice: FastifyPluginAsync<SluiceOptions> = fastifyPlugin(
  async (app, options: SluiceOptions) => {
    const { logger = silentLogger } = options
    const config = configOf(options)
    registerHeaders(app)
    if (!isLocked(config)) registerLocalOnly(app, config.trustedProxies.length > 0)
    // Where an application listens is its own affair: without keys it is for this machine.
    registerHosts(app, config.allowedHosts ?? defaultHosts(config, true))
    // Fastify's own lines about requests hold URLs, and those hold tickets.
    app.addHook('onRoute', (route) => {
      route.logLevel ??= 'warn'
    })
    await gatewayPlugin(app, { config, logger })
    logger.info({ mode: modeOf(config) }, 'sluice is registered')
  },
  { name: 'sluice', fastify: '5.x', encapsulate: true },
)

/** Starts the gateway as a server of its own; `close()` of what it answers shuts it down. */
export async function createGateway(options: SluiceOptions = {}): Promise<Gateway> {
  const { logger = silentLogger } = options
  return startGateway(configOf(options), { logger })
}
