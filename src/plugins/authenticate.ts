/**
 * Who is calling: the first step of every route under /v1, before its body is read. This version is
 * open (and serves loopback only): everybody is the same nameless publisher.
 */
import type { FastifyInstance } from 'fastify'

/** Who sent a request. */
export interface Identity {
  /** Stamped on events as `sender`; undefined: nameless. */
  readonly subject: string | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any handler runs. */
    sluiceIdentity: Identity
  }
}

const NAMELESS: Identity = { subject: undefined }

export function registerAuthentication(app: FastifyInstance): void {
  // On the prototype: an open gateway pays nothing for it.
  app.decorateRequest('sluiceIdentity', { getter: () => NAMELESS })
}
