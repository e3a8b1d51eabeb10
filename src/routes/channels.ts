/** `/v1/channels`: what a channel holds, its end, its removal. */
import type { FastifyInstance } from 'fastify'
import type { Body } from '../plugins/bodies.js'
import { channelOf } from '../publish/channel.js'
import { publishableChannel } from '../publish/drafts.js'
import { SluiceError } from '../wire/errors.js'
import { formatPosition, type Position } from '../wire/position.js'
import type { RouteContext } from './context.js'
import { CloseBody, compileOptions, OneChannel } from './schemas.js'

export function channelRoutes(app: FastifyInstance, { log, total }: RouteContext): void {
  const checkClose = compileOptions(CloseBody)
  const schema = { querystring: OneChannel }

  app.get<{ Querystring: OneChannel }>('/v1/channels', { schema }, async (request, reply) => {
    const channel = channelOf(request.query.channel)
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
    { schema },
    async (request) => {
      const channel = publishableChannel(request.query.channel)
      const end = await log.close(channel, readReason(request.body, checkClose))
      return { channel, id: idOf(end), closed: true, reason: end.reason }
    },
  )

  app.delete<{ Querystring: OneChannel }>('/v1/channels', { schema }, async (request, reply) => {
    const channel = publishableChannel(request.query.channel)
    // The same answer whether there was something: the caller wants it gone, and it is.
    await log.delete(channel)
    return reply.code(204).send()
  })
}

function idOf(position: Position | null | undefined): string | null {
  return position ? formatPosition(position.order, position.tag) : null
}

function readReason(body: Body | undefined, check: (value: unknown) => void): string | null {
  if (body === undefined) return null
  if (body.type !== 'json') throw new SluiceError('media_type_unsupported')
  let value: unknown
  try {
    value = JSON.parse(body.text)
  } catch {
    throw new SluiceError('body_invalid', { detail: 'It is not JSON' })
  }
  check(value)
  return (value as { reason?: string }).reason ?? null
}
