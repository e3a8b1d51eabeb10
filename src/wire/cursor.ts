/**
 * Cursors: where a stream stands, over all its channels. What stands in the SSE `id:` line and comes
 * back as Last-Event-ID. Opaque to clients; made of `A–Z a–z 0–9 . _ -` only.
 *
 * One partition: the position itself, `1763675123456-53248`, however many channels.
 *
 * Several: one position for each partition that the stream touches, as differences to the newest:
 *
 *     p S NNNNNNN  P TTT CC D…  P TTT CC D…
 *       │ newest   │ │   │  └ ms before the newest, 5 bits a digit, the last digit below 32
 *       │ ms       │ │   └ counter
 *       │          │ └ tag of the process
 *       │          └ partition
 *       └ how many partitions the log has, less one
 *
 * Digits are base64url, most significant first; no separators, for the whole must stay short: of
 * sixteen positions within twelve days the newest takes 7 characters and each other at most 12, which
 * makes 9 + 7 + 15 × 12 = 196. Every cursor has exactly one spelling, and only that one is read.
 *
 * A cursor of a log that was partitioned otherwise is well formed all the same: refusing it would end
 * every native EventSource for good at the moment when a deployment changes. Its position (the least of
 * them, for a vector) then stands for every partition of this log, where `Log.locate` judges it.
 * Rejected: reading it for the partitions that it names. A channel that lived in another partition there
 * would be read from a position that never spoke of it, and what lies before would be missed without a
 * word; that is why a vector says how many partitions there are.
 *
 * It also means that the id of an event is a cursor in every deployment: exact for the channels of its
 * own partition, for others the same moment by their own clock.
 *
 * `end.` before a cursor: the server ended this stream for good; an opening with it is answered 204.
 */
import {
  BY_CLOCK,
  COUNTERS,
  formatPosition,
  MAX_MS,
  msOf,
  ORIGIN,
  type Position,
  PROCESS_TAGS,
  parsePosition,
  tagOf,
} from './position.js'

/** Position by partition. A partition that is not in it was never read by this stream. */
export type Cursor = ReadonlyMap<number, Position>

/** Longest cursor that is looked at; longer ones are refused unread. */
export const MAX_CURSOR_LENGTH = 1024

const END = 'end.'
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const MS_DIGITS = 7

function digits(value: number, count: number): string {
  let text = ''
  let rest = value
  for (let i = 0; i < count; i++) {
    text = DIGITS[rest % 64] + text
    rest = Math.floor(rest / 64)
  }
  return text
}

function varint(value: number): string {
  let text = DIGITS[value % 32]!
  let rest = Math.floor(value / 32)
  while (rest > 0) {
    text = DIGITS[32 + (rest % 32)] + text
    rest = Math.floor(rest / 32)
  }
  return text
}

/** The text of a cursor. `partitions`: how many the log has, 1–64; with one, it is the position. */
export function formatCursor(cursor: Cursor, partitions: number): string {
  if (partitions === 1) {
    const { order, tag } = cursor.get(0) ?? ORIGIN
    return formatPosition(order, tag)
  }
  return formatVector(cursor, partitions)
}

function formatVector(cursor: Cursor, partitions: number): string {
  let newest = 0
  for (const { order } of cursor.values()) newest = Math.max(newest, msOf(order))
  let text = `p${digits(partitions - 1, 1)}${digits(newest, MS_DIGITS)}`
  for (const [partition, { order, tag }] of cursor) {
    const ms = msOf(order)
    const counter = order - ms * COUNTERS
    const process = tag % PROCESS_TAGS
    text += digits(partition, 1) + digits(process, 3) + digits(counter, 2) + varint(newest - ms)
  }
  return text
}

/**
 * Reads a cursor; undefined where no log could have given it out. Where a log with another number of
 * partitions did, its least position stands for every partition.
 */
export function parseCursor(text: string, partitions: number): Cursor | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined
  const position = parsePosition(text)
  if (position !== undefined) return everywhere(position, partitions)
  const vector = parseVector(text)
  if (vector === undefined || vector.partitions === partitions) return vector?.cursor
  return everywhere(least(vector.cursor), partitions)
}

function everywhere(position: Position, partitions: number): Cursor {
  if (partitions === 1) return new Map([[0, position]])
  const { order, tag } = position
  // In a cluster each partition may have another writer: known is only the time.
  const own = Math.floor(tag / PROCESS_TAGS)
  const all = Array.from({ length: partitions }, (_, i) => ({
    order,
    tag: i === own ? tag : BY_CLOCK,
  }))
  return new Map(all.entries())
}

function least(cursor: Cursor): Position {
  return [...cursor.values()].reduce((a, b) => (b.order < a.order ? b : a))
}

function parseVector(text: string): { partitions: number; cursor: Cursor } | undefined {
  if (!text.startsWith('p')) return undefined
  let at = 1
  const take = (count: number): number => {
    let value = 0
    for (let i = 0; i < count; i++) {
      const digit = DIGITS.indexOf(text.charAt(at++) || '?')
      if (digit < 0) return Number.NaN
      value = value * 64 + digit
    }
    return value
  }
  const takeVarint = (): number => {
    let value = 0
    for (;;) {
      const digit = take(1)
      if (Number.isNaN(digit) || value > Number.MAX_SAFE_INTEGER / 64) return Number.NaN
      value = value * 32 + (digit % 32)
      if (digit < 32) return value
    }
  }
  const partitions = take(1) + 1
  const newest = take(MS_DIGITS)
  const cursor = new Map<number, Position>()
  while (at < text.length) {
    const partition = take(1)
    const process = take(3)
    const counter = take(2)
    const ms = newest - takeVarint()
    // Written so that NaN, which a foreign digit gives, fails every comparison.
    if (!(partition < partitions && process >= 0 && counter < COUNTERS && ms >= 0 && ms < MAX_MS)) {
      return undefined
    }
    cursor.set(partition, { order: ms * COUNTERS + counter, tag: tagOf(partition, process) })
  }
  // One partition's cursor is never a vector, and no stream is without a channel. Writing it again
  // finds a partition that stands twice, padded numbers and a newest that isn't the newest.
  if (partitions === 1 || cursor.size === 0) return undefined
  return formatVector(cursor, partitions) === text ? { partitions, cursor } : undefined
}

/** Marks a cursor as the end of its stream. */
export function endCursor(cursor: string): string {
  return END + cursor
}

/** Whether a text is a cursor that says that its stream was ended for good. */
export function isEndCursor(text: string): boolean {
  return text.startsWith(END) && parseCursor(text.slice(END.length), 1) !== undefined
}
