/** What participants and moderators change. Pure rules over a room's state. */
import type { Draft } from '../log/log.js'
import { SluiceError } from '../wire/errors.js'
import { type By, muteAsked, roomUpdated, updated } from './events.js'
import { newRoom, type Plan } from './join.js'
import { KEEP_MS, MAX_BANS } from './limits.js'
import { banOf, isNamed } from './owners.js'
import {
  type Data,
  fieldOf,
  KEEPER,
  type Muted,
  type Participant,
  ROOM_FIELD,
  type Role,
  type Room,
  type RoomState,
} from './state.js'

/** Of oneself all but the role; of others a hand that goes down, a role, and what they are asked for. */
export interface ParticipantPatch {
  readonly data?: Data
  readonly hand?: boolean
  readonly muted?: Partial<Muted>
  readonly role?: Role
  /** What they are asked to mute. */
  readonly mute?: readonly ('audio' | 'video')[]
}

export interface RoomPatch {
  readonly locked?: boolean
  readonly maxParticipants?: number | null
  readonly moderators?: readonly string[]
  readonly data?: Data
}

/** Who wants something. */
export interface Actor {
  /** The participant that the caller's session is. */
  readonly self: Participant | undefined
  readonly moderator: boolean
  readonly by: By
}

export interface Updated<T> {
  readonly value: T
  /** Undefined where everything is so already. */
  readonly plan: Plan | undefined
}

/** Throws `forbidden` where the caller may not. */
export function updateParticipant(
  name: string,
  who: Participant,
  patch: ParticipantPatch,
  { self, moderator, by }: Actor,
): Updated<Participant> {
  const own = self?.incarnation === who.incarnation
  const { data, hand, muted, role, mute } = patch
  const ofOneself = data !== undefined || muted !== undefined || hand === true
  if (ofOneself && !own) {
    throw new SluiceError('forbidden', {
      detail: '"data", "muted" and a hand that goes up are each participant’s own',
    })
  }
  if (!own && !moderator) throw notModerator()
  if ((role !== undefined || mute !== undefined) && !moderator) throw notModerator()
  const value: Participant = {
    ...who,
    ...(data !== undefined && { data }),
    ...(hand !== undefined && { hand }),
    ...(role !== undefined && { role }),
    muted: { ...who.muted, ...muted },
  }
  const json = JSON.stringify(value)
  const changed = json !== JSON.stringify(who)
  const drafts: Draft[] = []
  if (changed) drafts.push(updated(name, value))
  if (mute !== undefined && mute.length > 0) drafts.push(muteAsked(name, who, mute, by))
  if (drafts.length === 0) return { value, plan: undefined }
  return { value, plan: { ...(changed && { set: { [fieldOf(who.id)]: json } }), drafts } }
}

export function notModerator(): SluiceError {
  return new SluiceError('forbidden', { detail: 'That is for moderators of the room' })
}

/** Makes the room where there is none. */
export function updateRoom(
  name: string,
  state: RoomState,
  patch: RoomPatch,
  now: number,
): Updated<Room> {
  const before = state.room ?? newRoom(now)
  const value: Room = { ...before, ...patch, kept: true }
  const set: Record<string, string> = {}
  const drafts: Draft[] = []
  if (
    state.room === undefined ||
    JSON.stringify(value) !== JSON.stringify({ ...before, kept: true })
  ) {
    drafts.push(roomUpdated(name, value))
  }
  if (patch.moderators !== undefined) {
    for (const one of state.participants.values()) {
      const role = roleAfter(one, before, value)
      if (role === one.role) continue
      const changed = { ...one, role }
      set[fieldOf(one.id)] = JSON.stringify(changed)
      drafts.push(updated(name, changed))
    }
  }
  if (drafts.length === 0 && before.kept) return { value, plan: undefined }
  set[ROOM_FIELD] = JSON.stringify(value)
  return { value, plan: { set, drafts, leases: [{ member: KEEPER, ms: KEEP_MS }] } }
}

/** Of those who are in, an id is as good as a subject: nobody else can have it meanwhile. */
function roleAfter(one: Participant, before: Room, after: Room): Role {
  const named = (room: Room) => isNamed(room, one) || room.moderators.includes(one.id)
  if (named(after)) return 'moderator'
  return named(before) ? 'participant' : one.role
}

/** The room with somebody kept out until then. */
export function banned(room: Room, who: Participant, until: number, now: number): Room {
  const ban = { ...banOf(who), until }
  const others = room.bans.filter(
    (it) => it.until > now && !(it.owner === ban.owner && it.id === ban.id),
  )
  return { ...room, kept: true, bans: [...others, ban].slice(-MAX_BANS) }
}

/** The document's field of a room. */
export const roomField = (room: Room) => ({ [ROOM_FIELD]: JSON.stringify(room) })
