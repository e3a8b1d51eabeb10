/**
 * Cursors: where a stream stands, over all its channels. What stands in the SSE `id:` line and comes
 * back as Last-Event-ID. Opaque to clients.
 *
 * One partition: the position itself, `1763675123456-53248`, however many channels.
 *
 * Several: one position for each partition that the stream touches, as differences to the newest:
 *
 *     p NNNNNNN  P TTT CC D…  P TTT CC D…
 *       newest   │ │   │  └ ms before the newest, 5 bits a digit, the last digit below 32
 *       ms       │ │   └ counter   └ partition, tag, counter …
 *                │ └ tag
 *                └ partition
 *
 * Digits are base64url, most significant first; no separators, for the whole must stay short: sixteen
 * positions within twelve days take at most 8 + 16 × 12 = 200 characters.
 *
 * `end.` before a cursor: the server ended this stream for good; an opening with it is answered 204.
 */
import {
  COUNTERS,
  formatPosition,
  msOf,
  ORIGIN,
  type Position,
  parsePosition,
  TAGS,
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

/** The text of a cursor. `partitions`: how many the log has; with one, the cursor is the position. */
export function formatCursor(cursor: Cursor, partitions: number): string {
  if (partitions === 1) {
    const { order, tag } = cursor.get(0) ?? ORIGIN
    return formatPosition(order, tag)
  }
  let newest = 0
  for (const { order } of cursor.values()) newest = Math.max(newest, msOf(order))
  let text = `p${digits(newest, MS_DIGITS)}`
  for (const [partition, { order, tag }] of cursor) {
    const ms = msOf(order)
    const counter = order - ms * COUNTERS
    text += DIGITS[partition] + digits(tag, 3) + digits(counter, 2) + varint(newest - ms)
  }
  return text
}

/** Reads a cursor; undefined where the text isn't one that a log with `partitions` could have given. */
export function parseCursor(text: string, partitions: number): Cursor | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined
  const single = parsePosition(text)
  if (single !== undefined) return new Map([[0, single]])
  return text.startsWith('p') ? parseVector(text, partitions) : undefined
}

function parseVector(text: string, partitions: number): Cursor | undefined {
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
  const newest = take(MS_DIGITS)
  const cursor = new Map<number, Position>()
  while (at < text.length) {
    const partition = take(1)
    const tag = take(3)
    const counter = take(2)
    const ms = newest - takeVarint()
    if (!(partition < partitions && tag < TAGS && counter < COUNTERS && ms >= 0 && ms < 2 ** 41)) {
      return undefined
    }
    cursor.set(partition, { order: ms * COUNTERS + counter, tag })
  }
  return Number.isNaN(newest) ? undefined : cursor
}

/** Marks a cursor as the end of its stream. */
export function endCursor(cursor: string): string {
  return END + cursor
}

/** Whether a well-formed cursor says that its stream was ended for good. */
export function isEndCursor(text: string): boolean {
  return text.startsWith(END)
}
