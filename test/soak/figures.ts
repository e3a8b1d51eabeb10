/** What a run was like, in numbers. */
import type { Recording } from './record.js'
import type { Happened } from './schedule.js'
import type { Answered } from './writers.js'

export interface Silence {
  readonly reader: string
  /** Clock of the run, ms: when the delivery came that ended it. */
  readonly at: number
  readonly ms: number
}

/**
 * Silences of streams that were due something: from the moment an event was acknowledged, or the
 * delivery before it where that came later, to its first delivery to that stream.
 */
export function* silences(
  readers: Iterable<{ readonly name: string; readonly record: Recording }>,
  acknowledged: readonly Answered[],
): Generator<Silence> {
  const answeredAt = new Map(acknowledged.map(({ id, at }) => [id, at]))
  for (const { name, record } of readers) {
    let before = 0
    const had = new Set<string>()
    for (const { at, seen } of record.entries()) {
      if (seen.kind !== 'event' || seen.id === null || had.has(seen.id)) continue
      had.add(seen.id)
      const due = answeredAt.get(seen.id)
      const ms = at - Math.max(before, due ?? at)
      before = at
      if (ms > 0) yield { reader: name, at, ms }
    }
  }
}

/** The longest silence that ended while a fault lasted or in its wake, by kind of fault, ms. */
export function recoveries(
  all: readonly Silence[],
  happened: readonly Happened[],
): Map<string, number[]> {
  const sorted = [...happened].sort((a, b) => a.from - b.from)
  const worst = sorted.map(() => 0)
  for (const { at, ms } of all) {
    // Whichever fault began last before the silence ended, and at most 15 s after that fault's end.
    const index = sorted.findLastIndex(({ from }) => from <= at)
    if (index >= 0 && at <= sorted[index]!.to + 15_000) worst[index] = Math.max(worst[index]!, ms)
  }
  const kinds = new Map<string, number[]>()
  for (const [i, { name }] of sorted.entries()) {
    kinds.set(name, [...(kinds.get(name) ?? []), worst[i]!])
  }
  return kinds
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
