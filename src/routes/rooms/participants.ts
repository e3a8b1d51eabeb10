/** `/v1/rooms/{room}/participants`: join, change, leave. */
import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { checkRevoked } from '../../auth/revocations.js'
import type { Body } from '../../plugins/bodies.js'
import { type IceAnswer, iceFor, iceLinks } from '../../rooms/ice.js'
import type { IceServers } from '../../rooms/ice-read.js'
import { DATA_BYTES, MAX_BAN_MS } from '../../rooms/limits.js'
import { inboxChannel, isParticipantId, roomChannel } from '../../rooms/names.js'
import { ownerIn } from '../../rooms/owners.js'
import type { Joined } from '../../rooms/rooms.js'
import { isPolite } from '../../rooms/state.js'
import { participantView, roomView } from '../../rooms/views.js'
import { formatCursor } from '../../wire/cursor.js'
import { SluiceError } from '../../wire/errors.js'
import { readJson } from '../body.js'
import type { RouteContext } from '../context.js'
import { admitEvents, claimSession, ownerOf } from '../events/admission.js'
import { compileOptions } from '../schemas.js'
import { sessionOf } from '../sessions.js'
import {
  callerOf,
  checkData,
  type ParticipantParams,
  participantOf,
  roomOf,
  uncached,
} from './common.js'
import { JoinBody, LeaveOptions, ParticipantBody } from './schemas.js'

/** Bytes of a body that may hold data, and what stands around it. */
const BODY_BYTES = 2 * DATA_BYTES

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

export function participantRoutes(
  app: FastifyInstance,
  context: RouteContext,
  ice: IceServers,
): void {
  const { access, log, now, rooms } = context
  const checkJoin = compileOptions(JoinBody)
  const checkChange = compileOptions(ParticipantBody)

  app.post<{ Body: Body | undefined }>(
    '/v1/rooms/:room/participants',
    { bodyLimit: BODY_BYTES },
    async (request, reply) => {
      const room = roomOf(context, request)
      const session = sessionOf(request)
      const { sluiceIdentity: identity, ip } = request
      const body = bodyOf<JoinBody>(request, checkJoin)
      // As an opening: it is read on a stream from here on.
      await access.spending.open(identity, ip)
      checkRevoked(access.revocations, identity, session)
      await access.consult(identity, 'subscribe', () => [roomChannel(room)], ip)
      await claimSession(context, session, identity)
      const { kind, subject, rights } = identity
      const joined = await rooms.join(room, {
        ...{ session, subject, sessionOwner: ownerOf(identity) },
        id: body.participant ?? idFor(subject),
        owner: ownerIn(kind, subject, session),
        moderator: rights.may('admin', roomChannel(room)),
        data: body.data ?? {},
        muted: { audio: false, video: false, ...body.muted },
      })
      const { id } = joined.participant
      // An id is what somebody calls themselves: the relay's log and its quotas are about who they are.
      const relays = iceFor(ice, subject ?? session, now())
      if (relays.iceServers.length > 0) reply.header('link', iceLinks(relays.iceServers))
      uncached(reply)
        .code(joined.fresh ? 201 : 200)
        .header(
          'location',
          `/v1/rooms/${encodeURIComponent(room)}/participants/${encodeURIComponent(id)}`,
        )
      return answerOf(room, joined, relays)
    },
  )

  function answerOf(name: string, joined: Joined, relays: IceAnswer) {
    const { participant, participants, room, away, position, live } = joined
    const channels = [roomChannel(name), inboxChannel(name, participant.incarnation)]
    const cursor = new Map([[log.partitionOf(channels[0]!), position]])
    return {
      room: roomView(name, room),
      participant: participantView(participant),
      participants: participants.map((other) => ({
        ...participantView(other),
        away: away.has(other.incarnation),
        polite: isPolite(participant, other),
      })),
      ...relays,
      ...{ channels, cursor: formatCursor(cursor, log.partitions), live },
    }
  }

  app.patch<{ Params: ParticipantParams; Body: Body | undefined }>(
    '/v1/rooms/:room/participants/:id',
    { bodyLimit: BODY_BYTES },
    async (request, reply) => {
      const room = roomOf(context, request)
      const id = participantOf(request)
      const patch = bodyOf<ParticipantBody>(request, checkChange)
      const caller = callerOf(context, request, room)
      await admitEvents(context, request, [{ channel: roomChannel(room) }])
      uncached(reply)
      return participantView(await rooms.update(room, id, caller, patch))
    },
  )

  app.delete<{ Params: ParticipantParams; Querystring: LeaveOptions }>(
    '/v1/rooms/:room/participants/:id',
    { schema: { querystring: LeaveOptions } },
    async (request, reply) => {
      const room = roomOf(context, request)
      const id = participantOf(request)
      const caller = callerOf(context, request, room)
      // The hook isn't asked: whoever may no longer be there must be able to go.
      const charge = [{ channel: roomChannel(room) }]
      await access.spending.publish(request.sluiceIdentity, request.ip, charge, false, () => {})
      await rooms.remove(room, id, caller, banOf(request.query))
      return reply.code(204).send()
    },
  )
}

/** Somebody's subject where it can be an id. */
function idFor(subject: string | undefined): string {
  if (subject !== undefined && isParticipantId(subject)) return subject
  return randomBytes(9).toString('base64url')
}

function bodyOf<T extends object>(
  request: FastifyRequest<{ Body: Body | undefined }>,
  check: (value: unknown) => void,
): T {
  const { body } = request
  const value = readJson<T>(body, check)
  if (body?.type === 'json') checkData(body.text)
  return value ?? ({} as T)
}

function banOf({ ban }: LeaveOptions): number | undefined {
  if (ban === undefined) return undefined
  const ms = Number(ban.slice(0, -1)) * UNITS[ban.at(-1)!]!
  if (ms <= MAX_BAN_MS) return ms
  throw new SluiceError('option_invalid', { detail: '"ban" is at most 24h' })
}
