/** What presence adds to an opening: on which channels it is present, and of whom it is told. */
import { readingOf } from '../../auth/reading.js'
import type { Rights } from '../../auth/rights.js'
import type { Hub } from '../../hub/hub.js'
import type { Reach } from '../../hub/origin.js'
import type { PollAnswer } from '../../hub/poll.js'
import type { Stream } from '../../hub/stream.js'
import type { Logger } from '../../logger.js'
import type { Entered, Going, Presence } from '../../presence/presence.js'
import type { State } from '../../presence/state.js'
import type { Follower } from '../../sessions/attendance.js'
import type { Position } from '../../wire/position.js'
import { presenceOf, presentOn } from '../../wire/presence.js'
import type { RouteContext } from '../context.js'
import type { Reading } from './admission.js'
import type { Subscription } from './request.js'

export interface Appearance {
  /** Those of the reading, and `presence:C` of those whose presence it is told of. */
  readonly channels: readonly string[]
  /** Where `presence:C` begins; elsewhere goes on by the cursor. */
  readonly starts: ReadonlyMap<string, Position>
  /** To be told first. */
  readonly states: readonly State[]
  /** How far back may be read. */
  readonly reach: Reach | undefined
  /** Channels have come to its stream. Rejects where the store can't be asked. */
  joined(stream: Stream, channels: readonly string[]): Promise<void>
  /** Its token is a fresh one: where that doesn't grant it any more, it is neither present nor told. */
  renewed(stream: Stream, rights: Rights): void
  /** Channels have been taken off it, each for its reason: what tells of their presence goes for the same. */
  left(stream: Stream, channels: readonly string[], why: (channel: string) => string): void
  leave(going: Going): void
}

/** How somebody appears. */
export interface Manner {
  readonly connection: string
  /** It is present, rather than just told. */
  readonly counts: boolean
  /** Somebody may come back as this connection. */
  readonly returns: boolean
  /** It is told who is present now, rather than what has changed since its cursor. */
  readonly told: boolean
}

type Context = Pick<RouteContext, 'presence' | 'hasPresence'> & {
  readonly hub: Pick<Hub, 'join' | 'leave'>
}

/** Rejects where the store can't be asked. */
export async function appear(
  { presence, hasPresence, hub }: Context,
  { format, presence: data }: Pick<Subscription, 'format' | 'presence'>,
  reading: Reading,
  { connection, counts, returns, told }: Manner,
): Promise<Appearance> {
  const { identity, channels, reach, does = 'subscribe' } = reading
  const { subject, info, kind } = identity
  let { rights } = identity
  const entered: Entered[] = []
  /** Channels whose presence comes along with them … */
  const along = new Set<string>()
  /** … and those whose presence is read by its own name, which stays when they go. */
  const byName = new Set<string>()
  let gone: Going | undefined
  let turns = Promise.resolve()

  // A backend reads for others, and is nobody who is present; nor is who follows its own generation.
  const shows = kind !== 'key' && does === 'subscribe'
  const ownOf = (some: readonly string[]) =>
    shows ? some.filter((it) => hasPresence(it) && rights.may('presence', it)) : []

  async function enter(some: readonly string[]) {
    const own = ownOf(some)
    // Raw data is of one channel, and has no words about it.
    const named = some.flatMap((it) => presentOn(it) ?? [])
    for (const channel of named) byName.add(channel)
    const heard = format === 'raw' ? [] : [...new Set([...named, ...own])]
    if (format !== 'raw') for (const channel of own) along.add(channel)
    const present = counts ? own : []
    if (present.length + heard.length === 0) return { heard, ...NOTHING }
    const visit = {
      ...{ connection, returns, subject, info, data, present },
      watched: told ? heard : [],
    }
    const here = await presence.enter(visit)
    if (gone === undefined) entered.push(here)
    else here.leave(gone)
    return { heard, starts: here.starts, states: here.states }
  }

  /** One after another: who leaves while they still enter would be there afterwards. */
  function inTurn(run: () => Promise<void> | void): Promise<void> {
    const turn = turns.then(run)
    turns = turn.catch(() => {})
    return turn
  }

  function lose(stream: Stream, channel: string, reason: string): void {
    for (const here of entered) here.leave('for good', channel)
    const alone = along.delete(channel) && !byName.has(channel)
    if (alone) hub.leave(stream, [presenceOf(channel)], reason)
  }

  const { heard, starts, states } = await enter(channels)
  return {
    channels: heard.length === 0 ? channels : [...new Set([...channels, ...heard.map(presenceOf)])],
    ...{ starts, states },
    // Rights to the past are those of `subscribe`.
    reach: reach && ((channel) => (readingOf(channel).verb === 'presence' ? 0 : reach(channel))),
    joined: (stream, some) =>
      inTurn(async () => {
        const { starts, states } = await enter(some)
        for (const state of states) tellState(stream, state)
        if (starts.size > 0) await hub.join(stream, starts)
      }),
    left(stream, some, why) {
      void inTurn(() => {
        for (const channel of some) byName.delete(presentOn(channel) ?? '')
        for (const channel of some) lose(stream, channel, why(channel))
      })
    },
    renewed(stream, fresh) {
      rights = fresh
      void inTurn(() => {
        const lost = [...along].filter((channel) => !fresh.may('presence', channel))
        for (const channel of lost) {
          byName.delete(channel)
          lose(stream, channel, 'revoked')
        }
      })
    },
    leave(going) {
      gone = going
      for (const here of entered) here.leave(going)
    },
  }
}

const NOTHING: Pick<Appearance, 'starts' | 'states'> = { starts: new Map(), states: [] }

/**
 * Whether a stream's connection is one that somebody comes back as, or as good as one: the subject of a
 * token is the same member by its next connection.
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
export function retell(presence: Presence, stream: Stream, channel: string): void {
  const on = presentOn(channel)
  if (on === undefined) return
  presence.look(on).then(
    (state) => tellState(stream, state),
    // Nobody knows now: its next opening asks.
    () => {},
  )
}

/** Channels that come to a session's stream, and leave it, while it lives. */
export function followerOf(stream: Stream, appearance: Appearance, logger: Logger): Follower {
  return {
    joined(held) {
      appearance
        .joined(
          stream,
          held.map(({ channel }) => channel),
        )
        .catch((error: unknown) => {
          // Its next opening makes up for it.
          logger.warn({ err: error }, 'a stream is not present on a channel that it was given')
        })
    },
    left: (channels, why) => appearance.left(stream, channels, why),
  }
}

function tellState(stream: Stream, state: State): void {
  stream.tell(`presence.state ${state.channel}`, () => state.chunk)
}
