/**
 * Positions: where an event stands in its partition.
 *
 *     1763675123456-53248
 *     └── ms ─────┘ └ n = tag × 4096 + counter,  tag = partition × 2^18 + process
 *
 * A hybrid clock. `ms` never steps back, `counter` (0–4095) tells events of one millisecond apart,
 * `tag` names the partition (6 bits) and the process (18 bits) that wrote the event: a process writes to
 * all its partitions in the same milliseconds, and two processes may believe themselves to be the
 * writer; no id names two events.
 *
 * Inside the gateway a position is `{order, tag}`. `order = ms × 4096 + counter` is an exact double
 * until the year 2039 and compares with `<`: within one lineage of a partition it is unique on its
 * own, for another tag only ever starts at a later millisecond. Rejected: bigint (allocates on every
 * comparison) and comparing strings (`9` > `10`).
 */
export interface Position {
  /** `ms × 4096 + counter`. Increases strictly within a partition. */
  readonly order: number
  /** Partition and process that wrote, 0 … TAGS − 1. */
  readonly tag: number
}

/** Counters per millisecond. */
export const COUNTERS = 4096
/** Tags of processes end before this: 3 base64 digits in a cursor. */
export const PROCESS_TAGS = 2 ** 18
/** Partitions of a log at most. */
export const MAX_PARTITIONS = 64
/** Tags end before this. With one partition, `n` is a small integer to V8. */
export const TAGS = MAX_PARTITIONS * PROCESS_TAGS

/** The tag of a process in a partition. */
export function tagOf(partition: number, process: number): number {
  return partition * PROCESS_TAGS + process
}

/** Milliseconds end before this, in September 2039: `order` stays below 2^53. */
export const MAX_MS = 2 ** 41

/** Instead of a tag: whoever wrote at that time. Only for `Log.locate`, which answers with the tag. */
export const BY_CLOCK = -1

/** Before everything. */
export const ORIGIN: Position = { order: 0, tag: 0 }

// Leading zeros are refused: one position has one spelling.
const GRAMMAR = /^(0|[1-9]\d{0,13})-(0|[1-9]\d{0,10})$/

/** Milliseconds since the epoch of a position's order. */
export function msOf(order: number): number {
  return Math.floor(order / COUNTERS)
}

/** `<ms>-<n>`. */
export function formatPosition(order: number, tag: number): string {
  const ms = Math.floor(order / COUNTERS)
  return `${ms}-${tag * COUNTERS + (order - ms * COUNTERS)}`
}

/** Reads `<ms>-<n>`; undefined where it isn't one. */
export function parsePosition(text: string): Position | undefined {
  const match = GRAMMAR.exec(text)
  if (match === null) return undefined
  const ms = Number(match[1])
  const n = Number(match[2])
  if (ms >= MAX_MS || n >= TAGS * COUNTERS) return undefined
  return { order: ms * COUNTERS + (n % COUNTERS), tag: Math.floor(n / COUNTERS) }
}
