/** Events as they travel: names, data, and their JSON. */
import { formatPosition, msOf, type Position } from './position.js'

/** What an event is called when its publisher gave no name; EventSource's own default. */
export const DEFAULT_NAME = 'message'
/** Longest event name, in characters. */
export const MAX_NAME_LENGTH = 100

/** An event as the log keeps it and every reader gets it. */
export interface StoredEvent extends Position {
  readonly channel: string
  readonly name: string
  /** JSON text exactly as it came: never parsed and built anew, so big numbers survive. */
  readonly data: string
  /** Subject of the publisher's token; stamped by the server. */
  readonly sender: string | undefined
}

/** An event for whoever is live now: not logged, without a position. */
export interface EphemeralEvent {
  readonly channel: string
  readonly name: string
  readonly data: string
  readonly sender: string | undefined
  /** Milliseconds since the epoch. */
  readonly time: number
}

const SERVER_NAMES = /^(?:stream|presence|participant|room|signal)\./

/**
 * What an `event:` line can't carry to every reader. C0 controls hold the line ends of SSE and NUL;
 * U+0085, U+2028 and U+2029 end lines too where a reader splits with Python's `splitlines` and its
 * like; a lone surrogate has no UTF-8 and would arrive as U+FFFD, another name.
 */
const UNCARRIED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u
/** By the standard one leading space is dropped, and it is written; readers that trim are common. */
const EDGE_SPACE = /^\s|\s$/

/** Whether a name is one of the server's own. */
export function isServerName(name: string): boolean {
  return SERVER_NAMES.test(name)
}

/**
 * Any name that an `event:` line carries, also `error`, and white space at its edges: what the producer of
 * a run may call its events, for its readers' formats have names of their own.
 */
export function isCarried(name: string): boolean {
  return name.length > 0 && name.length <= MAX_NAME_LENGTH && !UNCARRIED.test(name)
}

/** Why `name` can't be an event's name; undefined where it can. */
export function nameFault(name: string): string | undefined {
  if (name.length === 0 || name.length > MAX_NAME_LENGTH) {
    return `an event name has 1–${MAX_NAME_LENGTH} characters`
  }
  if (UNCARRIED.test(name)) {
    return 'an event name has no control characters, line separators or lone surrogates'
  }
  if (EDGE_SPACE.test(name)) return 'an event name neither begins nor ends with white space'
  if (name === 'error' || name === 'open') {
    return `"${name}" is EventSource's own; choose another event name`
  }
  if (isServerName(name)) {
    return `names beginning with "${name.slice(0, name.indexOf('.') + 1)}" belong to the server`
  }
  return undefined
}

/**
 * What an event is called beside envelopes. A run's upstream calls its events what it likes: by a name of
 * the server's one of them would steer a stream over many channels, by one that no line carries it would
 * break it. Readers of the raw format, which has no control events, get it as it came.
 */
export function envelopeName({ channel, name }: StoredEvent | EphemeralEvent): string {
  if (name === DEFAULT_NAME || !channel.startsWith('run:')) return name
  return isCarried(name) && !isServerName(name) ? name : DEFAULT_NAME
}

/** The JSON that an SSE envelope carries: everything but the name, which is the SSE `event:` field. */
export function envelopeJson(event: StoredEvent | EphemeralEvent): string {
  return `{${idMember(event)}${restOfJson(event)}`
}

/** The JSON of a long poll's event: the envelope with its name inside. */
export function eventJson(event: StoredEvent | EphemeralEvent): string {
  return `{${idMember(event)}"name":${JSON.stringify(envelopeName(event))},${restOfJson(event)}`
}

function idMember(event: StoredEvent | EphemeralEvent): string {
  return 'order' in event ? `"id":"${formatPosition(event.order, event.tag)}",` : ''
}

function restOfJson(event: StoredEvent | EphemeralEvent): string {
  // Channel names need no escaping: their grammar has no character that JSON escapes.
  const sender = event.sender === undefined ? '' : `,"sender":${JSON.stringify(event.sender)}`
  const time = 'order' in event ? msOf(event.order) : event.time
  return `"channel":"${event.channel}","data":${event.data}${sender},"time":${time}}`
}
