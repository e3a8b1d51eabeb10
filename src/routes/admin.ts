/** `/v1/admin`: how all nodes are, for whoever has the right `admin` on everything. Reads only. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { channelsOf, streamsOf, sumOf } from '../admin/merge.js'
import type { RouteContext } from './context.js'
import { AdminChannelOptions, AdminStreamOptions } from './schemas.js'

/** Rows of an answer that says nothing of how many it wants. */
const ROWS = '100'

export function adminRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, admin, now } = context

  function open(request: FastifyRequest, reply: FastifyReply): void {
    access.demand(request.sluiceIdentity, 'admin')
    reply.header('cache-control', 'no-store')
  }

  app.get('/v1/admin', async (request, reply) => {
    open(request, reply)
    const { reports, partial } = await admin.overview()
    const nodes = reports.map((report) => report.node)
    return { time: now(), sum: sumOf(nodes), nodes, ...(partial && { partial }) }
  })

  app.get<{ Querystring: AdminChannelOptions }>(
    '/v1/admin/channels',
    { schema: { querystring: AdminChannelOptions } },
    async (request, reply) => {
      open(request, reply)
      const { prefix = '', sort = 'rate', limit = ROWS } = request.query
      const { reports, partial } = await admin.lists(prefix)
      const rows = channelsOf(reports, sort).filter(({ channel }) => channel.startsWith(prefix))
      return {
        ...{ time: now(), channels: rows.slice(0, Number(limit)) },
        ...(partial && { partial }),
      }
    },
  )

  app.get<{ Querystring: AdminStreamOptions }>(
    '/v1/admin/streams',
    { schema: { querystring: AdminStreamOptions } },
    async (request, reply) => {
      open(request, reply)
      const { node, limit = ROWS } = request.query
      const { reports, partial } = await admin.lists()
      const rows = streamsOf(reports).filter((row) => node === undefined || row.node === node)
      return {
        ...{ time: now(), streams: rows.slice(0, Number(limit)) },
        ...(partial && { partial }),
      }
    },
  )
}
