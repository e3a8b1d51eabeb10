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
import { type Config, ConfigError, loadConfig } from './config.js'
import { gatewayPlugin } from './gateway.js'
import { type Logger, silentLogger } from './logger.js'
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
  /** Address to listen on, loopback only. `createGateway` alone. Default `127.0.0.1`. */
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
    await gatewayPlugin(app, { config: configOf(options), logger })
  },
  { name: 'sluice', fastify: '5.x', encapsulate: true },
)

/** Starts the gateway as a server of its own; `close()` of what it answers shuts it down. */
export async function createGateway(options: SluiceOptions = {}): Promise<Gateway> {
  const { logger = silentLogger } = options
  return startGateway(configOf(options), { logger })
}
