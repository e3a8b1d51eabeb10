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

export function sendProblem(reply: FastifyReply, error: SluiceError): FastifyReply {
  if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter))
  // What is left of a body nobody reads any more would be taken for the next request.
  const { headers, complete } = reply.request.raw
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0
  if (hasBody && !complete) reply.header('connection', 'close')
  return reply
    .code(error.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(error.toProblem()))
}

/** Sets the error and not-found handlers. `methods`: the methods of each path, for 405. */
export function registerProblems(
  app: FastifyInstance,
  methods: ReadonlyMap<string, readonly string[]>,
  log: ProblemLog,
): void {
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, toSluiceError(error, log)))
  app.setNotFoundHandler((request: FastifyRequest, reply) => {
    const path = request.url.split('?', 1)[0]!.slice(app.prefix.length)
    const allowed = methods.get(path)
    if (allowed === undefined) return sendProblem(reply, new SluiceError('not_found'))
    reply.header('allow', allowed.join(', '))
    return sendProblem(reply, new SluiceError('method_not_allowed'))
  })
}
