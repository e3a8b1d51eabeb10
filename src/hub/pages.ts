/**
 * Recent frames of a channel in one format, encoded once, as the bytes that go into sockets: shared
 * by everybody who is live on the channel and everybody who replays it.
 *
 *     from          orders[0]   orders[1]                     to
 *      │ ┌───────────────┬───────────────┬ ─ ─ ─ ┬───────────┐ │
 *      ▼ │ chunk · frame │ chunk · frame │       │           │ ▼
 *        └───────────────┴───────────────┴ ─ ─ ─ ┴───────────┘
 *                   ends[0]          ends[1]            size  capacity
 *
 * A page holds every entry of its channel with `from < order ≤ to`, without a hole. Where one page's
 * `to` lies in another, a reader goes over from the one to the other. Rejected: a ring of frames with
 * one Buffer each (a replay would be one write per event again).
 */
import { byteLength, CHUNK_HEAD, CHUNK_TAIL, writeChunk } from './chunk.js'

/** Bytes of a page: large enough that a replay is few writes, small enough to give back. */
export const PAGE_BYTES = 64 * 1024
/** Bytes of a channel's first page; each further one is twice as large until PAGE_BYTES. */
const FIRST_PAGE_BYTES = 1024

export interface Page {
  /** Everything after this order … */
  from: number
  /** … and up to this one is here. */
  to: number
  /** The process tag of all its positions. */
  readonly tag: number
  bytes: Buffer
  /** Bytes in use. */
  size: number
  /** Order of each frame. */
  readonly orders: number[]
  /** Offset after each frame. */
  readonly ends: number[]
}

const NOTHING = Buffer.alloc(0)

/** A page that holds nothing: it says that nothing is between. */
export function emptyPage(from: number, tag: number, to = from): Page {
  return { from, to, tag, bytes: NOTHING, size: 0, orders: [], ends: [] }
}

/** The page that goes on where `page` ends, with room for a frame of `need` bytes and, if it may be, for `hint`. */
export function nextPage(page: Page, tag: number, need: number, hint: number): Page {
  const wish = Math.max(FIRST_PAGE_BYTES, page.bytes.length * 2, hint)
  const capacity = Math.max(need, Math.min(PAGE_BYTES, wish))
  const next = emptyPage(page.to, tag)
  next.bytes = Buffer.allocUnsafeSlow(capacity)
  return next
}

/** Appends a frame; false where there is no room for it, or it has another tag. */
export function appendFrame(page: Page, order: number, tag: number, frame: string): boolean {
  // Three bytes a UTF-16 unit at the most: the exact length is only asked for where that won't do.
  const room = page.bytes.length - page.size - CHUNK_HEAD - CHUNK_TAIL
  if (tag !== page.tag || (frame.length * 3 > room && byteLength(frame) > room)) return false
  page.size = writeChunk(page.bytes, page.size, frame)
  page.orders.push(order)
  page.ends.push(page.size)
  page.to = order
  return true
}

/** Bytes that a frame takes in a page. */
export function frameBytes(frame: string): number {
  return byteLength(frame) + CHUNK_HEAD + CHUNK_TAIL
}

/** Index of the first frame with a larger order. */
export function firstAfter(page: Page, order: number): number {
  const { orders } = page
  let low = 0
  let high = orders.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (orders[middle]! > order) high = middle
    else low = middle + 1
  }
  return low
}

/** Offset at which a frame begins. */
export function startOfFrame(page: Page, index: number): number {
  return index === 0 ? 0 : page.ends[index - 1]!
}

/** What a store of pages asks of a page's owner. */
export interface PageOwner {
  /** Lets go of a page's frames. */
  release(page: Page): void
}

/** Keeps the bytes of all pages of a node within a budget: the oldest page goes first. */
export interface PageBudget {
  add(owner: PageOwner, page: Page): void
  readonly bytes: number
}

export function createPageBudget(limit: number): PageBudget {
  let queue: ({ owner: PageOwner; page: Page } | undefined)[] = []
  let first = 0
  let bytes = 0
  return {
    get bytes() {
      return bytes
    },
    add(owner, page) {
      bytes += page.bytes.length
      queue.push({ owner, page })
      while (bytes > limit && first < queue.length - 1) {
        const oldest = queue[first]!
        // Its place stays for a while: a thousand of them would hold twice the budget.
        queue[first++] = undefined
        bytes -= oldest.page.bytes.length
        oldest.owner.release(oldest.page)
      }
      if (first > 1024 && first > queue.length / 2) {
        queue = queue.slice(first)
        first = 0
      }
    },
  }
}
