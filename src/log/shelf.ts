/** One channel of the log in memory: its entries, oldest first, and what is remembered of those gone. */
import type { ChannelInfo, EndEntry, Entry, Retention } from './log.js'

export interface Shelf {
  readonly channel: string
  readonly partition: number
  readonly retention: Retention
  /** What is held. Its oldest part may wait for removal; `entries[0]` is always the first held. */
  entries: Entry[]
  /** Order of the newest entry ever, held or not. */
  head: number
  /** Order of the newest entry that was deleted on purpose. */
  deleted: number
  end: EndEntry | undefined
  /** How many entries are held. */
  readonly held: number
  /** Each of these answers the bytes it added or freed. */
  add(entry: Entry): number
  /** Removes what is more than the channel keeps, once it is worth the work. */
  trim(): number
  /** Removes the oldest entry. */
  evict(): number
  /** Removes entries with a smaller order. */
  expire(ageLimit: number): number
  clear(): number
  /** Whether the oldest arrival that wasn't asked for yet is that of an entry which is gone already. */
  skip(): boolean
  info(ageLimit: number): ChannelInfo
}

/** What an entry costs beside its data: the object, its place in two arrays, its strings' heads. */
const OVERHEAD = 160

function sizeOf(entry: Entry): number {
  return OVERHEAD + (entry.kind === 'event' ? entry.data.length : 0)
}

/** Index of the first entry whose order is larger. */
export function upperBound(shelf: { readonly entries: readonly Entry[] }, order: number): number {
  const { entries } = shelf
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries[middle]!.order > order) high = middle
    else low = middle + 1
  }
  return low
}

/** Index of the first entry that may still be given out: neither beyond the count kept nor too old. */
export function firstKept(shelf: Shelf, ageLimit: number): number {
  const beyond = shelf.entries.length - shelf.retention.maxEvents
  return Math.max(0, beyond, upperBound(shelf, ageLimit - 1))
}

export function createShelf(channel: string, partition: number, retention: Retention): Shelf {
  // Arrivals in the log's list of which the entry is gone already.
  let stale = 0

  function remove(count: number): number {
    if (count <= 0) return 0
    let freed = 0
    for (let i = 0; i < count; i++) freed += sizeOf(shelf.entries[i]!)
    shelf.entries.splice(0, count)
    return freed
  }

  const shelf: Shelf = {
    channel,
    partition,
    retention,
    entries: [],
    head: 0,
    deleted: 0,
    end: undefined,
    get held() {
      return shelf.entries.length
    },
    add(entry) {
      shelf.entries.push(entry)
      shelf.head = entry.order
      if (entry.kind === 'end') shelf.end = entry
      return sizeOf(entry)
    },
    trim() {
      const excess = shelf.entries.length - retention.maxEvents
      // Removing from the front moves the rest: done once for many, when an eighth is in excess.
      if (excess <= retention.maxEvents / 8) return 0
      stale += excess
      return remove(excess)
    },
    evict() {
      return remove(Math.min(1, shelf.entries.length))
    },
    skip() {
      if (stale === 0) return false
      stale--
      return true
    },
    expire(ageLimit) {
      const count = upperBound(shelf, ageLimit - 1)
      stale += count
      return remove(count)
    },
    clear() {
      const count = shelf.entries.length
      stale += count
      shelf.deleted = shelf.head
      shelf.end = undefined
      return remove(count)
    },
    info(ageLimit) {
      const kept = shelf.entries.slice(firstKept(shelf, ageLimit))
      const events = kept.filter((entry) => entry.kind === 'event')
      return {
        channel,
        first: events[0] ?? null,
        last: events.at(-1) ?? null,
        events: events.length,
        bytes: events.reduce((sum, entry) => sum + sizeOf(entry) - OVERHEAD, 0),
        closed: shelf.end !== undefined,
      }
    },
  }
  return shelf
}
