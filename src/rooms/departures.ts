/** Everybody who leaves: by themselves, by a moderator's word, because their lease is over. */
import type { Goodbyes } from './goodbyes.js'
import type { Plan } from './join.js'
import { leave, type Moment } from './leave.js'
import { KEEP_MS } from './limits.js'
import { roomOf } from './names.js'
import {
  byIncarnation,
  KEEPER,
  type LeaveReason,
  type Participant,
  ROOM_FIELD,
  type Room,
  type RoomState,
  saidBy,
} from './state.js'
import { actorIn, type Caller, type Take } from './steps.js'
import { banned, notModerator, roomField } from './update.js'

export interface Departures {
  remove(room: string, id: string, caller: Caller, banMs?: number): Promise<void>
  close(room: string, caller: Caller): Promise<void>
  /** A lease in a room's document is over. */
  overdue(name: string, member: string): Promise<void>
}

interface Leaving {
  readonly who: readonly Participant[]
  readonly reason: LeaveReason
  readonly by?: string | undefined
  /** The room as it is to be. Default: as it is. */
  readonly room?: Room
  readonly overdue?: readonly string[]
}

export function createDepartures(take: Take, goodbyes: Goodbyes): Departures {
  /** Takes out whom `choose` names, and says goodbye. */
  async function takeOut(
    name: string,
    choose: (state: RoomState, moment: Moment) => Leaving | undefined,
  ): Promise<void> {
    const gone = await take<readonly string[]>(name, (state, moment) => {
      const chosen = choose(state, moment)
      if (chosen === undefined) return { end: [] }
      const { who, overdue } = chosen
      const plan = planOf(name, state, chosen, moment)
      return {
        change: { ...plan, frees: true, ...(overdue && { overdue }) },
        answer: ({ kind }) => (kind === 'changed' ? who.map((it) => it.incarnation) : []),
      }
    })
    await goodbyes.sayAll(name, gone)
  }

  async function timeOut(name: string, incarnation: string): Promise<void> {
    let known = true
    await takeOut(name, (state) => {
      const who = byIncarnation(state, incarnation)
      known = who !== undefined
      return who && { who: [who], reason: 'timeout', overdue: [incarnation] }
    })
    if (known) return
    await take<void>(name, () => ({
      change: { leases: [{ member: incarnation, ms: 0 }], overdue: [incarnation] },
      answer: () => {},
    }))
  }

  /** A room that is remembered for its rules alone is forgotten in the end. */
  function forget(name: string): Promise<void> {
    return take<void>(name, (state) => {
      const plan: Plan =
        state.participants.size > 0
          ? { leases: [{ member: KEEPER, ms: KEEP_MS }] }
          : { set: { [ROOM_FIELD]: null }, leases: [{ member: KEEPER, ms: 0 }] }
      return { change: { ...plan, overdue: [KEEPER], frees: true }, answer: () => {} }
    })
  }

  return {
    remove: (name, id, caller, banMs) =>
      takeOut(name, (state, { now }) => {
        const { self, moderator, by } = actorIn(state, caller)
        const target = state.participants.get(id)
        const own = target !== undefined && self?.incarnation === target.incarnation
        // Gone already: whoever asks again because an answer got lost is answered as before.
        if (target === undefined && (moderator || banMs === undefined)) return undefined
        if (target === undefined || !(moderator || (own && banMs === undefined))) {
          throw notModerator()
        }
        if (banMs === undefined) {
          return own ? { who: [target], reason: 'left' } : { who: [target], reason: 'kicked', by }
        }
        const room = banned(state.room!, target, now + banMs, now)
        return { who: [target], reason: 'kicked', by, room }
      }),
    close: (name, caller) =>
      takeOut(name, (state) => {
        const { moderator, by } = actorIn(state, caller)
        if (!moderator) throw notModerator()
        if (state.room === undefined) return undefined
        return { who: [...state.participants.values()], reason: 'closed', by }
      }),
    async overdue(name, member) {
      const room = roomOf(name)
      const farewell = saidBy(member)
      if (farewell !== undefined) await goodbyes.say(room, farewell)
      else if (member === KEEPER) await forget(room)
      else await timeOut(room, member)
    },
  }
}

function planOf(name: string, state: RoomState, leaving: Leaving, moment: Moment): Plan {
  const { who, reason, by, room } = leaving
  if (room === undefined) return leave(name, state, who, reason, moment, by)
  const plan = leave(name, { ...state, room }, who, reason, moment, by)
  return {
    ...plan,
    set: { ...plan.set, ...roomField(room) },
    leases: [...plan.leases, { member: KEEPER, ms: KEEP_MS }],
  }
}
