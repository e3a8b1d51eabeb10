/** `POST /v1/sessions/token`: a fresh token for a stream that goes on. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { writeIdentity } from '../auth/passport.js'
import { checkRevoked } from '../auth/revocations.js'
import { OPTIONS_BYTES, SESSION_MS } from '../limits.js'
import type { Body } from '../plugins/bodies.js'
import { SluiceError } from '../wire/errors.js'
import { readJson } from './body.js'
import type { RouteContext } from './context.js'
import { ownerOf, redeem } from './events/admission.js'
import { publicSession } from './events/request.js'
import { compileOptions, RenewalBody, SESSION_PATTERN } from './schemas.js'

const SESSION = new RegExp(SESSION_PATTERN)

export function sessionRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, shared } = context
  const check = compileOptions(RenewalBody)

  app.post<{ Body: Body | undefined }>(
    '/v1/sessions/token',
    { config: { tickets: true }, bodyLimit: OPTIONS_BYTES },
    async (request, reply) => {
      const session = sessionOf(request)
      const ticket = readJson<RenewalBody>(request.body, check)?.ticket
      const identity =
        ticket === undefined
          ? request.sluiceIdentity
          : (await redeem(access, ticket, session, request)).identity
      if (identity.kind === 'anonymous') throw new SluiceError('token_missing')
      await access.spending.open(identity, request.ip)
      checkRevoked(access.revocations, identity, session)
      const owner = await shared.sessionOwner(session)
      if (owner === undefined) throw new SluiceError('session_unknown')
      if (owner !== ownerOf(identity)) throw new SluiceError('session_foreign')
      // A stream may go on for longer than a session is remembered.
      await shared.claimSession(session, owner, SESSION_MS)
      // For the reconnects of an EventSource, whose URL holds the old ticket for ever.
      await access.tickets.renew(session, identity)
      const live = await shared.renew(session, writeIdentity(identity))
      reply.code(live ? 200 : 202).header('cache-control', 'no-store')
      const { expires } = identity
      return { session, expires: expires === Number.POSITIVE_INFINITY ? null : expires, live }
    },
  )
}

/** The public id of the session in the header. */
function sessionOf({ headers }: FastifyRequest): string {
  const secret = headers['sluice-session']
  if (typeof secret === 'string' && SESSION.test(secret)) return publicSession(secret)
  throw new SluiceError('option_invalid', {
    detail:
      'The header Sluice-Session holds what the stream was opened with: ?session=… (or ?ticket=…)',
  })
}
