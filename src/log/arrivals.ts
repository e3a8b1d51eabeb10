/**
 * In which order the entries of all shelves have come: what the memory limit evicts by. One place for
 * each entry, also for those that their channel has let go of meanwhile: which places those are isn't
 * known by the entry, only how many they are of a shelf, its oldest.
 */
import type { Shelf } from './shelf.js'

export interface Arrivals {
  /** Places in use. */
  readonly length: number
  push(shelf: Shelf): void
  /** Removes the oldest entry of all where it is still there; answers the bytes that it freed. */
  evict(): number
}

/** So few places aren't worth the walk. */
const FEW = 4096

export function createArrivals(): Arrivals {
  let queue: Shelf[] = []
  let first = 0
  /**
   * The length at which places of entries that are gone are looked for. Rejected: at eviction only. A log
   * that never reaches its memory limit would grow by a place for each event it ever had.
   */
  let worth = FEW

  return {
    get length() {
      return queue.length - first
    },
    push(shelf) {
      queue.push(shelf)
      if (queue.length < worth) return
      queue = queue.slice(first).filter((each) => !each.skip())
      first = 0
      // Twice what is left: each walk is paid for by as many events.
      worth = 2 * queue.length + FEW
    },
    evict() {
      const oldest = queue[first]
      if (oldest === undefined) return 0
      first++
      return oldest.skip() ? 0 : oldest.evict()
    },
  }
}
