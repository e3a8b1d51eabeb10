/** `/healthz`: the process lives. `/readyz`: it can do its work; a load balancer's question. */
import type { FastifyInstance } from 'fastify'
import type { RouteContext } from './context.js'

export function healthRoutes(app: FastifyInstance, { log, draining, total }: RouteContext): void {
  app.get('/healthz', { config: { public: true } }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return { status: 'ok' }
  })

  app.get('/readyz', { config: { public: true } }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    const fault = draining() ? 'the gateway is shutting down' : log.fault()
    if (fault === undefined) {
      const { count, partial } = await total({ kind: 'streams' })
      return { status: 'ready', streams: count, ...(partial && { partial }) }
    }
    return reply.code(503).header('retry-after', '1').send({ status: 'unready', reason: fault })
  })
}
