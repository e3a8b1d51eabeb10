/**
 * From bytes to items, and what has to be remembered from one connection to the next.
 *
 * Two ids, not to be mixed up: the SSE `id:` is the cursor of the whole stream and goes back as
 * Last-Event-ID; the `id` in an envelope is the event's own position and tells doubles.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { ControlData } from '../wire/control.js'
import { parsePosition } from '../wire/position.js'
import { GatewayError } from './gateway.js'
import type { Item, Member } from './items.js'

interface PresenceState {
  readonly channel: string
  readonly position: string
  readonly members: readonly Member[]
}

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

  function control(name: string, json: string): void {
    const data: unknown = JSON.parse(json)
    if (name === 'stream.ready') {
      const ready = data as ControlData['stream.ready']
      heartbeat = ready.heartbeat
      items.push({ type: 'ready', ...ready })
    } else if (name === 'stream.live') {
      items.push({ type: 'live', ...(data as ControlData['stream.live']) })
    } else if (name === 'stream.gap') {
      const gap = data as ControlData['stream.gap']
      // After a gap the log may be another one: rather an event twice than one taken for a double.
      newest.delete(gap.channel)
      ended.delete(gap.channel)
      items.push({ type: 'gap', ...gap })
    } else if (name === 'stream.end') {
      const end = data as ControlData['stream.end']
      // Said again at each opening; told once.
      if (!ended.has(end.channel)) items.push({ type: 'end', ...end })
      ended.add(end.channel)
    } else if (name === 'stream.expiring') {
      items.push({ type: 'expiring', ...(data as ControlData['stream.expiring']) })
    } else if (name === 'stream.bye') {
      const bye = data as ControlData['stream.bye']
      retry = bye.retry
      items.push({ type: 'bye', ...bye })
    } else if (name === 'presence.state') {
      items.push({ type: 'presence', ...(data as PresenceState) })
    }
  }

  function onEvent(block: EventSourceMessage): void {
    // Every block of the envelope format has data; in the raw one an `id:` may come alone, and the
    // parser would pass over it.
    if (block.id) cursor = block.id
    const name = block.event ?? 'message'
    // Control events are not of a channel's log: its position is that of the stream.
    if (name.startsWith('stream.') || name === 'presence.state') {
      control(name, block.data)
      return
    }
    const envelope = JSON.parse(block.data)
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
