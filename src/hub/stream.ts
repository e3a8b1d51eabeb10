/** One client's stream: a sink, and a share in each partition that its channels live in. */
import type { ByeReason, ControlData, ControlName, GapReason } from '../wire/control.js'
import { endCursor, formatCursor } from '../wire/cursor.js'
import { formatPosition, type Position } from '../wire/position.js'
import { comment, type Format, idLine, namedBlock, retryLine } from '../wire/sse.js'
import type { Totals } from './activity.js'
import { chunk } from './chunk.js'
import type { Batch, End, Feed, Run } from './feed.js'
import { runBytes } from './feed.js'
import { LINGER_MS, RETRY_MS, SLOW_MS } from './limits.js'
import type { Origin } from './origin.js'
import { startOfFrame } from './pages.js'
import type { Reader } from './reader.js'
import { Share } from './share.js'
import type { Sink, SinkOwner } from './sink.js'
import type { Phase } from './subscription.js'

/** What a stream needs of the hub. */
export interface StreamHost {
  readonly reader: Reader
  readonly partitions: number
  /** Milliseconds between signs of life. */
  readonly heartbeatMs: number
  /** Milliseconds a stream may live; 0 = for ever. */
  readonly maxAgeMs: number
  /** Milliseconds since the epoch, as of this turn. */
  readonly now: number
  /** What is counted of all streams. */
  readonly totals: Totals
  random(): number
  verified(partition: number): Position
  /** Heartbeats of streams at one cursor are one Buffer. */
  heartbeat(cursor: string, format: Format): Buffer
  pumpSoon(share: Share): void
  forget(stream: Stream): void
}

/** Who reads, for whoever looks after the gateway. */
export interface Who {
  /** Public id. */
  readonly session: string
  readonly subject: string | undefined
  readonly address: string | undefined
}

export interface StreamOptions {
  readonly format: Format
  /** Public id: of the session, or of this stream alone. */
  readonly session: string
  /** Whether it began with a cursor. */
  readonly resumed: boolean
  /** The cursor that was presented, as it came. */
  readonly presented: string | undefined
  /** Chunks of blocks without an id, shared with others perhaps, that are told right after `stream.ready`. */
  readonly greetings: readonly Buffer[]
  /** Called once, when it is over. */
  readonly onClosed: (() => void) | undefined
  /** A gap on a channel was told. */
  readonly onGap: ((channel: string) => void) | undefined
  readonly who: Who | undefined
}

export class Stream implements SinkOwner {
  readonly format: Format
  /** One for each partition that its channels live in; they come and go with their channels. */
  shares: readonly Share[]
  /** The sink takes no more. */
  full = false
  /** Since when, in ms; of no meaning while it takes more. */
  fullSince = 0
  /** When it was opened, in ms. */
  readonly born: number
  readonly who: Who | undefined

  readonly #host: StreamHost
  // What only the first frames need; let go of with them.
  #options: StreamOptions | undefined
  #origins: readonly Origin[]
  readonly #onClosed: (() => void) | undefined
  readonly #onGap: ((channel: string) => void) | undefined
  #sink: Sink | undefined
  #lastWrite: number
  #liveTold = false
  #closed = false
  #onceLive: (() => void)[] | undefined
  /** What is to be told once there is room for it. */
  #owed: Map<string, () => Buffer> | undefined
  /** When the stream said goodbye, in ms; it is destroyed a while after. */
  #leaving = 0

  constructor(
    host: StreamHost,
    origins: readonly Origin[],
    feeds: (origin: Origin) => Feed[],
    options: StreamOptions,
  ) {
    this.#host = host
    this.#options = options
    this.#origins = origins
    this.born = host.now
    this.who = options.who
    this.#onClosed = options.onClosed
    this.#onGap = options.onGap
    this.#lastWrite = host.now
    this.format = options.format
    this.shares = origins.map((origin) => new Share(this, origin, feeds(origin)))
  }

  /** Bytes that wait in its socket. */
  get buffered(): number {
    return this.#sink?.buffered ?? 0
  }

  /** The least of its shares' phases. */
  get phase(): Phase {
    const phases = this.shares.map((share) => share.phase)
    const order = ['closed', 'lagging', 'replaying'] as const
    return order.find((phase) => phases.includes(phase)) ?? 'live'
  }

  /** The cursor of everything written so far. */
  get cursor(): string {
    const { partitions } = this.#host
    if (partitions === 1) return formatPosition(this.shares[0]!.order, this.shares[0]!.tag)
    return formatCursor(new Map(this.shares.map((s) => [s.partition, s.position])), partitions)
  }

  /** Asks for what the first frames need. Resolves also where the log doesn't answer. */
  async prepare(): Promise<void> {
    await Promise.allSettled(this.shares.map((share) => share.prepare(this.#host.reader)))
  }

  /** Nothing will ever come: all channels are closed and read. */
  get exhausted(): boolean {
    return !this.hasGap && this.shares.every((share) => share.exhausted)
  }

  /** A gap is to be told before anything else. */
  get hasGap(): boolean {
    return this.#origins.some((o) => o.gap !== undefined) || this.shares.some((s) => s.hasGap)
  }

  /** Gives the stream its socket: from here on it lives. */
  attach(sink: Sink): void {
    this.#sink = sink
    sink.owner = this
    sink.cork()
    if (this.#options !== undefined) this.#tellReady(this.#options)
    for (const origin of this.#origins) this.tellOriginGap(origin)
    this.#options = undefined
    this.#origins = []
    for (const share of this.shares) this.pump(share)
    this.#tellOwed()
    sink.uncork()
  }

  /** SinkOwner. Lets go of everything: the sink is closed, or about to be. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const share of this.shares) share.close()
    this.#host.forget(this)
    this.#onClosed?.()
  }

  pump(share: Share): void {
    if (this.#sink !== undefined && share.phase === 'replaying') share.pump(this.#host.reader)
  }

  pumpSoon(share: Share): void {
    this.#host.pumpSoon(share)
  }

  verified(partition: number): Position {
    return this.#host.verified(partition)
  }

  // ── channels that come and go while it lives ──

  /** Whether it goes on: it is not over, and has not said goodbye. */
  get open(): boolean {
    return !this.#closed && this.#leaving === 0
  }

  /** Order up to which everything on a partition's channels has been written; 0: it has none there. */
  standing(partition: number): number {
    return this.shares.find((share) => share.partition === partition)?.order ?? 0
  }

  /** Names of its channels. */
  get channels(): string[] {
    return this.shares.flatMap(({ feeds }) => feeds.map(({ channel }) => channel.name))
  }

  /**
   * Takes channels in, each from its place in `origin` on, which may lie before what was written of the
   * others: their events then come late rather than never, and the cursor goes back with them.
   */
  join(origin: Origin, feeds: readonly Feed[]): void {
    if (!this.open) return
    const share = this.shares.find(({ partition }) => partition === origin.partition)
    if (share !== undefined) {
      share.join(origin, feeds)
      return
    }
    const fresh = new Share(this, origin, feeds)
    this.shares = [...this.shares, fresh]
    if (this.full) fresh.happen('full')
    this.tellOriginGap(origin)
    this.pump(fresh)
  }

  /** Lets a channel go, and says why; false: it has none of that name. */
  leave(name: string, reason: string): boolean {
    for (const share of this.shares) {
      const feed = share.feeds.find(({ channel }) => channel.name === name)
      if (feed === undefined) continue
      share.leave(feed)
      // The last one stays: the cursor is its position.
      if (share.feeds.length === 0 && this.shares.length > 1) {
        share.close()
        this.shares = this.shares.filter((it) => it !== share)
      }
      this.tell(`stream.end ${name}`, () =>
        chunk(namedBlock('stream.end', { channel: name, reason }, undefined)),
      )
      // What is left may all have come to its end before.
      if (this.shares.every(({ feeds, finished }) => feeds.length > 0 && finished)) this.#leave()
      return true
    }
    return false
  }

  /**
   * Tells something that moves no cursor. Where the socket is full it is written, and asked for, once it
   * drains; of several under one key the last.
   */
  tell(key: string, chunks: () => Buffer): void {
    if (this.#closed || this.#leaving !== 0 || this.format === 'raw') return
    if (this.#sink !== undefined && !this.full) {
      this.#write(chunks())
      return
    }
    this.#owed ??= new Map()
    this.#owed.set(key, chunks)
  }

  #tellOwed(): void {
    const owed = this.#owed
    this.#owed = undefined
    for (const [key, chunks] of owed ?? []) this.tell(key, chunks)
  }

  // ── what its shares write ──

  /** A live batch of one channel. */
  writeBatch(share: Share, batch: Batch): void {
    if (this.#host.partitions > 1) for (const run of batch.runs) this.writeRun(share, run)
    else if (batch.bytes !== undefined) this.#write(batch.bytes)
    if (batch.ephemeral !== undefined) this.writeEphemeral(batch.ephemeral)
  }

  /** Events for whoever is live: dropped where the socket is full. */
  writeEphemeral(chunks: Buffer): void {
    if (!this.full) this.#write(chunks)
  }

  /** Events were written that weren't news. */
  replayed(events: number): void {
    this.#host.totals.delivered += events
  }

  /** Frames in order; with several partitions each gets an `id:` line of its own in front of the shared bytes. */
  writeRun(share: Share, run: Run): void {
    if (this.#host.partitions === 1) {
      this.#write(runBytes(run))
      return
    }
    const { page, begin, end } = run
    const positions = new Map(this.shares.map((s) => [s.partition, s.position]))
    const chunks: Buffer[] = []
    for (let i = begin; i < end; i++) {
      positions.set(share.partition, { order: page.orders[i]!, tag: page.tag })
      chunks.push(chunk(idLine(formatCursor(positions, this.#host.partitions))))
      chunks.push(page.bytes.subarray(startOfFrame(page, i), page.ends[i]))
    }
    this.#write(Buffer.concat(chunks))
  }

  /** A gap on one channel, at the stream's position. */
  tellGap(feed: Feed, after: Position | null, reason: GapReason, floor: Position): void {
    // A reader of raw data could not notice: it is cut off, and told 410 when it comes back.
    if (this.format === 'raw') {
      this.destroy()
      return
    }
    const next = feed.firstAfter(floor.order) ?? placeAfter(floor)
    this.#host.totals.gaps++
    this.#control('stream.gap', gapData(feed.channel.name, after, next, reason), this.cursor)
    this.#onGap?.(feed.channel.name)
  }

  tellEnd(feed: Feed, end: End): void {
    // No event says so here, yet the cursor has to pass the end: coming back is answered 204 then.
    if (this.format === 'raw') {
      this.#write(chunk(`${idLine(this.cursor)}\n`))
      return
    }
    const data = { channel: feed.channel.name, reason: end.reason }
    this.#control('stream.end', data, this.cursor)
  }

  get #live(): boolean {
    return this.shares.every((share) => share.phase === 'live')
  }

  /** A share has caught up. */
  onLive(): void {
    if (!this.#live) return
    if (!this.#liveTold) {
      this.#liveTold = true
      this.#control('stream.live', { cursor: this.cursor }, this.cursor)
    }
    const waiting = this.#onceLive
    this.#onceLive = undefined
    for (const tell of waiting ?? []) tell()
  }

  /** Calls back once everything that there is has been written: now, or when it is next so. */
  onceLive(tell: () => void): void {
    if (this.#liveTold && this.#live) tell()
    else {
      this.#onceLive ??= []
      this.#onceLive.push(tell)
    }
  }

  /** A share has told the end of all its channels. */
  onExhausted(): void {
    if (this.shares.every((share) => share.finished)) this.#leave()
  }

  // ── the hub's clock ──

  /** Once a second or so. */
  tick(): void {
    const { now, heartbeatMs, maxAgeMs } = this.#host
    if (this.#sink === undefined) return
    if (this.#leaving !== 0) {
      if (now - this.#leaving > LINGER_MS) this.destroy()
    } else if (this.full) {
      if (now - this.fullSince > SLOW_MS) {
        this.#host.totals.slow++
        this.bye('slow', true)
      }
    } else if (maxAgeMs > 0 && now - this.born > maxAgeMs) {
      this.bye('max_age', true)
    } else if (now - this.#lastWrite >= heartbeatMs) {
      for (const share of this.shares) share.keepUp(this.#host.verified(share.partition))
      this.#write(this.#host.heartbeat(this.cursor, this.format))
    }
    for (const share of this.shares) this.pump(share)
  }

  /** Whoever opened it has until then to show that they may go on; ms since the epoch. */
  tellExpiring(expires: number): void {
    if (this.#sink === undefined || this.#leaving !== 0 || this.full) return
    this.#control('stream.expiring', { expires }, this.cursor)
  }

  /** Says goodbye and ends. Where coming back makes no sense, the cursor says so for good. */
  bye(reason: ByeReason, reconnect: boolean): void {
    if (this.#sink === undefined || this.#leaving !== 0) return
    if (this.format === 'raw') {
      this.destroy()
      return
    }
    const retry = Math.round(RETRY_MS * (0.5 + this.#host.random()))
    const id = reconnect ? this.cursor : endCursor(this.cursor)
    this.#sink.write(
      chunk(retryLine(retry) + this.#block('stream.bye', { reason, reconnect, retry }, id)),
    )
    this.#leave()
  }

  destroy(): void {
    this.#sink?.destroy()
    this.close()
  }

  // ── ──

  #leave(): void {
    if (this.#leaving !== 0) return
    this.#leaving = this.#host.now || 1
    this.#sink?.end()
    for (const share of this.shares) share.close()
  }

  #write(chunks: Buffer): void {
    this.#lastWrite = this.#host.now
    if (this.#sink!.write(chunks) || this.full) return
    this.full = true
    this.fullSince = this.#host.now
    this.#host.totals.stalls++
    for (const share of this.shares) if (share.phase !== 'closed') share.happen('full')
  }

  /** SinkOwner. */
  drained(): void {
    if (!this.full) return
    this.full = false
    this.#tellOwed()
    if (this.full) return
    for (const share of this.shares) {
      if (share.phase === 'closed') continue
      share.happen('drained')
      this.pump(share)
      if (this.full) return
    }
  }

  #tellReady({ session, resumed, presented, greetings }: StreamOptions): void {
    const cursor = presented ?? this.cursor
    const retry = retryLine(RETRY_MS * (0.5 + this.#host.random()))
    if (this.format === 'raw') {
      this.#write(chunk(`${retry}${idLine(cursor)}\n`))
      return
    }
    const channels = this.#origins.flatMap((origin) => origin.channels)
    const heartbeat = this.#host.heartbeatMs
    const ready = { session, cursor, resumed, heartbeat, channels }
    this.#write(chunk(retry + this.#block('stream.ready', ready, cursor)))
    for (const greeting of greetings) this.#write(greeting)
  }

  /** A cursor that can't be followed: told for every channel; only the last moves the cursor, so that a cut in between repeats them all. */
  tellOriginGap({ gap, channels, lost = channels }: Origin): void {
    if (gap === undefined) return
    if (this.format === 'raw') {
      this.destroy()
      return
    }
    const blocks = lost.map((channel, i) => {
      const data = gapData(channel, gap.after, placeAfter(gap.floor), gap.reason)
      return this.#block('stream.gap', data, i === lost.length - 1 ? this.cursor : undefined)
    })
    this.#host.totals.gaps += lost.length
    this.#write(chunk(blocks.join('')))
    if (this.#onGap !== undefined) for (const channel of lost) this.#onGap(channel)
  }

  #control<N extends ControlName>(name: N, data: ControlData[N], id: string): void {
    if (this.format === 'raw') return
    this.#write(chunk(this.#block(name, data, id)))
  }

  #block<N extends ControlName>(name: N, data: ControlData[N], id: string | undefined): string {
    return namedBlock(name, data, id)
  }
}

/** The first place after a position: where nothing is known to follow yet, `next` says this. */
export function placeAfter({ order, tag }: Position): Position {
  return { order: order + 1, tag }
}

/** Data of a `stream.gap`. */
export function gapData(
  channel: string,
  after: Position | null,
  next: Position,
  reason: GapReason,
): ControlData['stream.gap'] {
  return {
    channel,
    after: after && formatPosition(after.order, after.tag),
    next: formatPosition(next.order, next.tag),
    reason,
  }
}

/** The sign of life of a stream at a cursor. */
export function heartbeatChunk(cursor: string, format: Format): Buffer {
  return chunk(
    format === 'raw' ? comment('heartbeat') : namedBlock('stream.heartbeat', { cursor }, cursor),
  )
}
