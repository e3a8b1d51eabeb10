/**
 * SSE blocks as text. HTML Living Standard § 9.2: lines end at LF, CR or CRLF; one space after the
 * colon is stripped, so one is always written; a blank line dispatches.
 */
import {
  DEFAULT_NAME,
  type EphemeralEvent,
  envelopeJson,
  envelopeName,
  type StoredEvent,
} from './event.js'
import { formatPosition } from './position.js'

/** `envelope`: data is the event's JSON envelope. `raw`: data is the event's data itself. */
export type Format = 'envelope' | 'raw'

/** `data:` lines of a text. Any of the three line ends splits, for a bare CR would inject a field. */
export function dataLines(text: string): string {
  if (!/[\r\n]/.test(text)) return `data: ${text}\n`
  return `data: ${text.split(/\r\n|\r|\n/).join('\ndata: ')}\n`
}

/**
 * What a raw reader sees of JSON data: a string as it is, anything else as its JSON text. UTF-8 has no
 * bytes for a lone surrogate, which only an escape can hold: a raw reader sees U+FFFD in its place.
 */
export function rawData(json: string): string {
  // A JSON text that begins with a quote (RFC 8259 allows white space before it) is a string.
  return /^[ \t\r\n]*"/.test(json) ? (JSON.parse(json) as string) : json
}

/** An `id:` line. A cursor's grammar has neither line ends nor NUL, so nothing is escaped here. */
export function idLine(cursor: string): string {
  return `id: ${cursor}\n`
}

/** An event without its `id:` line. */
export function eventBlock(event: StoredEvent | EphemeralEvent, format: Format): string {
  const raw = format === 'raw'
  const name = raw ? event.name : envelopeName(event)
  const data = raw ? rawData(event.data) : envelopeJson(event)
  return `${name === DEFAULT_NAME ? '' : `event: ${name}\n`}${dataLines(data)}\n`
}

/** An event with the position itself as its cursor. */
export function eventBlockWithId(event: StoredEvent, format: Format): string {
  return idLine(formatPosition(event.order, event.tag)) + eventBlock(event, format)
}

/** A comment: keeps a connection warm, moves nothing. */
export function comment(text: string): string {
  return `: ${text.replace(/[\r\n]+/g, ' ')}\n\n`
}

/** A named block with JSON data; `id` left out where the cursor doesn't move. */
export function namedBlock(name: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : idLine(id)}event: ${name}\n${dataLines(JSON.stringify(data))}\n`
}

/** `retry:` in whole milliseconds; a line of the block that follows. */
export function retryLine(ms: number): string {
  return `retry: ${Math.round(ms)}\n`
}
