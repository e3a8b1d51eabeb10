/** Joining: who is let in, and what changes by it. A pure rule over a room's state. */
import type { Change } from '../documents/documents.js'
import { SluiceError } from '../wire/errors.js'
import { joined, left } from './events.js'
import { leaving, type Moment } from './leave.js'
import { MAX_PARTICIPANTS } from './limits.js'
import { banOf, isNamed, isOpen, passes } from './owners.js'
import {
  bySession,
  type Data,
  fieldOf,
  type Muted,
  type Participant,
  ROOM_FIELD,
  type Room,
  type RoomState,
} from './state.js'

/** What a rule says is to change, whichever version it was computed from. */
export type Plan = Omit<Change, 'version'>

export interface JoinRequest {
  readonly id: string
  /** Of this joining, if it is one. */
  readonly incarnation: string
  readonly session: string
  readonly subject: string | undefined
  /** As `ownerIn` says it. */
  readonly owner: string
  /** Its rights say so. */
  readonly moderator: boolean
  readonly data: Data
  readonly muted: Muted
}

export type Joining =
  /** The session takes part already. */
  | { readonly kind: 'in'; readonly participant: Participant }
  /** The session has just left: that must be over first, or its stream would lose what it is given now. */
  | { readonly kind: 'leaving'; readonly incarnation: string }
  | {
      readonly kind: 'join'
      readonly participant: Participant
      /** Incarnation of whoever had the id until now. */
      readonly replaced: string | undefined
      readonly plan: Plan
    }

export function newRoom(now: number): Room {
  return {
    ...{ created: now, locked: false, maxParticipants: null, moderators: [], data: {} },
    ...{ bans: [], kept: false },
  }
}

/** Throws what whoever wants to join is to be told. */
export function join(
  name: string,
  state: RoomState,
  request: JoinRequest,
  moment: Moment,
): Joining {
  const { id, incarnation, session, subject, owner, data, muted } = request
  const present = bySession(state, session)
  if (present !== undefined) {
    if (present.id === id) return { kind: 'in', participant: present }
    throw new SluiceError('participant_taken', {
      detail: `This session takes part as "${present.id}", and can do so once`,
    })
  }
  for (const farewell of state.farewells.values()) {
    if (farewell.session === session) return { kind: 'leaving', incarnation: farewell.incarnation }
  }
  const room = state.room ?? newRoom(moment.now)
  const older = state.participants.get(id)
  if (older !== undefined && older.owner !== owner) throw new SluiceError('participant_taken')
  const moderator = request.moderator || isNamed(room, request)
  if (!passes(room, request, request.moderator)) refuse(room, request, state, moment.now)
  const cap = Math.min(room.maxParticipants ?? MAX_PARTICIPANTS, MAX_PARTICIPANTS)
  if (older === undefined && state.participants.size >= cap) {
    throw new SluiceError('room_full', { extensions: { maxParticipants: cap } })
  }
  const last = [...state.participants.values()].at(-1)
  const participant: Participant = {
    ...{ id, incarnation, owner, session, subject, data, muted },
    role: moderator || older?.role === 'moderator' ? 'moderator' : 'participant',
    hand: false,
    // Later than everybody's, whatever the clocks of gateways say: who came later is polite.
    joined: Math.max(moment.now, (last?.joined ?? 0) + 1),
  }
  const gone = older && leaving(older, 'replaced', moment)
  const plan: Plan = {
    set: {
      ...(state.room === undefined && { [ROOM_FIELD]: JSON.stringify(room) }),
      ...gone?.set,
      [fieldOf(id)]: JSON.stringify(participant),
    },
    // Its stream isn't open yet, or doesn't have the room: whoever never opens one is out again soon.
    leases: [...(gone?.leases ?? []), { member: incarnation, ms: moment.graceMs, away: true }],
    drafts: [...(older ? [left(name, older, 'replaced')] : []), joined(name, participant)],
  }
  return { kind: 'join', participant, replaced: older?.incarnation, plan }
}

function refuse(room: Room, request: JoinRequest, { participants }: RoomState, now: number): void {
  const own = banOf(request)
  const ban = room.bans.find((it) => it.owner === own.owner && it.id === own.id && it.until > now)
  if (ban !== undefined) {
    throw new SluiceError('participant_banned', { extensions: { until: ban.until } })
  }
  // Whoever is in may reload.
  if (!room.locked || participants.has(request.id)) return
  // Where everybody is a moderator as soon as they are in, nobody would be left to unlock it.
  if (isOpen(request) && participants.size === 0) return
  throw new SluiceError('room_locked')
}
