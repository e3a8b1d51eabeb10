/**
 * From pages to one ordered run of frames: the merge of a subscription's channels by position.
 *
 * Frames leave only up to the least position that every channel is known to have reached, so that a
 * cursor never passes an event that is still to come.
 */
import type { GapReason } from '../wire/control.js'
import type { Position } from '../wire/position.js'
import type { Feed, Run } from './feed.js'
import { firstAfter, startOfFrame } from './pages.js'

/** A gap that is to be told when the stream's position reaches its floor. */
export interface PendingGap {
  readonly feed: Feed
  readonly reason: GapReason
  /** Where the channel had been read to; null where nothing was known. */
  readonly after: Position | null
  readonly floor: Position
}

export type Piece = { readonly run: Run } | { readonly gap: PendingGap }

export interface Harvest {
  /** Channels whose next events aren't in pages: the log must be asked before anything can leave. */
  readonly missing: readonly Feed[]
  readonly pieces: readonly Piece[]
  /** Where the subscription stands after the pieces; undefined: has caught up with all channels. */
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
export function harvest(reader: Reading, gaps: readonly PendingGap[], budget: number): Harvest {
  const { feeds } = reader
  const missing: Feed[] = []
  const runs: Run[] = []
  const bound: Bound = { order: Number.POSITIVE_INFINITY, tag: 0 }
  const share = Math.max(4096, budget / feeds.length)
  for (const feed of feeds) {
    if (!take(feed, reader.at(feed), share, runs, bound)) missing.push(feed)
  }
  if (missing.length > 0) return { missing, pieces: [], reached: undefined }
  const due = gaps.filter((gap) => gap.floor.order <= bound.order)
  const reached = bound.order === Number.POSITIVE_INFINITY ? undefined : bound
  const gapPieces = due.map((gap): Piece => ({ gap }))
  const runPieces = (): Piece[] => runs.map((run): Piece => ({ run }))
  // One channel's gap lies where it is read from, before its runs, which are in order already.
  if (feeds.length === 1) return { missing, pieces: [...gapPieces, ...runPieces()], reached }
  if (runs.length <= 1 && due.length === 0 && reached === undefined) {
    return { missing, pieces: runPieces(), reached }
  }
  return { missing, pieces: merge(runs, due, bound.order), reached }
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

/** Merges frames and gaps by order, up to `limit`; neighbours on one page become one run again. */
function merge(runs: readonly Run[], gaps: readonly PendingGap[], limit: number): Piece[] {
  const frames: { order: number; run?: Run; index: number; gap?: PendingGap }[] = []
  for (const run of runs) {
    for (let index = run.begin; index < run.end; index++) {
      const order = run.page.orders[index]!
      if (order <= limit) frames.push({ order, run, index })
    }
  }
  for (const gap of gaps) frames.push({ order: gap.floor.order, index: 0, gap })
  frames.sort((a, b) => a.order - b.order)
  const pieces: Piece[] = []
  let open: { page: Run['page']; begin: number; end: number } | undefined
  for (const { run, index, gap } of frames) {
    if (gap !== undefined) {
      pieces.push({ gap })
      open = undefined
    } else if (open !== undefined && open.page === run!.page && open.end === index) {
      open.end++
    } else {
      open = { page: run!.page, begin: index, end: index + 1 }
      pieces.push({ run: open })
    }
  }
  return pieces
}
