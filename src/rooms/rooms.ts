/**
 * Rooms, as routes know them. Whatever is done is a step over the room's document, by a plain function
 * (`join.ts`, `leave.ts`, `update.ts`, `signals.ts`), and what happens is said on its channels in the same
 * moment.
 *
 *     join ──▶ in, with a lease ──▶ leave, kick, close, another session, lease over ──▶ out ──▶ goodbye
 *                  │ signals, changes
 *                  ▼
 *     room:{room}, and the inbox of whoever is meant
 */
import type { Documents } from '../documents/documents.js'
import type { Transactions } from '../documents/transact.js'
import type { Log } from '../log/log.js'
import type { Logger } from '../logger.js'
import type { Keeper } from '../members/keeper.js'
import type { Sessions } from '../sessions/sessions.js'
import { SluiceError } from '../wire/errors.js'
import { createDepartures, type Departures } from './departures.js'
import { createEntrances, type Joined, type Wish } from './entrances.js'
import { createGoodbyes } from './goodbyes.js'
import { roomChannel } from './names.js'
import { createOccupants, type Occupants, type RoomGround } from './occupants.js'
import { resultsOf, route, type Signal, type SignalResult } from './signals.js'
import { type Participant, type Room, readState, type Snapshot } from './state.js'
import { actorIn, applied, type Caller, createSteps, type StepsOptions, selfIn } from './steps.js'
import {
  notModerator,
  type ParticipantPatch,
  type RoomPatch,
  updateParticipant,
  updateRoom,
} from './update.js'

export type { Joined, Wish } from './entrances.js'
export type { Caller } from './steps.js'

export interface RoomsOptions extends StepsOptions {
  readonly documents: Pick<Documents, 'read'> & Transactions
  readonly log: Pick<Log, 'read' | 'seek' | 'partitionOf'>
  readonly sessions: Sessions
  readonly keeper: Pick<Keeper, 'hold' | 'liveMs' | 'graceMs'>
  readonly logger: Logger
}

export interface Rooms extends Departures, Occupants {
  join(room: string, wish: Wish): Promise<Joined>
  /** Leaves, or is made to; nothing where nobody has the id. `banMs`: kept out for so long. */
  remove(room: string, id: string, caller: Caller, banMs?: number): Promise<void>
  update(room: string, id: string, caller: Caller, patch: ParticipantPatch): Promise<Participant>
  configure(room: string, caller: Caller, patch: RoomPatch): Promise<Room>
  /** Everybody out. */
  close(room: string, caller: Caller): Promise<void>
  signal(room: string, caller: Caller, signals: readonly Signal[]): Promise<SignalResult[]>
  /** Undefined where there is no such room. */
  read(room: string): Promise<Snapshot | undefined>
  /** Whether somebody takes part still, as the same incarnation. */
  stillIn(ground: RoomGround): Promise<boolean>
}

export function createRooms(options: RoomsOptions): Rooms {
  const { documents, log, sessions, keeper, logger } = options
  const take = createSteps(options)
  const goodbyes = createGoodbyes({ take, log, sessions, logger })
  return {
    ...createDepartures(take, goodbyes),
    ...createOccupants({ keeper, take, logger }),
    join: createEntrances({ take, goodbyes, sessions, log }),
    update: (name, id, caller, patch) =>
      take(name, (state) => {
        const who = state.participants.get(id)
        if (who === undefined) throw new SluiceError('participant_unknown')
        const { value, plan } = updateParticipant(name, who, patch, actorIn(state, caller))
        return plan === undefined ? { end: value } : { change: plan, answer: () => value }
      }),
    configure: (name, caller, patch) =>
      take(name, (state, { now }) => {
        if (!actorIn(state, caller).moderator) throw notModerator()
        const { value, plan } = updateRoom(name, state, patch, now)
        return plan === undefined ? { end: value } : { change: plan, answer: () => value }
      }),
    signal: (name, caller, signals) =>
      take(name, (state) => {
        const from = selfIn(state, caller)
        if (from === undefined) throw new SluiceError('participant_unknown')
        const routed = route(name, state, from, signals)
        return {
          change: routed.plan,
          answer(outcome) {
            if (outcome.kind === 'sequence') {
              const extensions = { expected: outcome.last + 1 }
              throw new SluiceError('signal_out_of_order', { extensions })
            }
            return resultsOf(signals, routed, applied(outcome))
          },
        }
      }),
    async read(name) {
      const document = await documents.read(roomChannel(name))
      const { away, position } = document
      const state = readState(document)
      const { room } = state
      return room && { name, ...state, room, away, position }
    },
    stillIn: ({ room, participant, incarnation }) =>
      take(room, (state) => ({
        end: state.participants.get(participant)?.incarnation === incarnation,
      })),
  }
}
