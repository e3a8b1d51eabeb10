/** Steps over a room's document, and who takes them. */
import type { Applied, Document } from '../documents/documents.js'
import type { Outcome, Step, Transactions } from '../documents/transact.js'
import type { Keeper } from '../members/keeper.js'
import { SluiceError } from '../wire/errors.js'
import type { Moment } from './leave.js'
import { HALF_OPEN_MS, LATE_MS } from './limits.js'
import { roomChannel } from './names.js'
import { bySession, type Participant, type RoomState, readState } from './state.js'
import type { Actor } from './update.js'

export interface StepsOptions {
  readonly documents: Transactions
  /** How long somebody without a connection is still in; how long one that had one may not have been heard of. */
  readonly keeper: Pick<Keeper, 'graceMs' | 'liveMs'>
  /** ms since the epoch. */
  readonly now: () => number
}

/** Takes a step of a room, as `Transactions.transact` does. */
export type Take = <T>(
  room: string,
  step: (state: RoomState, moment: Moment) => Step<T>,
) => Promise<T>

export function createSteps({ documents, keeper, now }: StepsOptions): Take {
  const started = now()
  const { graceMs, liveMs } = keeper
  const unsureFor = HALF_OPEN_MS + liveMs + LATE_MS

  function momentOf({ away, position }: Document): Moment {
    const at = now()
    // A gateway that has only just come doesn't know for how long nobody has looked for leases that are over.
    const unsureMs = at - started < unsureFor ? Number.POSITIVE_INFINITY : unsureFor
    return { now: at, away, position, graceMs, unsureMs }
  }

  return (room, step) =>
    documents.transact(roomChannel(room), (document) =>
      step(readState(document), momentOf(document)),
    )
}

/** Who calls. */
export interface Caller {
  /** Public id of the session that came with the request. */
  readonly session: string | undefined
  readonly subject: string | undefined
  /** Whose the session would be, as `ownerIn` says it. */
  readonly owner: string | undefined
  /** By right. */
  readonly moderator: boolean
}

/** The participant that a session is. Throws where it came with another login: a secret alone is not enough. */
export function selfIn(
  state: RoomState,
  { session, owner }: Pick<Caller, 'session' | 'owner'>,
): Participant | undefined {
  const self = session === undefined ? undefined : bySession(state, session)
  if (self !== undefined && self.owner !== owner) throw new SluiceError('session_foreign')
  return self
}

export function actorIn(state: RoomState, caller: Caller): Actor {
  const { subject, moderator } = caller
  const self = selfIn(state, caller)
  const named = subject !== undefined && state.room?.moderators.includes(subject) === true
  return {
    self,
    moderator: moderator || named || self?.role === 'moderator',
    by: self?.id ?? subject,
  }
}

/** For a change that neither a lease nor a number can refuse. */
export function applied(outcome: Outcome): Applied {
  if (outcome.kind === 'changed') return outcome
  throw new SluiceError('internal')
}
