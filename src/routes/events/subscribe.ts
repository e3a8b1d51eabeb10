/** `GET /v1/events` and `POST /v1/events/stream`: one subscription, answered as a stream, a finite stream or a long poll. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { EndReason, Member } from '../../auth/audience.js'
import { namesEventStream, negotiate } from '../../http/accept.js'
import { openSink } from '../../http/sink.js'
import type { PollAnswer } from '../../hub/poll.js'
import type { Body } from '../../plugins/bodies.js'
import { toSluiceError } from '../../plugins/problems.js'
import { SluiceError } from '../../wire/errors.js'
import { eventJson } from '../../wire/event.js'
import { comment, eventBlock, idLine, namedBlock, retryLine } from '../../wire/sse.js'
import { readJson } from '../body.js'
import type { RouteContext } from '../context.js'
import { compileOptions, SubscribeOptions } from '../schemas.js'
import { admitReader, endedBy, type Reading } from './admission.js'
import { readSubscription, type Subscription } from './request.js'

const STREAM_HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  // no-transform: also no compression, which holds small frames back.
  'cache-control': 'no-cache, no-store, no-transform',
  'x-accel-buffering': 'no',
  vary: 'Accept, Origin',
}

/** How soon a native EventSource comes back to ask for the next finite body, in ms. */
const POLL_RETRY_MS = 1_000
/** How long clients stay away from an overloaded gateway, in ms, give or take a third. */
const OVERLOAD_RETRY_MS = 30_000

export function subscribeRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, hub, log, limits } = context
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
      const header = request.headers['last-event-id']
      const lastEventId = Array.isArray(header) ? header[0] : header
      return answer(readSubscription(request.query, lastEventId, bounds), request, reply)
    },
  })

  app.post<{ Body: Body | undefined }>(
    '/v1/events/stream',
    { config: { tickets: true } },
    (request, reply) => {
      const options = readJson<SubscribeOptions>(request.body, checkBody, textNumbers)
      if (options === undefined) throw new SluiceError('media_type_unsupported')
      const header = request.headers['last-event-id']
      const lastEventId = Array.isArray(header) ? header[0] : header
      return answer(readSubscription(options, lastEventId, bounds), request, reply)
    },
  )

  async function answer(
    subscription: Subscription,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const representation = negotiate(request.headers.accept)
    if (representation === undefined) throw new SluiceError('not_acceptable')
    if (subscription.from === 'end') return reply.code(204).send()
    if (context.draining()) throw new SluiceError('draining')
    if (hub.crowded) throw new SluiceError('streams_exhausted', { retryAfter: 30 })
    const reading = await admitReader(context, subscription, request)
    if (request.method === 'HEAD') {
      return reply.headers(representation === 'sse' ? STREAM_HEAD : JSON_HEAD).send()
    }
    if (representation === 'json') return longPoll(subscription, reading, request, reply)
    if (subscription.mode === 'poll') return finiteStream(subscription, reading, request, reply)
    return stream(subscription, reading, request, reply)
  }

  // ── the stream ──

  async function stream(
    { from, format, presented }: Subscription,
    { identity, channels, session, reach }: Reading,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    if (from === 'end') return reply.code(204).send()
    const leaveSeat = access.seats.take(identity, request.ip)
    let leaveAudience = () => {}
    const onClosed = () => {
      leaveSeat()
      leaveAudience()
    }
    const opened = await hub
      .openStream({ channels, from, format, session, presented, reach, onClosed })
      .catch((error: unknown) => {
        leaveSeat()
        throw error
      })
    if (opened.kind === 'exhausted') return reply.code(204).send()
    if (opened.kind === 'expired') throw new SluiceError('cursor_expired')
    const { stream } = opened
    if (request.raw.socket.destroyed || context.draining()) {
      stream.close()
      throw new SluiceError('draining')
    }
    const member: Member = {
      ...{ identity, session, channels, does: 'subscribe' },
      end: (reason, again) => stream.bye(reason, again),
      expiring: (expires) => stream.tellExpiring(expires),
    }
    if (identity.kind !== 'open' || session !== undefined) {
      leaveAudience = access.audience.enter(member)
    }
    // What hooks have set (CORS) must not get lost with the reply.
    const headers = { ...reply.getHeaders(), ...STREAM_HEAD }
    reply.hijack()
    stream.attach(openSink(request.raw, reply.raw, headers))
    // The opening took its time: what has happened to its rights meanwhile?
    access.audience.judge([member])
    return reply
  }

  // ── finite answers ──

  async function poll(
    { from, limit }: Subscription,
    { identity, channels, session, reach }: Reading,
    waitMs: number,
    request: FastifyRequest,
  ): Promise<PollAnswer | undefined> {
    if (from === 'end') return undefined
    const leaveSeat = access.seats.take(identity, request.ip)
    const gone = new AbortController()
    let ended: EndReason | undefined
    const leaveAudience = access.audience.enter({
      ...{ identity, session, channels, does: 'subscribe' },
      end(reason) {
        ended = reason
        gone.abort()
      },
    })
    const abort = () => gone.abort()
    request.raw.socket.once('close', abort)
    try {
      const polled = await hub.poll({ channels, from, waitMs, limit, reach, signal: gone.signal })
      if (ended !== undefined) throw endedBy(ended)
      return polled
    } finally {
      request.raw.socket.removeListener('close', abort)
      leaveAudience()
      leaveSeat()
    }
  }

  async function longPoll(
    subscription: Subscription,
    reading: Reading,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const polled = await poll(subscription, reading, subscription.waitMs, request)
    if (polled === undefined || polled.exhausted) return reply.code(204).send()
    return reply.headers(JSON_HEAD).send(pollJson(polled))
  }

  async function finiteStream(
    subscription: Subscription,
    reading: Reading,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    // Without a cursor the client needs one first: it comes at once.
    const waitMs = subscription.presented === undefined ? 0 : subscription.waitMs
    const polled = await poll(subscription, reading, waitMs, request)
    if (polled === undefined || polled.exhausted) return reply.code(204).send()
    return reply.headers(STREAM_HEAD).send(pollSse(polled))
  }

  /** A native EventSource gives up for good at any status but 200: it gets its answer in its own words. */
  function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const problem = toSluiceError(error, context.logger)
    if (!problem.retryable || !namesEventStream(request.headers.accept)) throw problem
    const retry = OVERLOAD_RETRY_MS * (2 / 3 + (Math.random() * 2) / 3)
    // A restart is over sooner than a shortage.
    const ms = problem.code === 'draining' ? retry / 10 : retry
    reply
      .code(200)
      .headers(STREAM_HEAD)
      .send(retryLine(ms) + comment(`${problem.code}: ${problem.message}`))
  }
}

const JSON_HEAD = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  vary: 'Accept, Origin',
}

/** Numbers are what one writes in JSON; the query has only text. */
function textNumbers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const options = value as Record<string, unknown>
  for (const name of ['wait', 'limit', 'rewind']) {
    if (typeof options[name] === 'number') options[name] = String(options[name])
  }
  return options
}

/** The long poll's answer. Event data goes as the text that came. */
function pollJson({ events, ephemeral, control, cursor, more }: PollAnswer): string {
  const items = [...events.map(({ event }) => eventJson(event)), ...ephemeral.map(eventJson)]
  const rest = `"cursor":"${cursor}","control":${JSON.stringify(control)},"more":${more}`
  return `{"events":[${items.join(',')}],${rest}}`
}

/** The same as one SSE body: gaps first, for they lie before the events; the last block moves the cursor past everything. */
function pollSse({ events, ephemeral, control, cursor, more }: PollAnswer): string {
  // A goodbye says when to come back, each client another time: all at once would be a storm.
  const bye = control.find(({ event }) => event === 'stream.bye')
  const retry = bye?.event === 'stream.bye' ? bye.data.retry : more ? 0 : POLL_RETRY_MS
  const blocks = [retryLine(retry)]
  const before = control.filter(({ event }) => event === 'stream.gap')
  const after = control.filter(({ event }) => event !== 'stream.gap')
  for (const { event, data } of before) blocks.push(namedBlock(event, data))
  for (const item of events) blocks.push(idLine(item.cursor) + eventBlock(item.event, 'envelope'))
  for (const event of ephemeral) blocks.push(eventBlock(event, 'envelope'))
  for (const { event, data } of after) blocks.push(namedBlock(event, data))
  // An `id:`-only block where more is to come: the stream isn't live then.
  blocks.push(more ? `${idLine(cursor)}\n` : namedBlock('stream.live', { cursor }, cursor))
  return blocks.join('')
}
