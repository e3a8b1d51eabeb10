/**
 * From pages to one ordered run of frames: the merge of a subscription's channels by position.
 *
 * Frames leave only up to the least position that every channel is known to have reached, so that a
 * cursor never passes an event that is still to come.
 */
import type { Position } from '../wire/position.js'
import type { Feed, Run } from './feed.js'
import { firstAfter, startOfFrame } from './pages.js'

export interface Harvest {
  /** Channels whose next events aren't in pages: the log must be asked before anything can leave. */
  readonly missing: readonly Feed[]
  readonly runs: readonly Run[]
  /** Where the subscription stands after the runs; undefined: has caught up with all channels. */
  readonly reached: Position | undefined
}

/** Who reads: its channels, and after which order each is wanted. */
export interface Reading {
  readonly feeds: readonly Feed[]
  at(feed: Feed): number
}

interface Bound {
  order: number
  tag: number
}

/** Takes about `budget` bytes of what follows on each channel. */
export function harvest(reader: Reading, budget: number): Harvest {
  const { feeds } = reader
  const missing: Feed[] = []
  const runs: Run[] = []
  const bound: Bound = { order: Number.POSITIVE_INFINITY, tag: 0 }
  const share = Math.max(4096, budget / feeds.length)
  for (const feed of feeds) {
    if (!take(feed, reader.at(feed), share, runs, bound)) missing.push(feed)
  }
  if (missing.length > 0) return { missing, runs: [], reached: undefined }
  const reached = bound.order === Number.POSITIVE_INFINITY ? undefined : bound
  // One channel's runs are in order and end at the bound already.
  const ordered = feeds.length === 1 || (runs.length <= 1 && reached === undefined)
  return { missing, runs: ordered ? runs : merge(runs, bound.order), reached }
}

/** Collects a feed's runs after `from`; lowers the bound to where knowledge or budget ends. False: nothing is known. */
function take(feed: Feed, from: number, share: number, runs: Run[], bound: Bound): boolean {
  let position = from
  let room = share
  for (;;) {
    const page = feed.pageAfter(position)
    if (page === undefined) return position !== from
    const begin = firstAfter(page, position)
    const start = startOfFrame(page, begin)
    let end = page.orders.length
    if (page.size - start > room) {
      end = begin + 1
      while (end < page.orders.length && page.ends[end]! - start <= room) end++
    }
    if (end > begin) runs.push({ page, begin, end })
    if (end < page.orders.length) {
      lower(bound, page.orders[end - 1]!, page.tag)
      return true
    }
    if (feed.isTail(page)) return true
    room -= page.size - start
    position = page.to
    if (feed.pageAfter(position) === undefined || room <= 0) {
      lower(bound, position, page.tag)
      return true
    }
  }
}

function lower(bound: Bound, order: number, tag: number): void {
  if (order >= bound.order) return
  bound.order = order
  bound.tag = tag
}

/** Merges frames by order, up to `limit`; neighbours on one page become one run again. */
function merge(runs: readonly Run[], limit: number): Run[] {
  const frames: { order: number; run: Run; index: number }[] = []
  for (const run of runs) {
    for (let index = run.begin; index < run.end; index++) {
      const order = run.page.orders[index]!
      if (order <= limit) frames.push({ order, run, index })
    }
  }
  frames.sort((a, b) => a.order - b.order)
  const merged: Run[] = []
  let open: { page: Run['page']; begin: number; end: number } | undefined
  for (const { run, index } of frames) {
    if (open !== undefined && open.page === run.page && open.end === index) {
      open.end++
    } else {
      open = { page: run.page, begin: index, end: index + 1 }
      merged.push(open)
    }
  }
  return merged
}
