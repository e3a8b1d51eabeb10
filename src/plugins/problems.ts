/** Every error leaves as `application/problem+json` (RFC 9457) from the one table in `wire/errors.ts`. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SluiceError } from '../wire/errors.js'

/** What Fastify itself refuses, in our words. */
const FASTIFY_CODES: Record<string, SluiceError> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: new SluiceError('media_type_unsupported'),
  FST_ERR_CTP_EMPTY_TYPE: new SluiceError('media_type_unsupported'),
  FST_ERR_CTP_BODY_TOO_LARGE: new SluiceError('body_too_large'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: new SluiceError('request_invalid'),
  FST_ERR_BAD_URL: new SluiceError('request_invalid', { detail: 'The URL can’t be decoded' }),
}

/** Logs what is our fault; never what a client sent. */
export interface ProblemLog {
  error(fields: object, message: string): void
}

export function toSluiceError(error: unknown, log: ProblemLog): SluiceError {
  if (error instanceof SluiceError) return error
  const { code, statusCode } = error as Partial<FastifyError>
  const known = code === undefined ? undefined : FASTIFY_CODES[code]
  if (known !== undefined) return known
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new SluiceError('request_invalid', { cause: error })
  }
  log.error({ err: error }, 'request failed')
  return new SluiceError('internal', { cause: error })
}

/** Milliseconds for which the rest of a refused body is still taken. */
const REST_MS = 3_000

export function sendProblem(reply: FastifyReply, error: SluiceError): FastifyReply {
  if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter))
  // RFC 9110 § 11.6.1, RFC 6750 § 3: whoever came without credentials is told no error.
  if (error.status === 401) {
    const why = error.code === 'token_missing' ? '' : ', error="invalid_token"'
    reply.header('www-authenticate', `Bearer realm="sluice"${why}`)
  }
  discardBody(reply.request.raw)
  // Fastify's own "close" after a body that failed.
  reply.removeHeader('connection')
  return reply
    .code(error.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(error.toProblem()))
}

/**
 * Takes what is left of a body and drops it, for a while. Rejected: `Connection: close`, after which
 * Node closes at once: what is still coming then is answered by a reset, which can overtake the
 * problem document, and a client that is still sending never learns what was wrong.
 */
function discardBody(request: FastifyRequest['raw']): void {
  if (request.complete) return
  boundRest(request)
  // Whoever was reading has stopped; its listeners would keep the rest from flowing.
  request.removeAllListeners('readable').resume()
}

/** Gives the rest of a body whose request has been answered so much time, and no more. */
export function boundRest(request: FastifyRequest['raw']): void {
  if (request.complete) return
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), REST_MS)
  timer.unref()
  request.once('close', () => clearTimeout(timer))
  request.once('end', () => clearTimeout(timer))
}

/** All that Fastify routes by itself. */
const KNOWN_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const

/**
 * Sets the error handler, and answers 405 for each path's other methods. Done with routes rather than
 * in a not-found handler: an application around the gateway has its own. `refused` hears of each error.
 */
export function registerProblems(
  app: FastifyInstance,
  methods: ReadonlyMap<string, readonly string[]>,
  log: ProblemLog,
  refused: (problem: SluiceError, request: FastifyRequest) => void,
): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = toSluiceError(error, log)
    refused(problem, request)
    return sendProblem(reply, problem)
  })
  for (const [url, allowed] of methods) {
    app.route({
      method: KNOWN_METHODS.filter((method) => !allowed.includes(method)),
      url,
      // Before any body is read.
      onRequest: (_request, reply, next) => {
        reply.header('allow', allowed.join(', '))
        next(new SluiceError('method_not_allowed'))
      },
      handler: () => {},
    })
  }
}

/** For an application that is nothing but the gateway: what is left over is answered in the same way. */
export function sendNotFound(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendProblem(reply, new SluiceError('not_found'))
}
