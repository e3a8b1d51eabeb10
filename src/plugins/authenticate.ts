/** Who is calling: the first step of every route under /v1, before its body is read. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Access } from '../auth/access.js'
import type { Identity } from '../auth/identity.js'
import { NO_RIGHTS } from '../auth/rights.js'
import { NAMELESS_BYTES } from '../limits.js'
import { SluiceError } from '../wire/errors.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any handler runs. */
    sluiceIdentity: Identity
  }
  interface FastifyContextConfig {
    /** Served to everybody: a load balancer has no login. Default false. */
    public?: boolean
    /** A ticket may stand in for credentials: the handler asks. Default false. */
    tickets?: boolean
  }
}

/** A ticket in the query, or in a body that is small enough to be read for it. */
function mayHoldTicket({ raw, query }: FastifyRequest): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = raw.headers
  if (coding !== undefined || Number(length ?? 0) > NAMELESS_BYTES) return false
  const inQuery = typeof (query as { ticket?: unknown }).ticket === 'string'
  return inQuery || raw.method === 'POST'
}

export function registerAuthentication(app: FastifyInstance, access: Access): void {
  if (!access.locked) {
    const open = access.identify('GET', {}) as Identity
    // On the prototype: an open gateway pays nothing for it.
    app.decorateRequest('sluiceIdentity', { getter: () => open })
    return
  }
  app.decorateRequest('sluiceIdentity')
  app.addHook('onRequest', (request, _reply, next) => {
    const { config } = request.routeOptions
    if (config.public === true) return next()
    const { method = 'GET', headers } = request.raw
    const settle = (identity: Identity) => {
      // Before the body is read: somebody with no rights at all needn't send it.
      const hopeless = identity.kind === 'anonymous' && identity.rights === NO_RIGHTS
      if (hopeless && !(config.tickets === true && mayHoldTicket(request))) {
        return next(new SluiceError('token_missing'))
      }
      request.sluiceIdentity = identity
      next()
    }
    try {
      const identity = access.identify(method, headers)
      if (identity instanceof Promise) identity.then(settle, next)
      else settle(identity)
    } catch (error) {
      next(error as Error)
    }
  })
}
