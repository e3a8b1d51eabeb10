/** Headers that every answer has: what a browser must not do with it. */
import type { FastifyInstance } from 'fastify'

const HEADERS = {
  // A body is what its type says, and nothing that looks like a script.
  'x-content-type-options': 'nosniff',
  // Opened as a page, or framed, an answer can do nothing and show nothing.
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  // URLs may hold tickets.
  'referrer-policy': 'no-referrer',
  // Not as an image or a script of another site, whatever its cookies; CORS requests are not meant.
  'cross-origin-resource-policy': 'same-origin',
}

export function registerHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, next) => {
    reply.headers(HEADERS)
    next()
  })
}
