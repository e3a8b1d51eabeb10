/** Joining, and being given the room's channels. */
import { randomBytes } from 'node:crypto'
import type { Log } from '../log/log.js'
import type { Ground, Sessions } from '../sessions/sessions.js'
import { SluiceError } from '../wire/errors.js'
import type { Position } from '../wire/position.js'
import type { Goodbyes } from './goodbyes.js'
import { type JoinRequest, join } from './join.js'
import { inboxChannel, roomChannel } from './names.js'
import { type Participant, ROOM_FIELD, type Room, type RoomState } from './state.js'
import { applied, type Take } from './steps.js'

export interface Wish extends Omit<JoinRequest, 'incarnation'> {
  /** Of the session, as sessions know it. */
  readonly sessionOwner: string
}

export interface Joined {
  readonly participant: Participant
  readonly room: Room
  /** The others. */
  readonly participants: readonly Participant[]
  /** Incarnations of those whose connection is gone. */
  readonly away: ReadonlySet<string>
  /** A stream that goes on from here misses nothing of what isn't in the answer. */
  readonly position: Position
  /** Whether a stream of the session is open, and has the room's channels. */
  readonly live: boolean
  /** False: it took part already. */
  readonly fresh: boolean
}

/** Times that a join waits for the end of the same session's leaving. */
const PATIENCE = 5

type Entered =
  | { readonly leaving: string }
  | (Omit<Joined, 'live'> & { readonly replaced: string | undefined })

export interface EntrancesOptions {
  readonly take: Take
  readonly goodbyes: Goodbyes
  readonly sessions: Pick<Sessions, 'grant'>
  readonly log: Pick<Log, 'seek' | 'partitionOf'>
}

export function createEntrances({ take, goodbyes, sessions, log }: EntrancesOptions) {
  function enter(name: string, request: JoinRequest): Promise<Entered> {
    return take<Entered>(name, (state, moment) => {
      const joining = join(name, state, request, moment)
      if (joining.kind === 'leaving') return { end: { leaving: joining.incarnation } }
      const { participant } = joining
      const all = { participant, participants: othersIn(state, participant) }
      if (joining.kind === 'in') {
        const { away, position } = moment
        const room = state.room!
        return { end: { ...all, room, away, position, fresh: false, replaced: undefined } }
      }
      const { replaced, plan } = joining
      const room = state.room ?? (JSON.parse(plan.set![ROOM_FIELD]!) as Room)
      return {
        change: { ...plan, ask: all.participants.map((it) => it.incarnation) },
        answer(outcome) {
          const { away, position } = applied(outcome)
          return { ...all, room, away, position, fresh: true, replaced }
        },
      }
    })
  }

  /**
   * For whoever asks again because an answer got lost: a stream that begins at the end might miss what has
   * come to its inbox meanwhile.
   */
  async function beginningOf(
    room: string,
    { incarnation }: Participant,
    end: Position,
  ): Promise<Position> {
    const inbox = inboxChannel(room, incarnation)
    const { position } = await log.seek(log.partitionOf(inbox), [inbox], { from: 'earliest' })
    return position.order < end.order ? position : end
  }

  async function grant(
    room: string,
    { session, sessionOwner }: Wish,
    { id, incarnation }: Participant,
    at: Position,
  ): Promise<boolean> {
    const ground: Ground = { by: 'room', room, participant: id, incarnation }
    const channels = [roomChannel(room), inboxChannel(room, incarnation)]
    const granted = channels.map((channel) => ({ channel, at }))
    return (await sessions.grant(session, sessionOwner, granted, ground)).live
  }

  return async (room: string, wish: Wish): Promise<Joined> => {
    const incarnation = randomBytes(16).toString('base64url')
    for (let attempt = 0; attempt < PATIENCE; attempt++) {
      const entered = await enter(room, { ...wish, incarnation })
      if ('leaving' in entered) {
        await goodbyes.say(room, entered.leaving)
        continue
      }
      const { replaced, ...joined } = entered
      if (replaced !== undefined) await goodbyes.sayAll(room, [replaced])
      const { participant, fresh, position: end } = joined
      const position = fresh ? end : await beginningOf(room, participant, end)
      return { ...joined, position, live: await grant(room, wish, participant, position) }
    }
    throw new SluiceError('overloaded')
  }
}

function othersIn(state: RoomState, participant: Participant): Participant[] {
  return [...state.participants.values()].filter((it) => it.id !== participant.id)
}
