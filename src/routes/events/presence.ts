/** What presence adds to an opening: who is present by it, and of whom it is told. */

import type { Reach } from '../../hub/origin.js'
import type { PollAnswer } from '../../hub/poll.js'
import type { Going, Presence, Visit } from '../../presence/presence.js'
import type { State } from '../../presence/state.js'
import type { Position } from '../../wire/position.js'
import { presenceOf, presentOn } from '../../wire/presence.js'
import type { RouteContext } from '../context.js'
import type { Reading } from './admission.js'
import type { Subscription } from './request.js'

export interface Attendance {
  /** Those of the reading, and `presence:C` of those whose presence it is told of. */
  readonly channels: readonly string[]
  /** Where `presence:C` begins; elsewhere goes on by the cursor. */
  readonly starts: ReadonlyMap<string, Position>
  /** To be told first. */
  readonly states: readonly State[]
  /** How far back may be read. */
  readonly reach: Reach | undefined
  leave(going: Going): void
}

/** How somebody attends. */
export interface Manner {
  readonly connection: string
  /** It is present, rather than just told. */
  readonly counts: boolean
  /** Somebody may come back as this connection. */
  readonly returns: boolean
  /** It is told who is present now, rather than what has changed since its cursor. */
  readonly told: boolean
}

const NOTHING = { starts: new Map<string, Position>(), states: [], leave() {} }

/** Rejects where the store can't be asked. */
export async function attend(
  context: Pick<RouteContext, 'presence' | 'hasPresence'>,
  { format, presence: data }: Pick<Subscription, 'format' | 'presence'>,
  reading: Reading,
  { connection, counts, returns, told }: Manner,
): Promise<Attendance> {
  const { identity, channels, reach, does = 'subscribe' } = reading
  const { subject, info, rights } = identity
  const own = channels.filter((it) => context.hasPresence(it) && rights.may('presence', it))
  // A backend reads for others, and is nobody who is present.
  const present = counts && identity.kind !== 'key' && does === 'subscribe' ? own : []
  const named = channels.flatMap((it) => presentOn(it) ?? [])
  // Raw data has one channel, and no words about others.
  const heard =
    format === 'raw' ? [] : [...new Set([...named, ...(identity.kind === 'key' ? [] : own)])]
  const visit: Visit = {
    ...{ connection, returns, subject, info, data, present },
    watched: told ? heard : [],
  }
  if (present.length + heard.length === 0) return { ...NOTHING, channels, reach }
  const entered = await context.presence.enter(visit)
  return {
    channels: [...new Set([...channels, ...heard.map(presenceOf)])],
    starts: entered.starts,
    states: entered.states,
    // Its right is of another channel, and of what is.
    reach: reach && ((channel) => (presentOn(channel) === undefined ? reach(channel) : 0)),
    leave: (going) => entered.leave(going),
  }
}

/**
 * Whether a stream's connection is one that somebody comes back as, or as good as one: the subject of a
 * token is the same member by its next connection, which may well be this one's.
 */
export function returns({ session, identity }: Reading): boolean {
  return session !== undefined || identity.subject !== undefined
}

/** Who is present where a poll has missed how that changed. */
export function statesAfter(presence: Presence, { control }: PollAnswer): Promise<State[]> {
  const missed = control.flatMap((it) =>
    it.event === 'stream.gap' ? (presentOn(it.data.channel) ?? []) : [],
  )
  return Promise.all([...new Set(missed)].map((channel) => presence.look(channel)))
}

/** Tells a stream anew who is present, where it has missed how that changed. */
export function retell(
  presence: Presence,
  stream: { tell(key: string, block: () => string): void },
  channel: string,
): void {
  const on = presentOn(channel)
  if (on === undefined) return
  presence.look(on).then(
    (state) => stream.tell(`presence.state ${on}`, () => state.block),
    // Nobody knows now: its next opening asks.
    () => {},
  )
}
