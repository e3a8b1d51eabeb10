/** `GET /v1/presence`: who is present on a channel now. */
import type { FastifyInstance } from 'fastify'
import { channelOf } from '../publish/channel.js'
import { SluiceError } from '../wire/errors.js'
import { presenceOf } from '../wire/presence.js'
import type { RouteContext } from './context.js'
import { OneChannel } from './schemas.js'

export function presenceRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, presence, hasPresence } = context
  const schema = { querystring: OneChannel }

  app.get<{ Querystring: OneChannel }>('/v1/presence', { schema }, async (request, reply) => {
    const channel = channelOf(request.query.channel)
    const { sluiceIdentity: identity, ip } = request
    await access.spending.open(identity, ip)
    // As for a reader of the changes: the hook is asked about the same name.
    await access.admit(identity, 'subscribe', [presenceOf(channel)], ip)
    if (!hasPresence(channel)) throw new SluiceError('presence_off')
    const { json } = await presence.look(channel)
    reply.header('cache-control', 'no-store').type('application/json; charset=utf-8')
    return json
  })
}
