/** The parts of a gateway and their order: log, hub, routes. */
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { type Config, createRetention } from './config.js'
import { createHub } from './hub/hub.js'
import type { Log } from './log/log.js'
import { createMemoryLog } from './log/memory.js'
import { createRedisLog } from './log/redis.js'
import type { Logger } from './logger.js'
import { registerAuthentication } from './plugins/authenticate.js'
import { registerBodies } from './plugins/bodies.js'
import { registerBrowsers } from './plugins/browsers.js'
import { registerProblems } from './plugins/problems.js'
import { channelRoutes } from './routes/channels.js'
import type { RouteContext } from './routes/context.js'
import { publishRoutes } from './routes/events/publish.js'
import { subscribeRoutes } from './routes/events/subscribe.js'
import { healthRoutes } from './routes/health.js'
import { validatorCompiler } from './routes/schemas.js'

/** The methods of each resource. */
const METHODS = new Map([
  ['/v1/events', ['GET', 'HEAD', 'POST']],
  ['/v1/events/stream', ['POST']],
  ['/v1/channels', ['GET', 'HEAD', 'DELETE']],
  ['/v1/channels/close', ['POST']],
  ['/healthz', ['GET', 'HEAD']],
  ['/readyz', ['GET', 'HEAD']],
])

export interface GatewayOptions {
  readonly config: Config
  readonly logger: Logger
}

function createLog(config: Config, logger: Logger): Log {
  const { partitions, redisUrl: url, redisPrefix: prefix, memoryLimitBytes } = config
  const retentionFor = createRetention(config)
  if (url !== undefined) return createRedisLog({ url, prefix, partitions, retentionFor, logger })
  return createMemoryLog({ partitions, retentionFor, limitBytes: memoryLimitBytes })
}

/** The gateway as a Fastify plugin with routes, hooks and error replies of its own scope. */
export const gatewayPlugin: FastifyPluginAsync<GatewayOptions> = async (app, options) => {
  const { config, logger } = options
  const { heartbeatMs, maxAgeMs, maxStreams, maxChannels, maxEventBytes } = config
  const log = createLog(config, logger)
  const hub = createHub({ log, heartbeatMs, maxAgeMs, maxStreams })
  let draining = false

  await log.start(hub.listener)
  hub.start()
  // preClose comes before Fastify waits for requests in flight: the last moment at which a stream
  // can still be told why it ends.
  app.addHook('preClose', async () => {
    draining = true
    hub.drain()
  })
  app.addHook('onClose', async () => {
    hub.stop()
    await log.stop()
  })

  app.setValidatorCompiler(validatorCompiler)
  registerProblems(app, METHODS, logger)
  registerAuthentication(app)
  await registerBrowsers(app, config.corsOrigins)
  registerBodies(app, config.maxBodyBytes)
  const context: RouteContext = {
    hub,
    log,
    logger,
    limits: { maxChannels, maxEventBytes },
    draining: () => draining,
  }
  for (const routes of [publishRoutes, subscribeRoutes, channelRoutes, healthRoutes]) {
    routes(app as FastifyInstance, context)
  }
}
