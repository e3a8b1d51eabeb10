/** What a channel holds, page by page, in the frames that its stream would have brought. */
import type { Caller } from './caller.js'
import { createDecoder } from './decode.js'
import { GatewayError, gatewayError } from './gateway.js'
import type { EndItem, EventItem, GapItem } from './items.js'

/** What is told of a channel. */
export type Told = EventItem | GapItem | EndItem

/** Where reading begins. */
export type Place = { readonly after: string } | { readonly rewind: string | number }

export interface Page {
  readonly items: readonly Told[]
  /** The `after` of the next page; undefined where this one was empty and the channel is at its end. */
  readonly cursor: string | undefined
  readonly more: boolean
}

/** Of one channel, or several. Rejects with a GatewayError, with a network error, and where it takes too long. */
export function readPage(
  caller: Caller,
  channels: readonly string[],
  place: Place,
  limit: number,
  signal?: AbortSignal,
): Promise<Page> {
  return caller.inTime((signal) => read(caller, channels, place, limit, signal), signal)
}

async function read(
  caller: Caller,
  channels: readonly string[],
  place: Place,
  limit: number,
  signal: AbortSignal,
): Promise<Page> {
  const response = await caller.open('events', {
    query: [
      ...channels.map((it): [string, string] => ['channel', it]),
      ...Object.entries({ ...place, mode: 'poll', wait: 0, limit }),
    ],
    headers: { accept: 'text/event-stream' },
    signal,
  })
  const cursor = 'after' in place && place.after !== 'earliest' ? place.after : undefined
  if (response.status === 204) return { items: [], cursor, more: false }
  if (response.status !== 200) throw await gatewayError(response)
  const decoder = createDecoder(cursor)
  const items = decoder.feed(new TextEncoder().encode(await response.text()))
  const whole = items.some(({ type }) => type === 'live')
  // Overloaded, or not the gateway at all: an answer has its end, or says that there is more.
  if (!whole && decoder.retry !== 0) {
    throw new GatewayError(503, decoder.comment ?? 'the answer is cut', undefined, decoder.retry)
  }
  // Who came and went is told beside a channel that has presence: it is another channel's.
  const told = items.filter((it): it is Told => isTold(it) && channels.includes(it.channel))
  return { items: told, cursor: decoder.cursor, more: !whole }
}

export function isTold(item: { readonly type: string }): item is Told {
  return /^(?:event|gap|end)$/.test(item.type)
}
