/** `/v1/channels`: what a channel holds, its end, its removal. */
import type { FastifyInstance } from 'fastify'
import { OPTIONS_BYTES } from '../limits.js'
import type { Body } from '../plugins/bodies.js'
import { readableChannel } from '../publish/channel.js'
import { publishableChannel } from '../publish/drafts.js'
import { formatPosition, type Position } from '../wire/position.js'
import { readJson } from './body.js'
import type { RouteContext } from './context.js'
import { CloseBody, compileOptions, OneChannel } from './schemas.js'

export function channelRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, log, total } = context
  const checkClose = compileOptions(CloseBody)
  const schema = { querystring: OneChannel }

  app.get<{ Querystring: OneChannel }>('/v1/channels', { schema }, async (request, reply) => {
    const channel = readableChannel(request.query.channel)
    await access.spending.open(request.sluiceIdentity, request.ip)
    // As for a reader: how many read it is not for whom the hook keeps out.
    await access.admit(request.sluiceIdentity, 'subscribe', [channel], request.ip)
    const [info, subscribers] = await Promise.all([
      log.info(channel),
      total({ kind: 'subscribers', channel }),
    ])
    reply.header('cache-control', 'no-store')
    return {
      first: idOf(info?.first),
      last: idOf(info?.last),
      events: info?.events ?? 0,
      bytes: info?.bytes ?? 0,
      subscribers: subscribers.count,
      closed: info?.closed ?? false,
      ...(subscribers.partial && { partial: true }),
    }
  })

  app.post<{ Querystring: OneChannel; Body: Body | undefined }>(
    '/v1/channels/close',
    { schema, bodyLimit: OPTIONS_BYTES },
    async (request) => {
      const channel = publishableChannel(request.query.channel)
      // It ends for everybody: more than publishing.
      access.demand(request.sluiceIdentity, 'admin', channel)
      const close = readJson<CloseBody>(request.body, checkClose)
      const end = await log.close(channel, close?.reason ?? null)
      return { channel, id: idOf(end), closed: true, reason: end.reason }
    },
  )

  app.delete<{ Querystring: OneChannel }>('/v1/channels', { schema }, async (request, reply) => {
    const channel = publishableChannel(request.query.channel)
    access.demand(request.sluiceIdentity, 'admin', channel)
    // The same answer whether there was something: the caller wants it gone, and it is.
    await log.delete(channel)
    return reply.code(204).send()
  })
}

function idOf(position: Position | null | undefined): string | null {
  return position ? formatPosition(position.order, position.tag) : null
}
