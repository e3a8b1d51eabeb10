/**
 * One channel in one format: its recent frames, and the subscriptions that want them. The unit of
 * fan-out: a frame is encoded here once, whoever reads it and whenever.
 */
import type { ChannelRead, EndEntry, Entry } from '../log/log.js'
import type { EphemeralEvent } from '../wire/event.js'
import type { Position } from '../wire/position.js'
import { eventBlock, eventBlockWithId, type Format } from '../wire/sse.js'
import type { Channel } from './channel.js'
import { chunk } from './chunk.js'
import {
  appendFrame,
  emptyPage,
  firstAfter,
  frameBytes,
  nextPage,
  type Page,
  type PageBudget,
  type PageOwner,
  startOfFrame,
} from './pages.js'
import type { Share } from './share.js'

/** Where and why a channel ended. `prev`: order of the entry before, where the end itself was read. */
export type End = Pick<EndEntry, 'order' | 'tag' | 'reason'> & { readonly prev?: number }

/** What came on a feed in one turn of the event loop, ready for sockets. */
export interface Batch {
  /** Events, ephemeral ones too. */
  readonly count: number
  /** Orders of the first and the last event; 0 where there were only ephemeral ones. */
  readonly first: number
  readonly last: number
  readonly tag: number
  /** The events' frames as runs of pages … */
  readonly runs: readonly Run[]
  /** … and as the bytes of one write. */
  readonly bytes: Buffer | undefined
  /** The frames of ephemeral events, after the others. */
  readonly ephemeral: Buffer | undefined
}

/** Frames `begin` … `end − 1` of a page. */
export interface Run {
  readonly page: Page
  readonly begin: number
  readonly end: number
}

/** Bytes of a run, chunk-framed. */
export function runBytes({ page, begin, end }: Run): Buffer {
  return page.bytes.subarray(startOfFrame(page, begin), startOfFrame(page, end))
}

export class Feed implements PageOwner {
  readonly channel: Channel
  readonly format: Format
  /** Everybody who reads this feed, in whatever phase. */
  readonly subscriptions = new Set<Share>()
  /** The channel's end, where it is closed. */
  ended: End | undefined

  readonly #budget: PageBudget
  readonly #encode: typeof eventBlock
  /** By `from`, oldest first. They may overlap, where a read and the live tail met. */
  #pages: Page[] = []
  /** The page that live entries go to. Present while nothing after its `to` is unknown to us. */
  #tail: Page | undefined
  #batch: { runs: { page: Page; begin: number }[]; first: number; ephemeral: Buffer[] } | undefined

  /** `withId`: cursors are positions (one partition), so that the `id:` line is part of the frame. */
  constructor(channel: Channel, format: Format, withId: boolean, budget: PageBudget) {
    this.channel = channel
    this.format = format
    this.#budget = budget
    this.#encode = withId ? (eventBlockWithId as typeof eventBlock) : eventBlock
  }

  /** Whether everything after some position is known, so that a reader can be live. */
  get anchored(): boolean {
    return this.#tail !== undefined
  }

  /** Whether something waits for the end of this turn. */
  get dirty(): boolean {
    return this.#batch !== undefined
  }

  /** A live entry. */
  entry(entry: Entry): void {
    if (this.#tail !== undefined && entry.order <= this.#tail.to) return
    if (this.#tail === undefined) {
      this.#adoptTail(emptyPage(entry.prev === 0 ? entry.order - 1 : entry.prev, entry.tag))
    }
    const batch = this.#openBatch()
    if (batch.first === 0) batch.first = entry.order
    const page = this.#append(this.#tail!, entry)
    if (page !== this.#tail) this.#tail = page
    if (entry.kind === 'end') this.ended = entry
    else if (batch.runs.at(-1)?.page !== page) {
      batch.runs.push({ page, begin: page.orders.length - 1 })
    }
  }

  /** A live event that is not kept. */
  ephemeral(event: EphemeralEvent): void {
    this.#openBatch().ephemeral.push(chunk(eventBlock(event, this.format)))
  }

  /** What came since the last call; the feed is clean afterwards. */
  takeBatch(): Batch | undefined {
    const batch = this.#batch
    if (batch === undefined) return undefined
    this.#batch = undefined
    const last = this.#tail
    const runs = batch.runs.map(({ page, begin }) => ({ page, begin, end: page.orders.length }))
    const events = runs.reduce((sum, { begin, end }) => sum + end - begin, 0)
    return {
      count: events + batch.ephemeral.length,
      first: batch.first,
      last: batch.first === 0 || last === undefined ? 0 : last.to,
      tag: last?.tag ?? 0,
      runs,
      // Copied where the turn went over the end of a page: once for all sockets, not a write more for each.
      bytes: runs.length < 2 ? runs[0] && runBytes(runs[0]) : Buffer.concat(runs.map(runBytes)),
      ephemeral: batch.ephemeral.length === 0 ? undefined : Buffer.concat(batch.ephemeral),
    }
  }

  /**
   * Takes in what was read of the log after `after`, as of `snapshot`. `contiguous`: the channel was
   * followed, without an interruption, from before the read was asked for until now, so that whatever
   * is newer than the snapshot has come, or will come, as a live entry. Live entries go on after
   * `frontier`, which a client's cursor may be beyond.
   */
  absorb(
    read: ChannelRead,
    after: number,
    snapshot: Position,
    contiguous: boolean,
    frontier: number,
  ): void {
    const { tag } = snapshot
    const floor = read.gap?.floor.order ?? 0
    const from = Math.max(after, floor)
    const first = read.entries[0]
    // Never from before what is missing: nobody must get over it unseen.
    const before = Math.max(
      floor,
      Math.min(from, frontier, first === undefined || first.prev === 0 ? from : first.prev),
    )
    // Somebody else's read may have brought the same by now.
    const present = this.pageAfter(from)
    let page = present ?? emptyPage(before, first?.tag ?? tag)
    if (present === undefined) {
      this.#insert(page)
      const hint = read.entries.reduce((sum, entry) => sum + roughBytes(entry), 0)
      for (const entry of read.entries) page = this.#append(page, entry, hint)
    }
    if (!contiguous) return
    const last = read.entries.at(-1)
    if (last?.kind === 'end') this.ended = last
    else if (read.closed !== undefined && this.ended?.order !== read.closed.position.order) {
      const { position, reason } = read.closed
      this.ended = { order: position.order, tag: position.tag, reason }
    }
    if (!read.complete) return
    // The tail may have begun meanwhile; what was read reaches into it then, and stays a page.
    if (this.#tail === undefined && present === undefined) this.#tail = page
    else if (this.#tail === undefined) this.#adoptTail(emptyPage(last?.order ?? before, tag))
    else if (this.#tail.size === 0 && last === undefined && this.#tail.from <= snapshot.order) {
      // Only as far as the snapshot reaches: answers come in any order, and an older one knows nothing
      // of what lies between it and a tail that a newer one has set.
      this.#tail.from = Math.min(this.#tail.from, before)
    }
  }

  /** Continuity is lost: what is here stays true, but nobody knows what comes after it. */
  detach(): void {
    this.#tail = undefined
  }

  /** The store may be another one: what was read of it may never have been in this one. */
  forget(): void {
    this.#pages = []
    this.#tail = undefined
    this.ended = undefined
  }

  /** The channel's entries up to `upTo` were removed: nobody gets them from here. */
  clear(upTo: number, tag: number): void {
    this.#batch = undefined
    this.ended = undefined
    this.#pages = []
    this.#tail = undefined
    this.#adoptTail(emptyPage(upTo, tag))
  }

  /** PageOwner: the budget is spent, this page is the oldest. */
  release(page: Page): void {
    const at = this.#pages.indexOf(page)
    if (at < 0) return
    this.#pages.splice(at, 1)
    if (page === this.#tail) this.#adoptTail(emptyPage(page.to, page.tag))
  }

  /** The page that tells what comes after `order`; undefined where the log must be asked. */
  pageAfter(order: number): Page | undefined {
    for (let i = this.#pages.length - 1; i >= 0; i--) {
      const page = this.#pages[i]!
      if (page.from <= order && (order < page.to || page === this.#tail)) return page
    }
    return undefined
  }

  /** Whether the page is the live one: after its last entry there is nothing yet. */
  isTail(page: Page): boolean {
    return page === this.#tail
  }

  /** Position of the first event after `order` on its page, where there is one. */
  firstAfter(order: number): { order: number; tag: number } | undefined {
    const page = this.pageAfter(order)
    if (page === undefined) return undefined
    const next = page.orders[firstAfter(page, order)]
    return next === undefined ? undefined : { order: next, tag: page.tag }
  }

  #openBatch() {
    this.#batch ??= { runs: [], first: 0, ephemeral: [] }
    return this.#batch
  }

  #adoptTail(page: Page): void {
    this.#insert(page)
    this.#tail = page
  }

  #insert(page: Page): void {
    let at = this.#pages.length
    while (at > 0 && this.#pages[at - 1]!.from > page.from) at--
    this.#pages.splice(at, 0, page)
  }

  /** Appends to a page or to a new one after it; answers the page it went to. */
  #append(page: Page, entry: Entry, hint = 0): Page {
    if (entry.kind === 'end') {
      // The end has no frame of its own: it is told as a control event once a reader has caught up.
      const last = entry.tag === page.tag ? page : emptyPage(page.to, entry.tag)
      last.to = entry.order
      if (last !== page) this.#insert(last)
      return last
    }
    const frame = this.#encode(entry, this.format)
    if (appendFrame(page, entry.order, entry.tag, frame)) return page
    const next = nextPage(page, entry.tag, frameBytes(frame), hint)
    appendFrame(next, entry.order, entry.tag, frame)
    // An empty page only says where it begins: the new one says that itself.
    if (page.size === 0 && page.from === page.to) {
      this.#pages.splice(this.#pages.indexOf(page), 1)
    }
    this.#insert(next)
    this.#budget.add(this, next)
    return next
  }
}

/** About what an entry's frame takes: a hint for a page's size. */
function roughBytes(entry: Entry): number {
  return entry.kind === 'end' ? 0 : entry.data.length + entry.channel.length + 120
}
