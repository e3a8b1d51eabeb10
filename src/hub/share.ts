/**
 * A stream's share of one partition: its channels there, its position, its phase. Knows how to catch
 * up; what to do in which phase says `subscription.ts`.
 */

import type { GapReason } from '../wire/control.js'
import type { Position } from '../wire/position.js'
import { presentOn } from '../wire/presence.js'
import type { Batch, Feed } from './feed.js'
import type { Origin } from './origin.js'
import type { Reader } from './reader.js'
import { harvest } from './replay.js'
import type { Stream } from './stream.js'
import { type Happening, type Phase, transition } from './subscription.js'

/** Bytes taken from pages at once, over all channels of the share. */
const HARVEST_BYTES = 256 * 1024

/** A gap that is to be told before anything else is. */
interface PendingGap {
  readonly feed: Feed
  readonly reason: GapReason
  /** Where the channel had been read to. */
  readonly after: Position
  readonly floor: Position
}

/** Most streams never have one: they share this. */
const NO_GAPS: readonly PendingGap[] = []

export class Share {
  readonly stream: Stream
  readonly partition: number
  feeds: readonly Feed[]
  /** Where it stands: everything up to here, on all its channels, has been written. */
  order: number
  tag: number
  phase: Phase = 'replaying'
  /** The turn in which a batch was last put to it, and the one in which a second was. */
  turn = 0
  crowdedTurn = 0

  /** Channels that are to be read from elsewhere than the position: later (a rewind), or earlier (a hole). */
  #elsewhere: Map<Feed, number> | undefined
  #gaps: readonly PendingGap[] = NO_GAPS
  /** Channels whose end was told. */
  #ended: Set<Feed> | undefined
  #fetching: Promise<void> | undefined
  /** Counts the times that the store may have become another one; what was judged, of those. */
  #doubts = 0
  #judged = 0
  #judging: Promise<void> | undefined
  /** Its position can't be followed: told before anything else. */
  #lost: Origin | undefined
  /** Channels whose past isn't this reader's: nothing up to there leaves, whatever is read again. */
  #floors: Map<Feed, number> | undefined

  constructor(stream: Stream, origin: Origin, feeds: readonly Feed[]) {
    this.stream = stream
    this.partition = origin.partition
    this.feeds = feeds
    this.order = origin.position.order
    this.tag = origin.position.tag
    this.#begin(origin, feeds)
  }

  /** Channels begin, at their places in the origin. */
  #begin(origin: Origin, feeds: readonly Feed[]): void {
    for (const [i, feed] of feeds.entries()) {
      const start = Math.max(origin.position.order, origin.starts[i] ?? 0)
      if (start !== this.order) this.#readFrom(feed, start)
      feed.subscriptions.add(this)
    }
    this.#restrict(origin, feeds)
  }

  #restrict({ floors, withheld = [] }: Origin, feeds: readonly Feed[]): void {
    if (floors !== undefined) {
      this.#floors ??= new Map()
      for (const [i, feed] of feeds.entries()) this.#floors.set(feed, floors[i]!)
    }
    for (const { channel, after, floor } of withheld) {
      const feed = this.feeds.find((it) => it.channel.name === channel)!
      this.#gaps = [...this.#gaps, { feed, reason: 'withheld', after, floor }]
    }
  }

  get position(): Position {
    return { order: this.order, tag: this.tag }
  }

  happen(happening: Happening): void {
    this.phase = transition(this.phase, happening)
  }

  close(): void {
    this.happen('close')
    for (const feed of this.feeds) feed.subscriptions.delete(this)
  }

  get #closed(): boolean {
    return this.phase === 'closed'
  }

  /** Takes channels in while it lives. */
  join(origin: Origin, feeds: readonly Feed[]): void {
    if (this.#closed) return
    this.feeds = [...this.feeds, ...feeds]
    this.#begin(origin, feeds)
    this.stream.tellOriginGap(origin)
    this.fallBehind(undefined, undefined)
  }

  /** Lets a channel go. */
  leave(feed: Feed): void {
    this.feeds = this.feeds.filter((it) => it !== feed)
    feed.subscriptions.delete(this)
    this.#gaps = this.#gaps.filter((gap) => gap.feed !== feed)
    for (const places of [this.#elsewhere, this.#floors, this.#ended]) places?.delete(feed)
  }

  /** Order after which a channel is wanted next. */
  at(feed: Feed): number {
    const order = this.#elsewhere?.get(feed) ?? this.order
    return this.#floors === undefined ? order : Math.max(order, this.#floors.get(feed) ?? 0)
  }

  /** Asks the log for what pages don't hold, once. Rejects where it doesn't answer. */
  prepare(reader: Reader): Promise<void> {
    const { missing } = harvest(this, 0)
    return missing.length === 0 ? Promise.resolve() : this.#fetch(reader, missing)
  }

  /** Whether a gap is known and not yet told. */
  get hasGap(): boolean {
    return this.#gaps.length > 0 || this.#lost !== undefined
  }

  /** Whether every channel is closed and read to its end. */
  get exhausted(): boolean {
    return this.#every((feed) => feed.ended !== undefined && this.at(feed) >= this.#last(feed))
  }

  /** Of all channels; with one that has ended it is over who is present there. */
  #every(holds: (feed: Feed) => boolean): boolean {
    return this.feeds.every((feed) => {
      const on = presentOn(feed.channel.name)
      const own = on && this.feeds.find(({ channel }) => channel.name === on)
      return holds(own || feed)
    })
  }

  /**
   * Order after which nothing more is said of a channel that has ended. In raw data no event tells the
   * end, only an `id:` line does, and there are clients that keep no id but that of an event (`eventsource`
   * 4 is one): they would come back from the last event for ever.
   */
  #last({ ended }: Feed): number {
    const { order = 0, prev = 0 } = ended ?? {}
    return (this.stream.format === 'raw' && prev) || order
  }

  /** A batch of one channel, for a share that is live. */
  deliver(feed: Feed, batch: Batch): void {
    if (batch.first !== 0) {
      if (batch.first <= this.order) {
        this.fallBehind(feed, undefined)
        return
      }
      this.order = batch.last
      this.tag = batch.tag
    }
    this.stream.writeBatch(this, batch)
    if (feed.ended !== undefined) this.#tellEnds()
  }

  /**
   * Reads again from the position (or, on one channel, from after `seen`), at once where pages have
   * it. Also what happens where several channels have news in one turn: pages merge them in order.
   */
  fallBehind(feed: Feed | undefined, seen: number | undefined): void {
    if (this.phase === 'closed') return
    if (feed !== undefined && seen !== undefined && seen < this.at(feed)) this.#readFrom(feed, seen)
    this.happen('behind')
    this.stream.pump(this)
  }

  /** The store may have become another one: the position is judged as that of somebody who comes back. */
  doubt(): void {
    if (this.#closed) return
    this.#doubts++
    this.fallBehind(undefined, undefined)
  }

  /** Forgets a channel's end: it was deleted and begins anew. */
  reopen(feed: Feed): void {
    this.#ended?.delete(feed)
  }

  /** Writes what there is until the socket is full or everything was written; asks the log where pages don't reach. */
  pump(reader: Reader): void {
    // One turn's worth: a fast reader of a long history must not keep the others waiting.
    for (let budget = 4; budget > 0; budget--) {
      if (this.phase !== 'replaying') return
      if (this.#judged !== this.#doubts) {
        this.#then(this.#judge(reader))
        return
      }
      this.#tellGaps()
      // A raw stream is cut at a gap.
      if (this.#closed) return
      const { missing, runs, reached } = harvest(this, HARVEST_BYTES)
      if (missing.length > 0) {
        this.#then(this.#fetch(reader, missing))
        return
      }
      for (const run of runs) {
        const written = run.page.orders[run.end - 1]!
        this.#advance(written, run.page.tag)
        this.stream.writeRun(this, run)
        this.stream.replayed(run.end - run.begin)
        if (this.stream.full) {
          this.#settleElsewhere(written)
          return
        }
      }
      if (reached === undefined) {
        this.#caughtUp()
        return
      }
      this.#advance(reached.order, reached.tag)
      this.#settleElsewhere(reached.order)
    }
    this.stream.pumpSoon(this)
  }

  /** Live and idle: everything up to the partition's verified position has been read. */
  keepUp(verified: Position): void {
    if (this.phase === 'live') this.#advance(verified.order, verified.tag)
  }

  #caughtUp(): void {
    this.#elsewhere = undefined
    this.happen('caught-up')
    this.keepUp(this.stream.verified(this.partition))
    this.stream.onLive()
    if (this.phase === 'live' && this.feeds.some((feed) => feed.ended)) this.#tellEnds()
  }

  /** Goes on once the log has answered. */
  #then(asked: Promise<void>): void {
    const again = () => this.stream.pump(this)
    // A log that can't be read is asked again by the hub's clock; a fault here is this stream's alone.
    asked.then(again, () => {}).catch(() => this.stream.destroy())
  }

  #judge(reader: Reader): Promise<void> {
    const doubts = this.#doubts
    this.#judging ??= reader
      .judge(this.feeds, this.position)
      .then((origin) => {
        // Another doubt came meanwhile: judged again.
        if (doubts !== this.#doubts) return
        this.#judged = doubts
        if (origin.gap === undefined) return
        this.#lost = origin
        this.order = origin.position.order
        this.tag = origin.position.tag
        this.#elsewhere = undefined
        this.#gaps = NO_GAPS
        // An end may be among what was lost.
        this.#ended = undefined
      })
      .finally(() => {
        this.#judging = undefined
      })
    return this.#judging
  }

  async #fetch(reader: Reader, missing: readonly Feed[]): Promise<void> {
    this.#fetching ??= this.#read(reader, missing).finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #read(reader: Reader, missing: readonly Feed[]): Promise<void> {
    const afters = missing.map((feed) => this.at(feed))
    const gaps = await reader.fetch(missing, afters)
    for (const [i, gap] of gaps.entries()) {
      if (gap === undefined) continue
      const feed = missing[i]!
      // It was let go while the log was asked.
      if (!this.feeds.includes(feed)) continue
      const own = afters[i] === this.order ? this.position : { order: afters[i]!, tag: this.tag }
      const after = gap.since ?? own
      this.#gaps = [...this.#gaps, { feed, reason: gap.reason, after, floor: gap.floor }]
      this.#readFrom(feed, gap.floor.order)
    }
  }

  /**
   * Before any event that moves the cursor past something that is missing: whoever has read such an
   * event has read of the gap as well. Rejected: telling it where it ends, in the order of positions;
   * a reader that was cut on the way there came back with a cursor that knew nothing of its beginning.
   */
  #tellGaps(): void {
    const lost = this.#lost
    this.#lost = undefined
    if (lost !== undefined) this.stream.tellOriginGap(lost)
    const gaps = this.#gaps
    this.#gaps = NO_GAPS
    for (const { feed, reason, after, floor } of gaps) {
      // On one channel nothing lies between: the cursor moves past the gap with it.
      if (this.feeds.length === 1) this.#advance(floor.order, floor.tag)
      this.stream.tellGap(feed, after, reason, floor)
    }
  }

  #tellEnds(): void {
    for (const feed of this.feeds) {
      if (feed.ended === undefined || this.#ended?.has(feed)) continue
      this.#ended ??= new Set()
      this.#ended.add(feed)
      this.#advance(feed.ended.order, feed.ended.tag)
      this.stream.tellEnd(feed, feed.ended)
    }
    if (this.finished) this.stream.onExhausted()
  }

  /** Whether the end of every channel was told. */
  get finished(): boolean {
    return this.#every((feed) => this.#ended?.has(feed) === true)
  }

  #readFrom(feed: Feed, order: number): void {
    this.#elsewhere ??= new Map()
    this.#elsewhere.set(feed, order)
  }

  #advance(order: number, tag: number): void {
    if (order <= this.order) return
    this.order = order
    this.tag = tag
  }

  /** Channels read from elsewhere have come as far as `reached`; those in step again need no place of their own. */
  #settleElsewhere(reached: number): void {
    if (this.#elsewhere === undefined) return
    for (const [feed, order] of this.#elsewhere) {
      const now = Math.max(order, reached)
      if (now === this.order) this.#elsewhere.delete(feed)
      else this.#elsewhere.set(feed, now)
    }
  }
}
