/** From a subscription's options to what the hub understands. */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Page } from '../../auth/tickets.js'
import type { From } from '../../hub/origin.js'
import { MAX_INFO_BYTES } from '../../limits.js'
import { readableChannel } from '../../publish/channel.js'
import { checkedJson } from '../../publish/drafts.js'
import { isEndCursor, parseCursor } from '../../wire/cursor.js'
import { SluiceError } from '../../wire/errors.js'
import type { Format } from '../../wire/sse.js'
import type { SubscribeOptions } from '../schemas.js'

export interface Subscription {
  readonly channels: readonly string[]
  /** `end`: the server had ended this stream for good. */
  readonly from: From | 'end'
  /** The cursor as it came. */
  readonly presented: string | undefined
  readonly format: Format
  readonly mode: 'live' | 'poll'
  readonly waitMs: number
  readonly limit: number
  /** Public id of the session. */
  readonly session: string | undefined
  /** Whether it has the channels, too, that were put on its session. */
  readonly shares: boolean
  /** Instead of other credentials. */
  readonly ticket: string | undefined
  /** What the reader says of itself to those who are present with it; JSON text of an object. */
  readonly presence: string | undefined
  /** It reads without being present. */
  readonly unseen: boolean
}

export interface RequestBounds {
  readonly partitions: number
  readonly maxChannels: number
}

/** Throws what the client is to be told. `lastEventId`: the header. */
export function readSubscription(
  options: SubscribeOptions,
  lastEventId: string | undefined,
  { partitions, maxChannels }: RequestBounds,
): Subscription {
  const named = options.channel ?? []
  const channels = [...new Set(Array.isArray(named) ? named : [named])]
  const { ticket } = options
  // Whoever names none comes back with the same URL: the ticket itself is what stays the same.
  const session = sessionOf(options.session ?? ticket)
  // A ticket knows its channels, and a session may have some.
  if (channels.length === 0 && session === undefined) throw new SluiceError('channel_missing')
  if (channels.length > maxChannels) {
    throw new SluiceError('channels_too_many', { detail: `At most ${maxChannels} are allowed` })
  }
  for (const channel of channels) readableChannel(channel)
  const format = options.format ?? 'envelope'
  const unseen = options.presence?.trim() === 'false'
  if (format === 'raw' && (channels.length !== 1 || options.mode === 'poll')) {
    throw new SluiceError('option_invalid', {
      detail:
        'format=raw is for one channel and mode=live: its events don’t say where they are from',
    })
  }
  // An empty header or option is what a client sends that has no cursor yet.
  const after = lastEventId || options.after || options.lastEventId || options.last_event_id
  const symbolic = after === undefined || after === '' || after === 'latest' || after === 'earliest'
  return {
    channels,
    from: symbolic ? readStart(after, options.rewind) : readCursor(after, partitions),
    presented: symbolic ? undefined : after,
    format,
    mode: options.mode ?? 'live',
    waitMs: Number(options.wait ?? 25) * 1000,
    limit: Number(options.limit ?? 100),
    session,
    shares: session !== undefined && format === 'envelope',
    ticket,
    presence: options.presence === undefined || unseen ? undefined : presenceData(options.presence),
    unseen,
  }
}

/** Throws where it is no JSON object, or too large. */
export function presenceData(text: string): string {
  const json = checkedJson(text)
  const bytes = Buffer.byteLength(json)
  if (json.startsWith('{') && bytes <= MAX_INFO_BYTES) return json
  const fault = json.startsWith('{') ? `has ${bytes} bytes` : 'is no JSON object'
  throw new SluiceError('option_invalid', {
    detail: `"presence" ${fault}; it is an object of up to ${MAX_INFO_BYTES} bytes`,
  })
}

function readStart(after: string | undefined, rewind: string | undefined): From {
  if (after === 'earliest') return { from: 'earliest' }
  if (rewind === undefined) return { from: 'latest' }
  const unit = rewind.at(-1)!
  const ms = { s: 1_000, m: 60_000, h: 3_600_000 }[unit]
  if (ms === undefined) return { from: 'count', count: Number(rewind) }
  return { from: 'age', ms: Number(rewind.slice(0, -1)) * ms }
}

function readCursor(text: string, partitions: number): From | 'end' {
  if (isEndCursor(text)) return 'end'
  const cursor = parseCursor(text, partitions)
  if (cursor === undefined) throw new SluiceError('cursor_invalid')
  return { cursor }
}

/** The cursor that a browser sends by itself. */
export function lastEventIdOf(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['last-event-id']
  return Array.isArray(header) ? header[0] : header
}

/** Where a request comes from, as far as its browser says. */
export function pageOf(headers: IncomingHttpHeaders): Page {
  const { origin, host, 'sec-fetch-site': site } = headers
  return { origin, host, site: Array.isArray(site) ? site[0] : site }
}

/** The id that others may see: who knows it can't take the session over. */
export function publicSession(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url').slice(0, 22)
}

function sessionOf(secret: string | undefined): string | undefined {
  return secret === undefined ? undefined : publicSession(secret)
}
