/** `/healthz`: the process lives. `/readyz`: it can do its work; a load balancer's question. */
import type { FastifyInstance } from 'fastify'
import type { RouteContext } from './context.js'

export function healthRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, log, shared, draining, total } = context

  /** Why it can't do its work. Addresses, which these words may hold, are nothing for strangers. */
  function fault(): string | undefined {
    if (draining()) return 'the gateway is shutting down'
    const reason = log.fault() ?? shared.fault()
    return reason !== undefined && access.locked ? 'the store can’t be used' : reason
  }

  app.get('/healthz', { config: { public: true } }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return { status: 'ok' }
  })

  app.get('/readyz', { config: { public: true } }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    const reason = fault()
    if (reason === undefined) {
      const { count, partial } = await total({ kind: 'streams' })
      return { status: 'ready', streams: count, ...(partial && { partial }) }
    }
    return reply.code(503).header('retry-after', '1').send({ status: 'unready', reason })
  })
}
