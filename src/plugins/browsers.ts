/**
 * Which pages may call. A browser sends a foreign page's `text/plain` POST without asking first, so
 * leaving out CORS headers stops nothing: an origin that isn't listed is refused, in open mode too.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SluiceError } from '../wire/errors.js'

const LOOPBACK =
  /^https?:\/\/(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/
const METHODS = 'GET, HEAD, POST, PATCH, DELETE'
const EXPOSED = 'Location, Retry-After, Link, Sluice-Run, Sluice-Session'
/** Seconds for which a browser may remember the answer to a preflight. */
const MAX_AGE = '600'

/** Whether a page of this origin may call. */
export function originCheck(origins: 'loopback' | readonly string[]): (origin: string) => boolean {
  if (origins === 'loopback') return (origin) => LOOPBACK.test(origin)
  const listed = new Set(origins)
  return (origin) => listed.has(origin)
}

/**
 * The check and the headers of every answer. Rejected: @fastify/cors, which takes `OPTIONS *` and a
 * decorator for the whole application, so that no application with CORS of its own could start.
 */
export function registerBrowsers(
  app: FastifyInstance,
  origins: 'loopback' | readonly string[],
): void {
  const allowed = originCheck(origins)
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('vary', 'Origin')
    const { origin } = request.headers
    if (origin === undefined) return next()
    if (!allowed(origin)) return next(new SluiceError('origin_forbidden'))
    // The one origin by name: credentials forbid "*".
    reply.header('access-control-allow-origin', origin)
    reply.header('access-control-allow-credentials', 'true')
    if (isPreflight(request)) return void preflight(request, reply)
    reply.header('access-control-expose-headers', EXPOSED)
    next()
  })
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
}

function preflight(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const wanted = request.headers['access-control-request-headers']
  // Listed origins may send what they like: what is read of it is checked where it is read.
  if (wanted !== undefined) reply.header('access-control-allow-headers', wanted)
  return reply
    .code(204)
    .header('access-control-allow-methods', METHODS)
    .header('access-control-max-age', MAX_AGE)
    .header('vary', 'Origin, Access-Control-Request-Headers')
    .send()
}
