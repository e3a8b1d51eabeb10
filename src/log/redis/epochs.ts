/**
 * Which process wrote when. A partition's life is a row of epochs, one per Redis process that
 * appended, each with its tag; between the end of one and the start of the next lie only positions
 * that were given out and then lost.
 *
 *     birth ├── epoch ──┤ lost ├── epoch ──┤├── current ──→ last
 */
import type { Position } from '../../wire/position.js'
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
}

export interface Epoch {
  readonly start: number
  readonly end: number
  readonly tag: number
}

export interface History {
  readonly snapshot: Snapshot
  /** Oldest first. */
  readonly closed: readonly Epoch[]
}

export function readSnapshot(reply: readonly string[]): Snapshot {
  const [last, start, tag, birth, horizon] = reply.map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  return { last, start, tag, birth, horizon }
}

export function readEpoch(text: string): Epoch {
  const [start, end, tag] = text.split(' ').map(Number) as [number, number, number]
  return { start, end, tag }
}

/** Whether the closed epochs known for one snapshot are those of the other, too. */
export function sameEpoch(a: Snapshot, b: Snapshot): boolean {
  return a.start === b.start && a.birth === b.birth && a.tag === b.tag
}

/** The position with this order: the tag of the epoch that it lies in, or that comes before it. */
export function positionAt({ snapshot, closed }: History, order: number): Position {
  if (order >= snapshot.start) return { order, tag: snapshot.tag }
  const epoch = closed.findLast(({ start }) => order >= start) ?? closed[0]
  return { order, tag: epoch?.tag ?? snapshot.tag }
}

/** Where an order lies that was given out and lost: the start of the epoch after it. */
export function lostUntil({ snapshot, closed }: History, order: number): number | undefined {
  if (order >= snapshot.start) return undefined
  const index = closed.findLastIndex(({ start }) => order >= start)
  const epoch = closed[index]
  if (epoch === undefined || order <= epoch.end) return undefined
  return closed[index + 1]?.start ?? snapshot.start
}

export function locateIn(history: History, { order, tag }: Position): Standing {
  const { snapshot, closed } = history
  const all = [...closed, { start: snapshot.start, end: snapshot.last, tag: snapshot.tag }]
  const epoch = all.findLast((each) => each.tag === tag && each.start <= order)
  if (epoch === undefined) {
    // Older than everything here: all that there is came after it.
    const older = order < snapshot.birth
    const resume = positionAt(history, older ? snapshot.birth : snapshot.last)
    return { known: false, reason: 'unknown', resume }
  }
  if (order <= epoch.end) return { known: true }
  // Of a process that still writes: nothing was lost, the position is not there yet.
  if (epoch === all.at(-1)) {
    const resume = { order: snapshot.last, tag: snapshot.tag }
    return { known: false, reason: 'unknown', resume }
  }
  return { known: false, reason: 'lost', resume: { order: epoch.end, tag } }
}
