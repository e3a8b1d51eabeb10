/** The parts of a gateway and their order: log, hub, routes. */
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import { createAdmin } from './admin/admin.js'
import { type Board, createRedisBoard, noBoard } from './admin/board.js'
import { createAccess } from './auth/access.js'
import type { Shared } from './auth/shared.js'
import { createSharedMemory } from './auth/shared-memory.js'
import { createSharedRedis } from './auth/shared-redis.js'
import { type Config, createPresenceRule, createRetention, isLocked } from './config.js'
import type { Documents } from './documents/documents.js'
import { createMemoryDocuments } from './documents/memory.js'
import { createRedisDocuments } from './documents/redis.js'
import { createTransactions } from './documents/transact.js'
import { type PeerWatchOptions, watchPeers } from './http/dead-peers.js'
import { createHub, type Hub } from './hub/hub.js'
import { startIngest } from './ingest/ingest.js'
import { SESSION_MS } from './limits.js'
import type { Draft, Log } from './log/log.js'
import { createMemoryLog } from './log/memory.js'
import type { Intake } from './log/redis/intake.js'
import { createRedisLog } from './log/redis.js'
import type { Logger } from './logger.js'
import { createKeeper } from './members/keeper.js'
import { registerAuthentication } from './plugins/authenticate.js'
import { registerBodies } from './plugins/bodies.js'
import { registerBrowsers } from './plugins/browsers.js'
import { registerProblems } from './plugins/problems.js'
import { createPresence } from './presence/presence.js'
import { readUpstreams } from './relay/read-upstreams.js'
import { createUpstreamClient } from './relay/request.js'
import { NO_ICE_SERVERS, readIceServers } from './rooms/ice-read.js'
import { createRooms } from './rooms/rooms.js'
import { adminRoutes } from './routes/admin.js'
import { browserClientRoutes } from './routes/browser-client.js'
import { channelRoutes } from './routes/channels.js'
import type { RouteContext } from './routes/context.js'
import { publishRoutes } from './routes/events/publish.js'
import { subscribeRoutes } from './routes/events/subscribe.js'
import { healthRoutes } from './routes/health.js'
import { presenceRoutes } from './routes/presence.js'
import { revocationRoutes } from './routes/revocations.js'
import { iceRoutes } from './routes/rooms/ice-servers.js'
import { participantRoutes } from './routes/rooms/participants.js'
import { roomRoutes } from './routes/rooms/room.js'
import { signalRoutes } from './routes/rooms/signals.js'
import { itemRoutes } from './routes/runs/items.js'
import { produceRoutes } from './routes/runs/produce.js'
import { readRoutes } from './routes/runs/read.js'
import { relayRoutes } from './routes/runs/relay.js'
import { validatorCompiler } from './routes/schemas.js'
import { sessionRoutes } from './routes/sessions.js'
import { ticketRoutes } from './routes/tickets.js'
import { isRunChannel } from './runs/run.js'
import { createRuns } from './runs/runs.js'
import type { RunStore } from './runs/store.js'
import { createMemoryRuns } from './runs/store-memory.js'
import { createRedisRuns } from './runs/store-redis.js'
import { createSessions } from './sessions/live.js'
import { version } from './version.js'
import type { Question } from './workers/messages.js'
import { noSiblings, type Siblings } from './workers/siblings.js'

/** The methods of each resource. */
const METHODS = new Map([
  ['/v1/events', ['GET', 'HEAD', 'POST']],
  ['/v1/events/stream', ['POST']],
  ['/v1/channels', ['GET', 'HEAD', 'DELETE']],
  ['/v1/channels/close', ['POST']],
  ['/v1/presence', ['GET', 'HEAD']],
  ['/v1/tickets', ['POST']],
  ['/v1/sessions', ['PATCH']],
  ['/v1/sessions/token', ['POST']],
  ['/v1/revocations', ['GET', 'HEAD', 'POST', 'DELETE']],
  ['/v1/admin', ['GET', 'HEAD']],
  ['/v1/admin/channels', ['GET', 'HEAD']],
  ['/v1/admin/streams', ['GET', 'HEAD']],
  ['/v1/runs/:id', ['GET', 'HEAD', 'PUT']],
  ['/v1/runs/:id/events', ['GET', 'HEAD', 'POST']],
  ['/v1/runs/:id/end', ['POST']],
  ['/v1/runs/:id/stop', ['POST']],
  ['/v1/rooms/:room', ['GET', 'HEAD', 'PATCH', 'DELETE']],
  ['/v1/rooms/:room/participants', ['POST']],
  ['/v1/rooms/:room/participants/:id', ['PATCH', 'DELETE']],
  ['/v1/rooms/:room/signals', ['POST']],
  ['/v1/ice-servers', ['GET', 'HEAD']],
  ['/v1/relay/:upstream/*', ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']],
  ['/client.js', ['GET', 'HEAD']],
  ['/client.js.map', ['GET', 'HEAD']],
  ['/healthz', ['GET', 'HEAD']],
  ['/readyz', ['GET', 'HEAD']],
])

const ROUTES = [
  publishRoutes,
  subscribeRoutes,
  channelRoutes,
  presenceRoutes,
  ticketRoutes,
  sessionRoutes,
  revocationRoutes,
  adminRoutes,
  produceRoutes,
  itemRoutes,
  readRoutes,
  roomRoutes,
  signalRoutes,
  healthRoutes,
  browserClientRoutes,
]

/** Clocks that a test sets, so that it needn't wait for the real ones. No option for operators. */
export interface GatewayInternals {
  /** The clock of the hub and of whatever ends: milliseconds since the epoch. */
  readonly now?: () => number
  /** How vanished peers are found. */
  readonly peers?: PeerWatchOptions
  readonly runs?: { readonly leaseMs?: number }
  /** How often a node tells how it is. */
  readonly admin?: { readonly beatMs?: number }
  /** Leases of those who are present, or take part. */
  readonly members?: { readonly leaseMs?: number; readonly sweepMs?: number }
}

export interface GatewayOptions {
  readonly config: Config
  readonly logger: Logger
  readonly internals?: GatewayInternals
  /** The other workers under the same port. Default: there are none. */
  readonly siblings?: Siblings
  /** Another worker has said already how Redis is set. Default false. */
  readonly settingsTold?: boolean
}

interface Store {
  readonly log: Log
  /** What gateways agree on beside the log. */
  readonly shared: Shared
  readonly runs: RunStore
  readonly documents: Documents
  readonly board: Board
  /** For publishers that speak to the store itself. */
  readonly intake?: Intake
}

function createStore(
  config: Config,
  logger: Logger,
  settingsTold: boolean,
  now: () => number,
): Store {
  const { partitions, redisUrl: url, redisPrefix: prefix, memoryLimitBytes } = config
  const minReplicas = config.redisMinReplicas
  const retentionFor = createRetention(config)
  if (url !== undefined) {
    const log = createRedisLog({
      ...{ url, prefix, partitions, minReplicas, retentionFor, logger, settingsTold },
    })
    const shared = createSharedRedis(log.intake, { logger })
    const runs = createRedisRuns(log.intake, { logger })
    const documents = createRedisDocuments(log.intake)
    const board = createRedisBoard(log.intake)
    return { log, shared, runs, documents, board, ...(config.ingest && { intake: log.intake }) }
  }
  const log = createMemoryLog({ partitions, retentionFor, limitBytes: memoryLimitBytes })
  return {
    ...{ log, shared: createSharedMemory({ now }), runs: createMemoryRuns({ now }) },
    documents: createMemoryDocuments(log, { now }),
    board: noBoard,
  }
}

/** What rooms and presence say goes to the log together with a document, past the hub. */
function countedDocuments(documents: Documents, hub: Hub): Documents {
  return {
    ...documents,
    async change(name, change) {
      const changed = await documents.change(name, change)
      if (changed.kind === 'changed') changed.receipts.forEach(hub.published)
      return changed
    },
  }
}

/** How often a shutdown looks whether everybody has gone, in ms. */
const DRAIN_LOOK_MS = 20

/** Waits until everybody has read the goodbye or got the answer, but no longer than `ms`. */
async function idle(hub: Hub, ms: number): Promise<void> {
  const deadline = Date.now() + ms
  while (hub.busy > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS))
  }
}

/** The gateway as a Fastify plugin with routes, hooks and error replies of its own scope. */
export const gatewayPlugin: FastifyPluginAsync<GatewayOptions> = async (app, options) => {
  const { config, logger, internals = {}, siblings = noSiblings, settingsTold = false } = options
  const { heartbeatMs, maxAgeMs, maxStreams, maxChannels, maxEventBytes } = config
  const { uploadIdleMs, maxUploadBytes } = config
  const now = internals.now ?? Date.now
  const store = createStore(config, logger, settingsTold, now)
  const { log, shared, runs: runStore, intake } = store
  const access = createAccess({ settings: config, locked: isLocked(config), shared, logger, now })
  const hub = createHub({
    ...{ log, heartbeatMs, maxAgeMs, maxStreams, now },
  })
  const publish = (drafts: readonly Draft[]) => hub.publish(drafts)
  const lasting = config.redisUrl !== undefined
  const runs = createRuns({
    ...{ store: runStore, log, publish, logger, lasting },
    ...internals.runs,
  })
  const own = countedDocuments(store.documents, hub)
  const documents = { ...own, ...createTransactions(own) }
  const { presenceGraceMs: graceMs, maxPresent: maxConnections } = config
  const keeper = createKeeper({ documents, logger, graceMs, ...internals.members })
  const presence = createPresence({
    ...{ documents, keeper, publish, maxConnections, logger, now },
    partitionOf: (channel) => log.partitionOf(channel),
  })
  const sessions = createSessions({
    ...{ documents, hub, logger, maxChannels },
    ...{ partitions: log.partitions, partitionOf: log.partitionOf },
    claim: (session, owner) => shared.claimSession(session, owner, SESSION_MS),
    stands: async (ground) => ground.by !== 'room' || rooms.stillIn(ground),
    occupy: (ground) => (ground.by === 'room' ? rooms.occupy(ground) : () => {}),
  })
  const rooms = createRooms({ documents, log, sessions, keeper, logger, now })
  keeper.own('room:', rooms)
  const peers = watchPeers(
    internals.peers ?? {
      onLook(cut) {
        if (cut > 0) logger.info({ connections: cut }, 'cut off peers that vanished')
      },
    },
  )
  const count = (question: Question) =>
    question.kind === 'streams' ? hub.open : hub.subscribers(question.channel)
  let draining = false
  const admin = createAdmin({
    ...{ survey: hub.survey, board: store.board, version: version(), maxStreams },
    draining: () => draining,
    fault: () => log.fault() ?? shared.fault(),
    ...internals.admin,
  })

  siblings.answerWith(count)

  await log.start(hub.listener)
  try {
    await access.start()
    await runs.start()
  } catch (error) {
    await Promise.allSettled([access.stop(), runs.stop()])
    await log.stop()
    throw error
  }
  presence.start()
  keeper.start()
  hub.start()
  admin.start()
  const appended = hub.published
  const ingest = intake && startIngest({ intake, logger, maxEventBytes, appended })
  // preClose comes before Fastify waits for requests in flight: the last moment at which a stream
  // can still be told why it ends.
  app.addHook('preClose', async () => {
    draining = true
    // Whoever reads a run here has nowhere else to read it where it is gone with this process.
    hub.drain(lasting ? undefined : isRunChannel)
    await Promise.all([ingest?.stop(), idle(hub, config.drainMs)])
    // What is still under way ends here, and readers are told how.
    await runs.stop()
  })
  // Not the server's `connection` event: it has no word of Fastify's second server for `localhost`.
  app.addHook('onRequest', (request, _reply, done) => {
    peers.watch(request.raw.socket)
    done()
  })
  app.addHook('onClose', async () => {
    peers.stop()
    hub.stop()
    await admin.stop()
    presence.stop()
    await keeper.stop()
    await access.stop()
    await log.stop()
  })

  app.setValidatorCompiler(validatorCompiler)
  await registerBrowsers(app, config.corsOrigins)
  registerProblems(app, METHODS, logger, ({ code }, { method, routeOptions }) => {
    admin.refused(code, method === 'POST' && routeOptions.url === '/v1/events')
  })
  registerAuthentication(app, access)
  const confirm = (request: FastifyRequest) => access.confirm(request.sluiceIdentity)
  registerBodies(app, {
    ...{ maxBytes: config.maxBodyBytes, bodyMs: config.bodyMs },
    confirm: access.locked ? confirm : undefined,
  })
  const context: RouteContext = {
    ...{ hub, log, access, admin, runs, rooms, shared, sessions, presence, now, logger },
    limits: { maxChannels, maxEventBytes, uploadIdleMs, maxUploadBytes },
    hasPresence: createPresenceRule(config),
    draining: () => draining,
    async total(question) {
      const others = await siblings.ask(question)
      return { count: count(question) + others.count, partial: others.partial }
    },
  }
  for (const routes of ROUTES) routes(app as FastifyInstance, context)
  const client = createUpstreamClient()
  app.addHook('onClose', async () => client.close())
  const upstreams = readUpstreams(config.upstreams, process.env)
  relayRoutes(app as FastifyInstance, context, { upstreams, client })
  const ice =
    config.iceServers === undefined
      ? NO_ICE_SERVERS
      : readIceServers(config.iceServers, process.env)
  participantRoutes(app as FastifyInstance, context, ice)
  iceRoutes(app as FastifyInstance, context, ice)
}
