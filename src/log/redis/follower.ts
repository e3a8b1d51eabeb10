/**
 * The live side of a partition: what is subscribed, and the proof that nothing was missed.
 *
 * Who is followed is our own list, brought to the connection in batches, each awaited and followed by
 * a question for the heads: entries up to that head were before, later ones come as messages. All
 * questions go over the subscriber connection itself, so their answers are ordered after the messages.
 *
 * A channel is *settled* once this connection's subscription and its head are answered:
 *
 *     follow ─→ wanted ─→ subscribed ─→ settled ─→ entries, each with prev = the one before
 *                 ▲                        │
 *                 └──── connection lost ───┘
 */
import type { Redis } from 'ioredis'
import type { Position } from '../../wire/position.js'
import type { Entry, LogListener } from '../log.js'
import { readSnapshot, type Snapshot, sameEpoch } from './epochs.js'
import { callFunction, isRefusedForNow } from './functions.js'
import { HEADS_PAGE, SUBSCRIBE_BATCH, SUBSCRIBE_RETRY } from './limits.js'
import { type MessageSink, readMessage } from './records.js'

export interface FollowerOptions {
  readonly partition: number
  readonly base: string
  readonly listener: LogListener
  client(): Redis | undefined
  drop(client: Redis, why: string): void
  /** The connection is sound, but the partition can't be asked for now; undefined: it can. */
  refused(why: string | undefined): void
  /** A newer order was heard of. */
  heard(order: number): void
  /** The newest entry that a channel's followers had, when they may have lost touch with it. */
  delivered(channel: string, order: number, tag: number): void
  /** How the partition stands, as asked on this connection. */
  learn(snapshot: Snapshot): void
}

export interface Follower {
  follow(channel: string): Promise<void>
  unfollow(channel: string): void
  /** A connection that nothing is subscribed on yet, before it counts as usable. */
  prepare(client: Redis): Promise<void>
  /** It is usable. */
  up(): void
  /** It is gone. */
  down(): void
  /** Compares heads with what was handed over. Where there is no answer the connection is dropped. */
  check(): Promise<void>
  position(): Position
  /** Order up to which everything on settled channels has been handed over. */
  frontier(): number
  stop(error: Error): void
}

interface Followed {
  /** Order of the newest entry handed over or known to be before; undefined while not settled and nothing came. */
  last: number | undefined
  /** Position of the newest entry that was handed over; 0 while there is none. */
  order: number
  tag: number
  settled: boolean
  readonly promise: Promise<void>
  resolve(): void
  reject(error: Error): void
}

function followed(): Followed {
  let resolve!: () => void
  let reject!: (error: Error) => void
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  // Whoever follows may have gone when the log stops.
  promise.catch(() => {})
  return { last: undefined, order: 0, tag: 0, settled: false, promise, resolve, reject }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function createFollower(options: FollowerOptions): Follower {
  const { partition, base, listener } = options
  const prefix = `${base}:e:`
  const wanted = new Map<string, Followed>()
  /** What the connection was told to deliver. */
  const subscribed = new Set<string>()
  /** Channels for which the two may differ. */
  const changed = new Set<string>()
  let scheduled = false
  let checking: Promise<void> | undefined
  let verified: Position = { order: 0, tag: 0 }
  let lineage: Snapshot | undefined
  let frontier = 0
  /** The newest hole of the whole partition that was told. */
  let wide = 0
  /** The store is another one than before the connection was lost. */
  let replaced = false

  /** Messages and answers come over one connection, in the order of the partition. */
  const reached = (order: number) => {
    if (order > frontier) frontier = order
  }

  const sink: MessageSink = {
    entry(entry: Entry) {
      // A cluster's bus brings to the subscribers of a master what its replaced predecessor publishes
      // when it wakes up. Of a new epoch of this process, too, the store itself is asked first.
      if (entry.tag !== lineage?.tag) {
        void check()
        return
      }
      reached(entry.order)
      const state = wanted.get(entry.channel)
      if (state === undefined) return
      const { last } = state
      if (last !== undefined) {
        if (entry.order <= last) return
        if (entry.prev !== last) missed(entry.channel, last)
      }
      state.last = entry.order
      state.order = entry.order
      state.tag = entry.tag
      options.heard(entry.order)
      listener.entry(entry)
    },
    ephemeral(event) {
      if (wanted.has(event.channel)) listener.ephemeral(event)
    },
    deleted(channel, upTo, tag) {
      if (tag !== lineage?.tag) void check()
      else if (wanted.has(channel)) listener.deleted(channel, upTo)
    },
    hole(channel, order) {
      reached(order)
      options.heard(order)
      const state = wanted.get(channel)
      if (state?.last === undefined || order <= state.last) return
      missed(channel, state.last)
      state.last = order
    },
    wideHole(order) {
      reached(order)
      options.heard(order)
      tellWide(order)
    },
  }

  /** What was verified since is known to be handed over, also where the channel was silent. */
  function missed(channel: string, last: number): void {
    listener.hole(channel, Math.max(last, wanted.get(channel)?.settled ? verified.order : 0))
  }

  /** Every channel has a hole there: its streams read on from before it, and the read tells. */
  function tellWide(order: number): void {
    if (order <= wide) return
    wide = order
    for (const [channel, { last, settled }] of wanted) {
      if (last === undefined) continue
      const seen = Math.max(last, settled ? verified.order : 0)
      // Later than the hole where the message about it was lost.
      listener.hole(channel, Math.min(seen, order - 1))
    }
  }

  function onMessage(name: string, message: string): void {
    readMessage(name.slice(prefix.length), message, sink)
  }

  function schedule(): void {
    if (scheduled || changed.size === 0) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      const client = options.client()
      // Without a connection the list waits: the next one begins with all that is wanted.
      if (client === undefined) return
      reconcile(client)
      schedule()
    })
  }

  /** One batch a turn, so that a node that resumes thousands of channels still hears messages between. */
  function reconcile(client: Redis): void {
    const join: string[] = []
    const leave: string[] = []
    for (const channel of changed) {
      if (join.length + leave.length >= SUBSCRIBE_BATCH) break
      changed.delete(channel)
      const state = wanted.get(channel)
      if (state === undefined) {
        if (subscribed.delete(channel)) leave.push(channel)
      } else if (!state.settled) {
        // Also where it is subscribed still: the state is a new one and needs its head.
        subscribed.add(channel)
        join.push(channel)
      }
    }
    const lost = (error: unknown) => options.drop(client, messageOf(error))
    if (leave.length > 0) client.sunsubscribe(...leave.map((each) => prefix + each)).catch(lost)
    if (join.length === 0) return
    settle(client, join).catch((error: unknown) => {
      if (!isRefusedForNow(error)) return lost(error)
      // Those who are settled lose nothing meanwhile, for nothing is written either.
      options.refused(messageOf(error))
      for (const channel of join) changed.add(channel)
      setTimeout(schedule, SUBSCRIBE_RETRY).unref()
    })
  }

  async function settle(client: Redis, channels: readonly string[]): Promise<void> {
    const states = channels.map((channel) => wanted.get(channel))
    // Sent together: one round trip, and executed in this order.
    const [, reply] = await Promise.all([
      client.ssubscribe(...channels.map((each) => prefix + each)),
      callFunction(client, 'heads', base, channels),
    ])
    if (client !== options.client()) return
    const [standing, heads] = reply as [string[], string[]]
    reached(readSnapshot(standing).last)
    channels.forEach((channel, i) => {
      const state = states[i]
      if (state === undefined || state !== wanted.get(channel)) return
      state.last = Math.max(state.last ?? 0, Number(heads[i]))
      state.settled = true
      state.resolve()
    })
  }

  async function compare(client: Redis): Promise<void> {
    let from = verified.order
    let first: Snapshot | undefined
    for (;;) {
      const reply = await callFunction(client, 'moved', base, [from.toFixed(0), HEADS_PAGE])
      if (client !== options.client()) return
      const [standing, heads] = reply as [string[], string[]]
      const snapshot = readSnapshot(standing)
      first ??= snapshot
      if (broken(snapshot)) {
        options.drop(client, 'the store lost what it had given out')
        return
      }
      for (let i = 0; i < heads.length; i += 2) {
        const channel = heads[i]!
        const head = Number(heads[i + 1])
        from = head
        const state = wanted.get(channel)
        if (state?.last === undefined || !state.settled || head <= state.last) continue
        missed(channel, state.last)
        state.last = head
      }
      if (heads.length < 2 * HEADS_PAGE) break
    }
    tellWide(first.hole)
    accept(first)
    listener.verified(partition, verified)
  }

  /**
   * Another store than the one that messages came from: wiped, a copy that lacks the newest part, or a
   * process that was a copy meanwhile.
   */
  function broken(snapshot: Snapshot): boolean {
    return (
      lineage !== undefined &&
      (!sameEpoch(snapshot, lineage) || snapshot.last < Math.max(verified.order, lineage.last))
    )
  }

  function accept(snapshot: Snapshot): void {
    lineage = snapshot
    verified = { order: snapshot.last, tag: snapshot.tag }
    reached(snapshot.last)
    options.heard(snapshot.last)
    options.learn(snapshot)
  }

  function check(): Promise<void> {
    const client = options.client()
    if (client === undefined) return Promise.resolve()
    checking ??= compare(client)
      .then(
        () => {
          if (client === options.client()) options.refused(undefined)
        },
        (error: unknown) => {
          if (isRefusedForNow(error)) options.refused(messageOf(error))
          else options.drop(client, messageOf(error))
        },
      )
      .finally(() => {
        checking = undefined
      })
    return checking
  }

  return {
    follow(channel) {
      let state = wanted.get(channel)
      if (state === undefined) {
        state = followed()
        wanted.set(channel, state)
        changed.add(channel)
        schedule()
      }
      return state.promise
    },
    unfollow(channel) {
      const state = wanted.get(channel)
      if (state === undefined) return
      wanted.delete(channel)
      if (state.order > 0) options.delivered(channel, state.order, state.tag)
      state.resolve()
      changed.add(channel)
      schedule()
    },
    async prepare(client) {
      client.on('smessage', onMessage)
      // The slot has moved: the node says so once, and nothing more will come from it.
      client.on('moved', () => options.drop(client, 'the partition has moved to another node'))
      // The name of no channel: what concerns all of them.
      const [, reply] = await Promise.all([
        client.ssubscribe(prefix),
        callFunction(client, 'heads', base, []),
      ])
      const [standing] = reply as [string[]]
      const snapshot = readSnapshot(standing)
      // Where the store is as we knew it, what was verified stays; else all begins with what it has.
      replaced = broken(snapshot)
      if (lineage === undefined || replaced) {
        frontier = snapshot.last
        accept(snapshot)
      }
      // Every stream reads from its position now, and is told by that.
      wide = snapshot.hole
    },
    up() {
      // Whoever has come since the connection was lost was judged by who knows which store.
      if (replaced) listener.interrupted(partition)
      replaced = false
      for (const channel of wanted.keys()) changed.add(channel)
      schedule()
    },
    down() {
      subscribed.clear()
      for (const [channel, state] of wanted) {
        if (state.order > 0) options.delivered(channel, state.order, state.tag)
        if (state.settled) wanted.set(channel, followed())
        else state.last = undefined
      }
      checking = undefined
      listener.interrupted(partition)
    },
    check,
    position: () => verified,
    frontier: () => frontier,
    stop(error) {
      for (const state of wanted.values()) state.reject(error)
      wanted.clear()
      changed.clear()
    },
  }
}
