/**
 * Leaving, of one's own will or not. Two changes:
 *
 *     leave ──▶ out of the room, and everybody is told           (one change)
 *       │       from here on nobody can send it anything
 *       └─▶ farewell: its stream gives the room up; senders
 *           are told what it may not have got; its inbox goes    (one change)
 *
 * Rejected: both in one. What is in the inbox must be read before senders are told, and a signal may be
 * appended between the reading and the change, for signals leave the document's version as it is. After
 * the first change there can be no more: every signal asks for the version that it was computed from. A
 * gateway that dies in between leaves a lease that is over soon, and another one goes on.
 */
import type { Lease } from '../documents/documents.js'
import type { Draft, Entry } from '../log/log.js'
import { msOf, type Position } from '../wire/position.js'
import { type By, left } from './events.js'
import type { Plan } from './join.js'
import { FAREWELL_MS, KEEP_MS, ON_ITS_WAY_MS } from './limits.js'
import { inboxChannel } from './names.js'
import {
  byIncarnation,
  type Farewell,
  farewellOf,
  fieldOf,
  KEEPER,
  type LeaveReason,
  type Participant,
  ROOM_FIELD,
  type RoomState,
} from './state.js'

/** When something happens, and what is known then. */
export interface Moment {
  /** ms since the epoch, by this gateway's clock. */
  readonly now: number
  /** Incarnations whose connection is gone. */
  readonly away: ReadonlySet<string>
  /** The partition's last. */
  readonly position: Position
  /** ms that somebody without a connection is still in. */
  readonly graceMs: number
  /** ms back from now for which it isn't known that somebody received what was sent to them. */
  readonly unsureMs: number
}

/** Clocks of gateways and of the store may differ by so much, in ms. */
const CLOCKS_MS = 30_000

/** What becomes of whoever leaves. */
export function leaving(
  who: Participant,
  reason: LeaveReason,
  moment: Moment,
): { readonly set: Record<string, string | null>; readonly leases: readonly Lease[] } {
  const { id, incarnation, session } = who
  const { away, now, position } = moment
  // Whoever says goodbye on a stream that is open has got all but what is on its way.
  const clean = reason === 'left' && !away.has(incarnation)
  const moved = Math.max(msOf(position.order), now - CLOCKS_MS)
  const since = Math.max(0, moved - (clean ? ON_ITS_WAY_MS : moment.unsureMs))
  const farewell: Farewell = { id, incarnation, session, reason, since }
  return {
    set: { [fieldOf(id)]: null, [farewellOf(incarnation)]: JSON.stringify(farewell) },
    leases: [
      { member: incarnation, ms: 0 },
      { member: farewellOf(incarnation), ms: FAREWELL_MS },
    ],
  }
}

/** Takes participants out of a room, and forgets the room where it was only for them. */
export function leave(
  name: string,
  state: RoomState,
  who: readonly Participant[],
  reason: LeaveReason,
  moment: Moment,
  by?: By,
): Plan & { readonly set: Record<string, string | null>; readonly leases: readonly Lease[] } {
  const set: Record<string, string | null> = {}
  const leases: Lease[] = []
  for (const one of who) {
    const gone = leaving(one, reason, moment)
    Object.assign(set, gone.set)
    leases.push(...gone.leases)
  }
  if (state.participants.size === who.length) {
    if (state.room?.kept === true && reason !== 'closed') {
      leases.push({ member: KEEPER, ms: KEEP_MS })
    } else {
      set[ROOM_FIELD] = null
      leases.push({ member: KEEPER, ms: 0 })
    }
  }
  return { set, leases, drafts: who.map((one) => left(name, one, reason, by)) }
}

/** The second part. `inbox`: what it holds since `farewell.since`; nothing is added to it any more. */
export function farewellPlan(
  name: string,
  state: RoomState,
  farewell: Farewell,
  inbox: readonly Entry[],
): Plan {
  const { incarnation } = farewell
  const drafts = inbox.flatMap((entry) => {
    const late = entry.kind === 'event' && msOf(entry.order) >= farewell.since
    return late ? (expired(name, state, farewell, entry.name, entry.data) ?? []) : []
  })
  return {
    set: { [farewellOf(incarnation)]: null },
    leases: [{ member: farewellOf(incarnation), ms: 0 }],
    drafts,
    deletes: [inboxChannel(name, incarnation)],
  }
}

/** What the sender of a signal is told; undefined where it was none, or nobody is there to be told. */
function expired(
  name: string,
  state: RoomState,
  { reason }: Farewell,
  event: string,
  json: string,
): Draft | undefined {
  if (!event.startsWith('signal.') || event === 'signal.expired') return undefined
  const { fromIncarnation, messageId, to, toIncarnation } = JSON.parse(json)
  if (byIncarnation(state, fromIncarnation) === undefined) return undefined
  return {
    channel: inboxChannel(name, fromIncarnation),
    name: 'signal.expired',
    data: JSON.stringify({ messageId, to, toIncarnation, reason }),
  }
}
