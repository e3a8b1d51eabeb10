/** What the resources of rooms share: whose they are, and how they look. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { checkRevoked } from '../../auth/revocations.js'
import { DATA_BYTES } from '../../rooms/limits.js'
import { isParticipantId, isRoom, roomChannel } from '../../rooms/names.js'
import { ownerIn } from '../../rooms/owners.js'
import type { Caller } from '../../rooms/rooms.js'
import { SluiceError } from '../../wire/errors.js'
import { rawMembers } from '../../wire/json.js'
import type { RouteContext } from '../context.js'
import { sessionOf } from '../sessions.js'

export interface RoomParams {
  readonly room: string
}

export interface ParticipantParams extends RoomParams {
  readonly id: string
}

/** The room of the path, for whoever may use it. Throws where it can't be one, or isn't granted. */
export function roomOf({ access }: RouteContext, request: FastifyRequest): string {
  const { room } = request.params as RoomParams
  if (!isRoom(room)) throw new SluiceError('room_invalid')
  access.demand(request.sluiceIdentity, 'signal', roomChannel(room))
  return room
}

export function participantOf(request: FastifyRequest): string {
  const { id } = request.params as ParticipantParams
  if (isParticipantId(id)) return id
  throw new SluiceError('room_invalid')
}

/** Who calls; a backend may come without a session. */
export function callerOf({ access }: RouteContext, request: FastifyRequest, room: string): Caller {
  const { sluiceIdentity: identity, headers } = request
  const { kind, subject, rights } = identity
  const session = headers['sluice-session'] === undefined ? undefined : sessionOf(request)
  checkRevoked(access.revocations, identity, session)
  return {
    session,
    subject,
    owner: session === undefined ? undefined : ownerIn(kind, subject, session),
    moderator: rights.may('admin', roomChannel(room)),
  }
}

/** The size of what a body says under "data", as it came. Throws where that is too much. */
export function checkData(text: string): void {
  const data = rawMembers(text).get('data')
  if (data === undefined || Buffer.byteLength(data) <= DATA_BYTES) return
  throw new SluiceError('option_invalid', { detail: `"data" has at most ${DATA_BYTES} bytes` })
}

/** What somebody gets who is in: it is theirs alone. */
export function uncached(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store')
}
