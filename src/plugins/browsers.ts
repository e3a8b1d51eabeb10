/**
 * Which pages may call. A browser sends a foreign page's `text/plain` POST without asking first, so
 * leaving out CORS headers stops nothing: an origin that isn't listed is refused, in open mode too.
 */
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import { SluiceError } from '../wire/errors.js'

const LOOPBACK =
  /^https?:\/\/(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/
/** Seconds for which a browser may remember the answer to a preflight. */
const MAX_AGE = 600
/** What @fastify/cors marks a scope with; it can't be registered twice along one line of scopes. */
const CORS_DECORATOR = 'corsPreflightEnabled'

/** Whether a page of this origin may call. */
export function originCheck(origins: 'loopback' | readonly string[]): (origin: string) => boolean {
  if (origins === 'loopback') return (origin) => LOOPBACK.test(origin)
  const listed = new Set(origins)
  return (origin) => listed.has(origin)
}

/**
 * The check, and CORS for whoever passes it. Where an application around the gateway has CORS already,
 * its own headers count (it must be registered first: @fastify/cors takes `OPTIONS *`); the check of
 * origins is the gateway's own in any case.
 */
export async function registerBrowsers(
  app: FastifyInstance,
  origins: 'loopback' | readonly string[],
): Promise<void> {
  const allowed = originCheck(origins)
  app.addHook('onRequest', (request, _reply, next) => {
    const { origin } = request.headers
    if (origin === undefined || allowed(origin)) next()
    else next(new SluiceError('origin_forbidden'))
  })
  if (app.hasRequestDecorator(CORS_DECORATOR)) return
  await app.register(cors, {
    // The one origin by name: credentials forbid "*".
    origin: (origin, answer) => answer(null, origin !== undefined && allowed(origin)),
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['Location', 'Retry-After', 'Link', 'Sluice-Run', 'Sluice-Ended'],
    maxAge: MAX_AGE,
    // An OPTIONS that isn't a preflight would get a text of the library's own.
    strictPreflight: false,
  })
}
