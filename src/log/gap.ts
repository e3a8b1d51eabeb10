/**
 * The one rule that decides whether events are missing between a position and what a channel still
 * holds. A channel's *floor* is the newest entry that can't be given any more.
 */
import type { GapReason } from '../wire/control.js'
import { COUNTERS } from '../wire/position.js'

/** What a store knows of a channel at the moment of reading. */
export interface Evidence {
  /** The first entry that is still given out after the position read from. */
  readonly next: { readonly order: number; readonly prev: number } | undefined
  /** The channel's newest entry ever, held or not; 0 where none is known. */
  readonly head: number
  /** No entry of a channel without a head can be newer: birth of the partition, or the newest head ever forgotten. */
  readonly horizon: number
  /** The store as it is now gave out no position before this. Default 0. */
  readonly birth?: number
  /** Order of the entry before the channel's end; undefined where it is open. */
  readonly beforeEnd: number | undefined
  /** The newest entry that was removed by DELETE; 0 where none was. */
  readonly deleted: number
  /** Entries below this order are too old to be given out. */
  readonly ageLimit: number
}

/** The gap between `after` and what is held: the order of its floor and the reason. Undefined where nothing is missing. */
export function gapAfter(
  after: number,
  { next, head, horizon, birth = 0, beforeEnd, deleted, ageLimit }: Evidence,
): { floor: number; reason: GapReason } | undefined {
  // Whoever has read everything but the end misses nothing: the end is told apart from the entries.
  if (next === undefined && beforeEnd !== undefined && after >= beforeEnd) return undefined
  const known = next === undefined ? head : next.prev
  if (known === 0) {
    const floor = Math.min(horizon, next === undefined ? Infinity : next.order - 1)
    if (floor <= after) return undefined
    // From before a wipe: what it took is gone without a trace.
    return { floor, reason: after < birth ? 'unknown' : 'expired' }
  }
  if (known <= after) return undefined
  if (known <= deleted) return { floor: known, reason: 'deleted' }
  return { floor: known, reason: known < ageLimit ? 'expired' : 'trimmed' }
}

/** The least order that is young enough, for events kept `maxAge` ms. */
export function ageLimitAt(now: number, maxAge: number): number {
  return Math.max(0, now - maxAge) * COUNTERS
}
