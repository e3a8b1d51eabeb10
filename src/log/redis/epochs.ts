/**
 * Which process wrote when. A partition's life is a row of epochs, one per Redis process that
 * appended, each with its tag; between the end of one and the start of the next lie only positions
 * that were given out and then lost.
 *
 *     birth ├── epoch ──┤ lost ├── epoch ──┤├── current ──→ last
 */
import { BY_CLOCK, type Position } from '../../wire/position.js'
import type { Standing } from '../log.js'

/** How a partition stands: what every reading answer begins with. */
export interface Snapshot {
  readonly last: number
  /** Start and tag of the current epoch. */
  readonly start: number
  readonly tag: number
  readonly birth: number
  /** No channel without a head had a newer entry. */
  readonly horizon: number
  /** The newest hole of the whole partition; 0 where there is none. */
  readonly hole: number
}

export interface Epoch {
  readonly start: number
  readonly end: number
  readonly tag: number
}

/** Something that a server lacked when it began to write, as witnesses told it or failed to. */
export interface Hole extends Position {
  /** The end of the epoch that it was lost from: the newest that was kept. */
  readonly since: Position
}

export interface History {
  readonly snapshot: Snapshot
  /** Oldest first. */
  readonly closed: readonly Epoch[]
  /** Those that concern every channel. Oldest first. */
  readonly holes: readonly Hole[]
}

type Six = [number, number, number, number, number, number]

export function readSnapshot(reply: readonly string[]): Snapshot {
  const [last, start, tag, birth, horizon, hole] = reply.map(Number) as Six
  return { last, start, tag, birth, horizon, hole }
}

export function readEpoch(text: string): Epoch {
  const [start, end, tag] = text.split(' ').map(Number) as [number, number, number]
  return { start, end, tag }
}

export function readHole(text: string): Hole {
  const [order, tag, end, of] = text.split(' ').map(Number) as [number, number, number, number]
  return { order, tag, since: { order: end, tag: of } }
}

/** Whether it is the same server process, with the same data, that wrote last. */
export function sameEpoch(a: Snapshot, b: Snapshot): boolean {
  return a.start === b.start && a.birth === b.birth && a.tag === b.tag
}

/** Whether the closed epochs and holes known for one snapshot are those of the other, too. */
export function sameHistory(a: Snapshot, b: Snapshot): boolean {
  return sameEpoch(a, b) && a.hole === b.hole
}

/** The position with this order: the tag of the epoch that it lies in, or that comes before it. */
export function positionAt({ snapshot, closed }: History, order: number): Position {
  if (order >= snapshot.start) return { order, tag: snapshot.tag }
  const epoch = closed.findLast(({ start }) => order >= start) ?? closed[0]
  return { order, tag: epoch?.tag ?? snapshot.tag }
}

/**
 * Judged by the tag, not only by the order: where clocks differ, or two masters write at once, an epoch
 * may begin before the last order that its forerunner gave out and lost.
 */
export function locateIn(history: History, { order, tag }: Position): Standing {
  const { snapshot, closed } = history
  if (tag === BY_CLOCK && order >= snapshot.birth) {
    return { known: true, position: positionAt(history, Math.min(order, snapshot.last)) }
  }
  const all = [...closed, { start: snapshot.start, end: snapshot.last, tag: snapshot.tag }]
  const index = all.findLastIndex((each) => each.tag === tag && each.start <= order)
  const epoch = all[index]
  if (epoch === undefined) {
    // Older than everything here: all that there is came after it.
    const older = order < snapshot.birth
    const resume = positionAt(history, older ? snapshot.birth : snapshot.last)
    return { known: false, reason: 'unknown', resume }
  }
  if (order <= epoch.end) return { known: true }
  const next = all[index + 1]
  // Of a process that still writes: nothing was lost, the position is not there yet.
  if (next === undefined) {
    const resume = { order: snapshot.last, tag: snapshot.tag }
    return { known: false, reason: 'unknown', resume }
  }
  return { known: false, reason: 'lost', resume: { order: next.start, tag: next.tag } }
}

/**
 * For a position that was acknowledged or delivered and is not here any more: the newest that was kept of
 * its epoch. Undefined where it is here. An epoch that nothing is known of was lost as a whole; it came
 * after the newest that is closed.
 */
export function lostAfter(history: History, { order, tag }: Position): Position | undefined {
  const { snapshot, closed } = history
  // Possibly newer than the history is, never lost.
  if (tag === snapshot.tag && order >= snapshot.start) return undefined
  const own = closed.findLast((each) => each.tag === tag && each.start <= order)
  if (own !== undefined && order <= own.end) return undefined
  const epoch = own ?? closed.at(-1)
  return epoch && { order: epoch.end, tag: epoch.tag }
}
