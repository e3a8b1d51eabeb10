/**
 * Which pages may call. A browser sends a foreign page's `text/plain` POST without asking first, so
 * leaving out CORS headers stops nothing: an origin that isn't listed is refused, in open mode too.
 */
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import { SluiceError } from '../wire/errors.js'

const LOOPBACK =
  /^https?:\/\/(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/

/** Whether a page of this origin may call. */
export function originCheck(origins: 'loopback' | readonly string[]): (origin: string) => boolean {
  if (origins === 'loopback') return (origin) => LOOPBACK.test(origin)
  const listed = new Set(origins)
  return (origin) => listed.has(origin)
}

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
  await app.register(cors, {
    // Only listed origins come this far; the exact one is named, for credentials forbid "*".
    origin: (origin, answer) => answer(null, origin !== undefined),
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'DELETE'],
    exposedHeaders: ['Location', 'Retry-After', 'Link'],
    maxAge: 600,
  })
}
