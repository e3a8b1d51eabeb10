/**
 * From bytes to items, and what has to be remembered from one connection to the next.
 *
 * Two ids, not to be mixed up: the SSE `id:` is the cursor of the whole stream and goes back as
 * Last-Event-ID; the `id` in an envelope is the event's own position and tells doubles.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { parsePosition } from '../wire/position.js'
import { GatewayError } from './gateway.js'
import type { Item } from './items.js'

/** Control events that a reader is given, `stream.` left out. */
const CONTROL = /^(?:ready|live|gap|end|expiring|bye|presence)$/
/** Characters of one SSE block. Beyond it the stream is given up: it isn't the gateway that speaks. */
const MAX_BLOCK = 2 ** 26

export interface Decoder {
  /** Items of the whole blocks that have arrived. */
  feed(chunk: Uint8Array): Item[]
  /** A new connection: what is left of a block that was cut in the middle is forgotten. */
  restart(): void
  /** For Last-Event-ID; undefined before the first `id:`. */
  readonly cursor: string | undefined
  /** Milliseconds that the server asks to wait before a reconnect. */
  readonly retry: number
  /** Milliseconds between signs of life. */
  readonly heartbeat: number
  /** The last comment, which says why an overloaded server ends a stream at once. */
  readonly comment: string | undefined
  /** Channels that have ended so far. */
  readonly ended: number
  /** Whether the channel was read up to this event, or beyond it. */
  has(channel: string, id: string): boolean
  /** The next connection is another stream, from elsewhere. */
  leave(): void
  /** A channel that isn't read any more: nothing of it is remembered. */
  forget(channel: string): void
}

/**
 * `from`: where to go on. `textOf`: finds an event's data in the text of its envelope; without it the
 * text is made anew from what was parsed, and a big number in it has lost digits.
 */
export function createDecoder(
  from?: string,
  textOf?: (envelope: string) => string | undefined,
): Decoder {
  let cursor = from
  let retry = 1000
  let heartbeat = 15_000
  let comment: string | undefined
  let items: Item[] = []
  let text = new TextDecoder()
  /** Order of the newest event by channel. */
  const newest = new Map<string, number>()
  const ended = new Set<string>()

  function isDouble(channel: string, id: string | undefined): boolean {
    const order = id === undefined ? undefined : parsePosition(id)?.order
    if (order === undefined) return false
    if (order <= (newest.get(channel) ?? -1)) return true
    newest.set(channel, order)
    return false
  }

  function control(type: string, data: object): void {
    // Of an event that is newer than this client nobody has to hear.
    if (!CONTROL.test(type)) return
    const item = { type, ...data } as Exclude<Item, { type: 'event' }>
    if (item.type === 'ready') heartbeat = item.heartbeat
    if (item.type === 'bye') retry = item.retry
    if (item.type === 'gap') {
      // After a gap the log may be another one: rather an event twice than one taken for a double.
      newest.delete(item.channel)
      ended.delete(item.channel)
    }
    if (item.type === 'end') {
      // Said again at each opening; told once.
      if (ended.has(item.channel)) return
      ended.add(item.channel)
    }
    items.push(item)
  }

  function onEvent(block: EventSourceMessage): void {
    // Every block of the envelope format has data; in the raw one an `id:` may come alone, and the
    // parser would pass over it.
    if (block.id) cursor = block.id
    const name = block.event ?? 'message'
    const envelope = JSON.parse(block.data)
    // All events have a time, no control event has: by its name an event of whoever may publish would steer
    // the stream. Who is present is told of the stream, too: it stands in no channel's log.
    if (!envelope.time) {
      control(name.replace(/^stream\.|\.state$/g, ''), envelope)
      return
    }
    if (isDouble(envelope.channel, envelope.id)) return
    ended.delete(envelope.channel)
    items.push({
      type: 'event',
      id: envelope.id,
      channel: envelope.channel,
      name,
      data: envelope.data,
      get json() {
        return textOf?.(block.data) ?? JSON.stringify(envelope.data ?? null)
      },
      sender: envelope.sender,
      time: envelope.time,
      cursor,
    })
  }

  const parser = createParser({
    onEvent,
    onRetry: (ms) => {
      retry = ms
    },
    onComment: (said) => {
      comment = said
    },
    maxBufferSize: MAX_BLOCK,
  })

  return {
    feed(chunk) {
      try {
        parser.feed(text.decode(chunk, { stream: true }))
      } catch (error) {
        // Trying again would bring the same bytes again.
        throw new GatewayError(200, `the stream can't be read: ${(error as Error).message}`)
      }
      const whole = items
      items = []
      return whole
    },
    restart() {
      parser.reset()
      text = new TextDecoder()
      comment = undefined
    },
    get cursor() {
      return cursor
    },
    get retry() {
      return retry
    },
    get heartbeat() {
      return heartbeat
    },
    get comment() {
      return comment
    },
    get ended() {
      return ended.size
    },
    has: (channel, id) => (parsePosition(id)?.order ?? 0) <= (newest.get(channel) ?? -1),
    leave() {
      cursor = undefined
      newest.clear()
      ended.clear()
    },
    forget(channel) {
      newest.delete(channel)
      ended.delete(channel)
    },
  }
}
