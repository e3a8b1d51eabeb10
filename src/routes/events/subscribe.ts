/** `GET /v1/events` and `POST /v1/events/stream`: subscribe. */
import type { FastifyInstance } from 'fastify'
import { CHANNELS_BYTES } from '../../limits.js'
import type { Body } from '../../plugins/bodies.js'
import { SluiceError } from '../../wire/errors.js'
import { readJson } from '../body.js'
import type { RouteContext } from '../context.js'
import { compileOptions, SubscribeOptions } from '../schemas.js'
import { createAnswers } from './answer.js'
import { lastEventIdOf, readSubscription } from './request.js'

export function subscribeRoutes(app: FastifyInstance, context: RouteContext): void {
  const { log, limits } = context
  const { answer, refuse } = createAnswers(context)
  const bounds = { partitions: log.partitions, maxChannels: limits.maxChannels }
  const checkBody = compileOptions(SubscribeOptions)

  app.route<{ Querystring: SubscribeOptions }>({
    method: ['GET', 'HEAD'],
    url: '/v1/events',
    config: { tickets: true },
    schema: { querystring: SubscribeOptions },
    // An unpleasant status would end a native EventSource for good, whatever the reason is.
    errorHandler: (error, request, reply) => refuse(error, request, reply),
    handler: (request, reply) => {
      const lastEventId = lastEventIdOf(request.headers)
      return answer(readSubscription(request.query, lastEventId, bounds), request, reply)
    },
  })

  app.post<{ Body: Body | undefined }>(
    '/v1/events/stream',
    { config: { tickets: true }, bodyLimit: CHANNELS_BYTES },
    (request, reply) => {
      const options = readJson<SubscribeOptions>(request.body, checkBody, textNumbers)
      if (options === undefined) throw new SluiceError('media_type_unsupported')
      const lastEventId = lastEventIdOf(request.headers)
      return answer(readSubscription(options, lastEventId, bounds), request, reply)
    },
  )
}

/** Numbers are what one writes in JSON; the query has only text. */
function textNumbers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const options = value as Record<string, unknown>
  for (const name of ['wait', 'limit', 'rewind']) {
    if (typeof options[name] === 'number') options[name] = String(options[name])
  }
  const { presence } = options
  // In a URL it is a text.
  const written = (typeof presence === 'object' && presence !== null) || presence === false
  if (written) options.presence = JSON.stringify(presence)
  return options
}
