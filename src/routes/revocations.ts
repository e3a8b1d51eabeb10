/** `/v1/revocations`: who is kept out. For whoever has the right `admin` on everything. */
import type { FastifyInstance } from 'fastify'
import type { RevocationKind } from '../auth/shared.js'
import { OPTIONS_BYTES, REVOCATION_MS } from '../limits.js'
import type { Body } from '../plugins/bodies.js'
import { SluiceError } from '../wire/errors.js'
import { readJson } from './body.js'
import type { RouteContext } from './context.js'
import { compileOptions, RevocationBody, RevocationTarget } from './schemas.js'

const KINDS: readonly RevocationKind[] = ['subject', 'session', 'jti']
/** Where times end, as seconds. */
const MAX_UNTIL = 2 ** 41 / 1000

export function revocationRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, shared, now } = context
  const check = compileOptions(RevocationBody)

  app.get('/v1/revocations', async (request, reply) => {
    access.demand(request.sluiceIdentity, 'admin')
    reply.header('cache-control', 'no-store')
    const all = access.revocations.list()
    return {
      revocations: all.map(({ kind, value, until }) => ({ [kind]: value, until: seconds(until) })),
    }
  })

  app.post<{ Body: Body | undefined }>(
    '/v1/revocations',
    { bodyLimit: OPTIONS_BYTES },
    async (request, reply) => {
      access.demand(request.sluiceIdentity, 'admin')
      const body = readJson<RevocationBody>(request.body, check) ?? {}
      const { kind, value } = targetOf(body)
      const until = body.until === undefined ? now() + REVOCATION_MS : body.until * 1000
      if (until <= now() || body.until! > MAX_UNTIL) {
        throw new SluiceError('option_invalid', {
          detail: '"until" lies in the past, or too far ahead: it is in seconds since the epoch',
        })
      }
      await shared.revoke({ kind, value, until })
      reply.code(201).header('cache-control', 'no-store')
      return { [kind]: value, until: seconds(until) }
    },
  )

  app.delete<{ Querystring: RevocationTarget }>(
    '/v1/revocations',
    { schema: { querystring: RevocationTarget } },
    async (request, reply) => {
      access.demand(request.sluiceIdentity, 'admin')
      await shared.revoke({ ...targetOf(request.query), until: 0 })
      return reply.code(204).send()
    },
  )
}

function targetOf(target: RevocationTarget): { kind: RevocationKind; value: string } {
  const named = KINDS.filter((kind) => target[kind] !== undefined)
  const kind = named[0]
  if (kind !== undefined && named.length === 1) return { kind, value: target[kind]! }
  throw new SluiceError('option_invalid', { detail: 'Name one of "subject", "session" and "jti"' })
}

const seconds = (ms: number) => Math.ceil(ms / 1000)
