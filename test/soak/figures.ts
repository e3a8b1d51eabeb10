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

/**
 * The longest silence that overlaps with each fault or the second after it, ms, by kind of fault. A
 * cut of clients' sockets counts only where nothing heavier went on: it happens all the time.
 */
export function recoveries(
  all: readonly Silence[],
  happened: readonly Happened[],
): Map<string, number[]> {
  const worst = new Map(happened.map((fault) => [fault, 0]))
  const heavy = happened.filter(({ light }) => !light)
  const light = happened.filter(({ light }) => light)
  for (const { at, ms } of all) {
    const over = ({ from, to }: Happened): boolean => at - ms <= to + 1_000 && at >= from
    let met = heavy.filter(over)
    if (met.length === 0) met = light.filter(over)
    for (const fault of met) worst.set(fault, Math.max(worst.get(fault)!, ms))
  }
  const kinds = new Map<string, number[]>()
  for (const [{ name }, ms] of worst) kinds.set(name, [...(kinds.get(name) ?? []), ms])
  return kinds
}

/** Deliveries that were due and never came: of each channel's acknowledged events, to each of its readers. */
export function undelivered(
  readers: Iterable<{ readonly channels: readonly string[]; readonly record: Recording }>,
  acknowledged: readonly Answered[],
): number {
  let missing = 0
  for (const { channels, record } of readers) {
    const had = new Set<string>()
    for (const { seen } of record.entries()) {
      if (seen.kind === 'event' && seen.id !== null) had.add(seen.id)
    }
    const wanted = new Set(channels)
    for (const { channel, id } of acknowledged) if (wanted.has(channel) && !had.has(id)) missing++
  }
  return missing
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
