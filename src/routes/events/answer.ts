/** One subscription, answered as a stream, a finite stream or a long poll. */
import { randomBytes } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { EndReason, Member } from '../../auth/audience.js'
import { namesEventStream, negotiate } from '../../http/accept.js'
import { openSink } from '../../http/sink.js'
import { chunk } from '../../hub/chunk.js'
import { toSluiceError } from '../../plugins/problems.js'
import type { Going } from '../../presence/presence.js'
import type { Attendance } from '../../sessions/attendance.js'
import { reasonOf } from '../../sessions/record.js'
import type { ControlData } from '../../wire/control.js'
import { SluiceError } from '../../wire/errors.js'
import { comment, namedBlock, retryLine } from '../../wire/sse.js'
import type { RouteContext } from '../context.js'
import { admitReader, bears, endedBy, type Reading, type Shared } from './admission.js'
import { type Polled, pollJson, pollSse } from './finite.js'
import { type Appearance, appear, followerOf, retell, returns, statesAfter } from './presence.js'
import type { Subscription } from './request.js'

const STREAM_HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  // no-transform: also no compression, which holds small frames back.
  'cache-control': 'no-cache, no-store, no-transform',
  'x-accel-buffering': 'no',
  vary: 'Accept, Origin',
}

const JSON_HEAD = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  vary: 'Accept, Origin',
}

/** How long clients stay away from an overloaded gateway, in ms, give or take a third. */
const OVERLOAD_RETRY_MS = 30_000

/** Channels that its session has no more, each with the reason. */
function endsOf(shared: Shared | undefined): readonly ControlData['stream.end'][] {
  if (shared === undefined) return []
  const { lost, record } = shared.recalled
  return lost.map((channel) => ({ channel, reason: reasonOf(record, channel) }))
}

/** Why the last channel of a session left it; undefined where it never had one. */
function lastReason({ shared }: Reading): string | undefined {
  const record = shared?.recalled.record
  const last = endsOf(shared).at(-1)?.reason ?? record?.ended
  return last ?? [...(record?.gone.values() ?? [])].at(-1)
}

export interface Answers {
  /** Lets a reader in and answers it by what it accepts. `check`: what else must hold for one that may read. */
  answer(
    subscription: Subscription,
    request: FastifyRequest,
    reply: FastifyReply,
    check?: () => Promise<void>,
  ): Promise<FastifyReply>
  /** A stream for a reader that has been let in. `more`: headers beside its own. */
  stream(
    subscription: Subscription,
    reading: Reading,
    request: FastifyRequest,
    reply: FastifyReply,
    more?: Readonly<Record<string, string>>,
  ): Promise<FastifyReply>
  /**
   * For the error handler of a route that a native EventSource opens. `breaks`: where a body that ends
   * properly would say that there is no more to come, it is broken off.
   */
  refuse(error: unknown, request: FastifyRequest, reply: FastifyReply, breaks?: boolean): void
}

export function createAnswers(context: RouteContext): Answers {
  const { access, hub, sessions } = context

  async function answer(
    subscription: Subscription,
    request: FastifyRequest,
    reply: FastifyReply,
    check?: () => Promise<void>,
  ): Promise<FastifyReply> {
    const representation = negotiate(request.headers.accept)
    if (representation === undefined) throw new SluiceError('not_acceptable')
    if (subscription.from === 'end') return reply.code(204).send()
    if (context.draining()) throw new SluiceError('draining')
    if (hub.crowded) throw new SluiceError('streams_exhausted', { retryAfter: 30 })
    const reading = await admitReader(context, subscription, request)
    if (reading.channels.length === 0) {
      // All that its session had was taken away: there is nothing left to wait for.
      const reason = lastReason(reading)
      if (reason === undefined) {
        // Its store began anew, or it joined a room and came too late.
        throw new SluiceError('channel_missing', {
          detail: 'This session has no channels (any more): join its room again, or name some',
        })
      }
      // Whoever was away when it happened hears why, or would take a kick for a time-out.
      return reply.code(204).header('sluice-ended', reason).send()
    }
    await check?.()
    if (request.method === 'HEAD') {
      return reply.headers(representation === 'sse' ? STREAM_HEAD : JSON_HEAD).send()
    }
    if (representation === 'json') return longPoll(subscription, reading, request, reply)
    if (subscription.mode === 'poll') return finiteStream(subscription, reading, request, reply)
    return stream(subscription, reading, request, reply)
  }

  // ── the stream ──

  async function stream(
    subscription: Subscription,
    reading: Reading,
    request: FastifyRequest,
    reply: FastifyReply,
    more: Readonly<Record<string, string>> = {},
  ): Promise<FastifyReply> {
    const { from, format, presented } = subscription
    const { identity, channels, session: own, does = 'subscribe', shared } = reading
    const { rightful = channels } = reading
    if (from === 'end') return reply.code(204).send()
    // The last look before there is one more: letting somebody in takes its time.
    if (hub.crowded) throw new SluiceError('streams_exhausted', { retryAfter: 30 })
    // Of the stream alone where it has none: what `stream.ready` shows can be revoked.
    const session = own ?? randomBytes(16).toString('base64url')
    const leaveSeat = access.seats.take(identity, request.ip)
    let leaveAudience = () => {}
    let attendance: Attendance | undefined
    let going: Going = 'away'
    const counts = !subscription.unseen
    const manner = { connection: session, counts, returns: returns(reading), told: true }
    const appearance = await appear(context, subscription, reading, manner).catch(
      (error: unknown) => {
        leaveSeat()
        throw error
      },
    )
    const onClosed = () => {
      leaveSeat()
      leaveAudience()
      attendance?.leave()
      appearance.leave(going)
    }
    const onGap = (channel: string) => {
      if (opened.kind === 'stream') retell(context.presence, opened.stream, channel)
    }
    const places = shared && sessions.placesOf(shared.recalled, from)
    const ends = endsOf(shared).map((end) => chunk(namedBlock('stream.end', end)))
    const greetings = [...ends, ...appearance.states.map((state) => state.chunk)]
    const starts = new Map([...(places?.starts ?? []), ...appearance.starts])
    const opened = await hub
      .openStream({
        ...{ channels: appearance.channels, from, starts, reach: appearance.reach, format },
        ...{ session, presented, greetings, onClosed, onGap },
        who: { session, subject: identity.subject, address: request.ip },
      })
      .catch((error: unknown) => {
        leaveSeat()
        appearance.leave(going)
        throw error
      })
    if (opened.kind === 'exhausted') return reply.code(204).send()
    if (opened.kind === 'expired') throw new SluiceError('cursor_expired')
    const { stream } = opened
    if (request.raw.socket.destroyed || context.draining()) {
      stream.close()
      throw new SluiceError('draining')
    }
    const heldNow = () => attendance?.held ?? shared?.recalled.held ?? []
    const member: Member = {
      ...{ identity, session, does },
      get channels() {
        return attendance?.rightful ?? rightful
      },
      bears: (rights) => heldNow().every((it) => bears(rights, it)),
      renewed({ rights }) {
        appearance.renewed(stream, rights)
        // It may have a room by a right that it didn't have before.
        attendance?.reconcile().catch(() => {})
      },
      end(reason, again) {
        if (!again) going = 'for good'
        stream.bye(reason, again)
      },
      expiring: (expires) => stream.tellExpiring(expires),
    }
    if (identity.kind !== 'open' || own !== undefined) {
      leaveAudience = access.audience.enter(member)
    }
    // What hooks have set (CORS) must not get lost with the reply.
    const headers = { ...reply.getHeaders(), ...STREAM_HEAD, ...more }
    reply.hijack()
    stream.attach(openSink(request.raw, reply.raw, headers))
    if (shared !== undefined && places !== undefined && own !== undefined) {
      const follower = followerOf(stream, appearance, context.logger)
      attendance = sessions.attend({
        ...{ session: own, stream, places, follower, ...shared },
        bears: (held) => bears(member.identity.rights, held),
      })
    }
    // The opening took its time: what has happened to its rights meanwhile?
    access.audience.judge([member])
    return reply
  }

  // ── finite answers ──

  async function poll(
    subscription: Subscription,
    reading: Reading,
    waitMs: number,
    request: FastifyRequest,
  ): Promise<Polled | undefined> {
    const { from, limit, presented, unseen } = subscription
    const { identity, channels, session, shared, rightful = channels } = reading
    if (from === 'end') return undefined
    if (hub.crowded) throw new SluiceError('streams_exhausted', { retryAfter: 30 })
    const leaveSeat = access.seats.take(identity, request.ip)
    const gone = new AbortController()
    let ended: EndReason | undefined
    const leaveAudience = access.audience.enter({
      ...{ identity, session, channels: rightful, does: 'subscribe' },
      bears: (rights) => (shared?.recalled.held ?? []).every((it) => bears(rights, it)),
      end(reason) {
        ended = reason
        gone.abort()
      },
    })
    const abort = () => gone.abort()
    request.raw.socket.once('close', abort)
    const leaveSession = shared && sessions.visit(shared.recalled)
    const places = shared && sessions.placesOf(shared.recalled, from)
    let appearance: Appearance | undefined
    try {
      appearance = await appear(context, subscription, reading, {
        connection: session ?? '',
        // Of polls without a session nobody knows that they are one and the same reader's.
        ...{ counts: session !== undefined && !unseen, returns: true },
        told: presented === undefined,
      })
      const polled = await hub.poll({
        ...{ channels: appearance.channels, from, limit, reach: appearance.reach },
        starts: new Map([...(places?.starts ?? []), ...appearance.starts]),
        // Who is present is news.
        waitMs: appearance.states.length > 0 ? 0 : waitMs,
        signal: gone.signal,
      })
      if (ended !== undefined) throw endedBy(ended)
      const states = [...appearance.states, ...(await statesAfter(context.presence, polled))]
      if (shared === undefined) return { ...polled, states }
      await sessions.wasRead(session!, shared.recalled, polled.cursor)
      const ends = endsOf(shared).map((data) => ({ event: 'stream.end', data }) as const)
      return { ...polled, states, control: [...polled.control, ...ends] }
    } finally {
      appearance?.leave('away')
      leaveSession?.()
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
  function refuse(
    error: unknown,
    request: FastifyRequest,
    reply: FastifyReply,
    breaks = false,
  ): void {
    const problem = toSluiceError(error, context.logger)
    if (!problem.retryable || !namesEventStream(request.headers.accept)) throw problem
    // Without a body there is nothing to break off.
    if (breaks && request.method === 'HEAD') throw problem
    const retry = OVERLOAD_RETRY_MS * (2 / 3 + (Math.random() * 2) / 3)
    context.admin.refused(problem.code, false)
    // A restart is over sooner than a shortage.
    const ms = problem.code === 'draining' ? retry / 10 : retry
    const words = retryLine(ms) + comment(`${problem.code}: ${problem.message}`)
    if (!breaks) {
      reply.code(200).headers(STREAM_HEAD).send(words)
      return
    }
    const headers = { ...reply.getHeaders(), ...STREAM_HEAD } as OutgoingHttpHeaders
    reply.hijack()
    // To an EventSource it is a lost connection, by which it comes back; to everybody else no success.
    reply.raw.writeHead(200, headers).write(words, () => reply.raw.destroy())
  }

  return { answer, stream, refuse }
}
