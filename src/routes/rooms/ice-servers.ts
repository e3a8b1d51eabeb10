/** `GET /v1/ice-servers`: fresh credentials of relays, for whoever may take part somewhere. */
import type { FastifyInstance } from 'fastify'
import { iceFor } from '../../rooms/ice.js'
import type { IceServers } from '../../rooms/ice-read.js'
import { SluiceError } from '../../wire/errors.js'
import type { RouteContext } from '../context.js'
import { uncached } from './common.js'

export function iceRoutes(app: FastifyInstance, context: RouteContext, ice: IceServers): void {
  const { access, now } = context

  app.get('/v1/ice-servers', async (request, reply) => {
    const { sluiceIdentity: identity, ip } = request
    const { kind, subject, rights } = identity
    if (!rights.mayOnAny('signal', 'room')) {
      throw new SluiceError(kind === 'anonymous' ? 'token_missing' : 'forbidden', {
        detail: '"signal" is not granted on any room',
      })
    }
    await access.spending.open(identity, ip)
    uncached(reply)
    return iceFor(ice, subject, now())
  })
}
