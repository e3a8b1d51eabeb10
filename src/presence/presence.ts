/**
 * Presence: who is on which channel. A connection is present on a channel by reading it; whoever may see
 * that hears of it on the channel `presence:C`, which is like any other.
 *
 *     opening ─▶ enter ─▶ state, and where the diffs after it begin ─▶ stream
 *                  │
 *                  └ held by the keeper, until the stream is over; then its grace runs
 *
 * Whoever is gone for longer than that is found overdue by some gateway, and leaves once.
 */
import type { Documents } from '../documents/documents.js'
import type { Draft } from '../log/log.js'
import type { Logger } from '../logger.js'
import type { Keeper } from '../members/keeper.js'
import type { Position } from '../wire/position.js'
import { OCCUPANCY, presenceOf, presentOn } from '../wire/presence.js'
import { type Acted, Board } from './board.js'
import { AGAIN_MS, IDLE_MS } from './limits.js'
import type { Happening } from './plan.js'
import { UNTOLD } from './roster.js'
import type { State } from './state.js'

export interface PresenceOptions {
  readonly documents: Documents
  readonly keeper: Keeper
  /** For what is told in another partition than it happens. */
  readonly publish: (drafts: readonly Draft[]) => Promise<unknown>
  readonly partitionOf: (channel: string) => number
  /** Connections that count on one channel. */
  readonly maxConnections: number
  readonly logger: Logger
  /** ms since the epoch. Default: the machine's clock. */
  readonly now?: (() => number) | undefined
}

/** Somebody who opens a stream, or asks by a poll. */
export interface Visit {
  /** Public id of the session; of the stream where it has none. */
  readonly connection: string
  /** Whether somebody may come back as this connection. */
  readonly returns: boolean
  readonly subject: string | undefined
  /** What the token says of it; JSON text, as is the other. */
  readonly info: string | undefined
  readonly data: string | undefined
  /** Channels on which it is present. */
  readonly present: readonly string[]
  /** Channels whose presence it is told of, those among them. */
  readonly watched: readonly string[]
}

/** How somebody goes: to come back perhaps, or for good. */
export type Going = 'away' | 'for good'

export interface Entered {
  /** True at the positions in `starts`. */
  readonly states: readonly State[]
  /** The channels `presence:C`, and where each begins. */
  readonly starts: ReadonlyMap<string, Position>
  /** It is over, on one of its channels or, without a name, on all that are left. */
  leave(going: Going, channel?: string): void
}

export interface Presence {
  /** Rejects where the store can't be asked; it is nowhere present then. */
  enter(visit: Visit): Promise<Entered>
  /** Who is present now. Those who ask at once are answered by one reading. */
  look(channel: string): Promise<State>
  /** What a connection says about itself from now on, in JSON; undefined: nothing. False: it isn't present there. */
  update(channel: string, connection: string, data: string | undefined): Promise<boolean>
  /** A connection that isn't here any more won't come back to a channel: its grace is over. */
  forgo(channel: string, connection: string): Promise<void>
  start(): void
  /** Nobody is asked any more. Whoever is still here goes by the end of its lease. */
  stop(): void
}

/** A connection that is present by streams of this gateway. */
interface Held {
  /** To enter again, where its lease was lost. */
  happening: Extract<Happening, { kind: 'enter' }>
  /** Streams and polls that hold it. */
  count: number
  /** Tells the keeper that it has gone. */
  release: () => void
}

export function createPresence(options: PresenceOptions): Presence {
  const { documents, keeper, publish, partitionOf, maxConnections, logger } = options
  const now = options.now ?? Date.now
  const boards = new Map<string, Board>()
  /** By document and connection. */
  const held = new Map<string, Held>()
  let timer: NodeJS.Timeout | undefined

  function boardOf(channel: string): Board {
    let board = boards.get(channel)
    if (board === undefined) {
      const tellsAtOnce = partitionOf(channel) === partitionOf(OCCUPANCY)
      board = new Board({
        ...{ channel, documents, publish, tellsAtOnce },
        terms: () => ({ channel, now: now(), leaseMs: keeper.liveMs, maxConnections }),
      })
      boards.set(channel, board)
    }
    board.usedAt = now()
    return board
  }

  const keyOf = (channel: string, connection: string) => `${connection} ${channel}`

  /** Is present on a channel until it is left; undefined: it isn't counted there. */
  async function beThere(
    channel: string,
    { connection, subject = connection, info, data }: Visit,
  ): Promise<Acted> {
    const happening = { kind: 'enter', connection, id: subject, info, data } as const
    const acted = await boardOf(channel).act(happening)
    if (acted.outcome === 'present') hold(channel, happening)
    return acted
  }

  function hold(channel: string, happening: Held['happening']): void {
    const { connection } = happening
    const key = keyOf(channel, connection)
    const known = held.get(key)
    if (known === undefined) {
      const release = keeper.hold(presenceOf(channel), connection)
      held.set(key, { happening, count: 1, release })
    } else {
      known.count++
      known.happening = happening
    }
  }

  function letGo(channel: string, connection: string, going: Going): void {
    const key = keyOf(channel, connection)
    const known = held.get(key)
    if (known === undefined) return
    known.count--
    if (known.count > 0) return
    held.delete(key)
    known.release()
    if (going === 'away') return
    // Where it can't be told now, it goes by the end of its grace.
    boardOf(channel)
      .act({ kind: 'leave', connection })
      .catch(() => {})
  }

  async function enter(visit: Visit): Promise<Entered> {
    const { connection, present, watched, returns } = visit
    const states = new Map<string, State>()
    const entered = new Set<string>()
    const leave = (going: Going, only?: string) => {
      const how = going === 'away' && !returns ? 'for good' : going
      for (const channel of only === undefined ? [...entered] : [only]) {
        if (entered.delete(channel)) letGo(channel, connection, how)
      }
    }
    const arrivals = present.map(async (channel) => {
      const { outcome, state } = await beThere(channel, visit)
      states.set(channel, state)
      if (outcome === 'present') entered.add(channel)
    })
    const looks = watched.map(async (channel) => {
      if (!present.includes(channel)) states.set(channel, await boardOf(channel).look())
    })
    const done = await Promise.allSettled([...arrivals, ...looks])
    const failed = done.find((it) => it.status === 'rejected')
    if (failed !== undefined) {
      // Perhaps it was here before, and comes back.
      leave('away')
      throw failed.reason
    }
    const told = watched.map((channel) => states.get(channel)!)
    const starts = new Map(told.map((state) => [presenceOf(state.channel), state.position]))
    return { states: told, starts, leave }
  }

  /** A lease is over: whoever had it leaves, or what is untold is told. */
  async function onOverdue(name: string, member: string): Promise<void> {
    const board = boardOf(presentOn(name)!)
    if (member === UNTOLD) await board.tell()
    else await board.act({ kind: 'overdue', connection: member })
  }

  /** Somebody who is here counts as gone: this gateway was out of reach for too long, or the store has lost it. */
  function onLost(name: string, connection: string): void {
    const channel = presentOn(name)!
    const key = keyOf(channel, connection)
    const known = held.get(key)
    if (known === undefined) return
    boardOf(channel)
      .act(known.happening)
      .then(({ outcome }) => {
        if (outcome !== 'present') return
        // It may have gone while this was asked.
        const release = keeper.hold(name, connection)
        if (held.get(key) === known) known.release = release
        else release()
      })
      .catch((error: unknown) => {
        logger.warn({ channel, err: error }, 'somebody who is here is not counted as present')
        if (timer !== undefined) setTimeout(onLost, AGAIN_MS, name, connection).unref()
      })
  }

  function sweep(): void {
    for (const [channel, board] of boards) {
      if (board.idle && now() - board.usedAt > IDLE_MS) boards.delete(channel)
    }
  }

  return {
    enter,
    look: (channel) => boardOf(channel).look(),
    async update(channel, connection, data) {
      const { outcome } = await boardOf(channel).act({ kind: 'update', connection, data })
      const known = held.get(keyOf(channel, connection))
      if (known !== undefined) known.happening = { ...known.happening, data }
      return outcome === 'present'
    },
    async forgo(channel, connection) {
      await boardOf(channel).act({ kind: 'leave', connection })
    },
    start() {
      keeper.own('presence:', { overdue: onOverdue, lost: onLost })
      timer = setInterval(sweep, IDLE_MS)
      timer.unref()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
    },
  }
}
