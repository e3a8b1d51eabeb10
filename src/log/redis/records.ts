/**
 * How entries look in a stream and in a Pub/Sub message. Not JSON: the data's text passes through
 * untouched, and a message is read with a few indexOf.
 *
 *     event       E order US tag US prev US name US sender US data
 *     end         X order US tag US prev US reason
 *     ephemeral   L time US name US sender US data
 *     deletion    D order US tag, the tag that of whoever deletes
 *     hole        O order US tag US prev US end US of-tag      what came after `end` was lost
 *     hole        W order                                      in every channel of the partition
 *
 * Several of one channel are joined by RS. A stream's field holds what begins with `prev`. Valid
 * JSON holds neither separator (RFC 8259 § 7: control characters in strings are escaped); names,
 * senders and reasons that do are written as JSON strings.
 */
import { DEFAULT_NAME, type EphemeralEvent } from '../../wire/event.js'
import { parsePosition } from '../../wire/position.js'
import type { EndEntry, Entry } from '../log.js'
import type { Hole } from './epochs.js'

export const US = '\x1f'
export const RS = '\x1e'

/** A text as a field; undefined is the empty field, the empty text a pair of quotes. */
export function encodeText(text: string | null | undefined): string {
  if (text === undefined || text === null) return ''
  return text === '' || text.startsWith('"') || /[\x00-\x1f]/.test(text)
    ? JSON.stringify(text)
    : text
}

function decodeText(field: string): string | undefined {
  if (field === '') return undefined
  return field.startsWith('"') ? (JSON.parse(field) as string) : field
}

/** Most events have the default name, so it costs nothing. */
export function encodeName(name: string): string {
  return name === DEFAULT_NAME ? '' : encodeText(name)
}

export interface MessageSink {
  entry(entry: Entry): void
  ephemeral(event: EphemeralEvent): void
  /** `tag`: the process that deleted. */
  deleted(channel: string, upTo: number, tag: number): void
  hole(channel: string, order: number): void
  wideHole(order: number): void
}

/** Cuts a record into its first `count` fields and the rest, which may hold anything. */
function cut(record: string, from: number, count: number): string[] {
  const fields: string[] = []
  let at = from
  for (let i = 0; i < count; i++) {
    const end = record.indexOf(US, at)
    fields.push(record.slice(at, end))
    at = end + 1
  }
  fields.push(record.slice(at))
  return fields
}

export function readMessage(channel: string, message: string, sink: MessageSink): void {
  if (!message.includes(RS)) readRecord(channel, message, sink)
  else for (const record of message.split(RS)) readRecord(channel, record, sink)
}

function readRecord(channel: string, record: string, sink: MessageSink): void {
  switch (record.charAt(0)) {
    case 'E': {
      const [order, tag, prev, name, sender, data] = cut(record, 1, 5) as Six
      sink.entry({
        kind: 'event',
        order: Number(order),
        tag: Number(tag),
        prev: Number(prev),
        channel,
        name: decodeText(name) ?? DEFAULT_NAME,
        data,
        sender: decodeText(sender),
      })
      break
    }
    case 'X': {
      const [order, tag, prev, reason] = cut(record, 1, 3) as Four
      sink.entry(endEntry(channel, order, tag, prev, reason))
      break
    }
    case 'L': {
      const [time, name, sender, data] = cut(record, 1, 3) as Four
      sink.ephemeral({
        channel,
        name: decodeText(name) ?? DEFAULT_NAME,
        data,
        sender: decodeText(sender),
        time: Number(time),
      })
      break
    }
    case 'D': {
      const [upTo, tag] = record.slice(1).split(US).map(Number) as [number, number]
      sink.deleted(channel, upTo, tag)
      break
    }
    case 'O':
      sink.hole(channel, Number.parseInt(record.slice(1), 10))
      break
    case 'W':
      sink.wideHole(Number(record.slice(1)))
      break
    // Another kind is from a later version: not for us.
  }
}

type Four = [string, string, string, string]
type Six = [string, string, string, string, string, string]

export function endEntry(
  channel: string,
  order: string,
  tag: string,
  prev: string,
  reason: string,
): EndEntry {
  return {
    kind: 'end',
    order: Number(order),
    tag: Number(tag),
    prev: Number(prev),
    channel,
    reason: decodeText(reason) ?? null,
  }
}

/** A place in a stream where something is missing. */
export interface HoleEntry extends Hole {
  readonly kind: 'hole'
  readonly prev: number
}

/** An entry of a stream, as XRANGE gives it. */
export function storedEntry(channel: string, [id, [field, value]]: StreamEntry): Entry | HoleEntry {
  const { order, tag } = parsePosition(id) ?? { order: 0, tag: 0 }
  if (field === 'o') {
    const [prev, end, of] = value.split(US).map(Number) as [number, number, number]
    return { kind: 'hole', order, tag, prev, since: { order: end, tag: of } }
  }
  if (field === 'e') {
    const [prev, reason] = cut(value, 0, 1) as [string, string]
    return endEntry(channel, String(order), String(tag), prev, reason)
  }
  const [prev, name, sender, data] = cut(value, 0, 3) as Four
  return {
    kind: 'event',
    order,
    tag,
    prev: Number(prev),
    channel,
    name: decodeText(name) ?? DEFAULT_NAME,
    data,
    sender: decodeText(sender),
  }
}

export type StreamEntry = [id: string, fields: [field: string, value: string]]
