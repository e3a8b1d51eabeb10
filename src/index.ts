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
import { type Config, loadConfig } from './config.js'
import { gatewayPlugin } from './gateway.js'
import { type Logger, silentLogger } from './logger.js'
import { type Gateway, startGateway } from './server.js'

export { type Config, ConfigError, loadConfig } from './config.js'
export type { Logger } from './logger.js'
export type { Gateway } from './server.js'
export { type ErrorCode, type Problem, SluiceError } from './wire/errors.js'

/** Any of the configuration's members; the rest has its defaults. */
export type SluiceOptions = Partial<Config> & {
  /** Default: silent. A pino logger or Fastify's own (`app.log`) fits. */
  readonly logger?: Logger
}

function configOf({ logger: _, ...members }: SluiceOptions): Config {
  return { ...loadConfig(), ...members }
}

/** The gateway as a Fastify plugin: its routes under the application's prefix, its hooks and error replies for them alone. */
export const sluice: FastifyPluginAsync<SluiceOptions> = fastifyPlugin(
  async (app, options: SluiceOptions) => {
    const { logger = silentLogger } = options
    await gatewayPlugin(app, { config: configOf(options), logger })
  },
  { name: 'sluice', fastify: '5.x', encapsulate: true },
)

/** Starts the gateway as a server of its own. */
export function createGateway(options: SluiceOptions = {}): Promise<Gateway> {
  const { logger = silentLogger } = options
  return startGateway(configOf(options), { logger })
}
