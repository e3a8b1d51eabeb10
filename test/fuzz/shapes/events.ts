/** `/v1/events` and `/v1/channels`: reading and publishing. */
import type { Random } from '../../support/random.js'
import { bodyFor } from '../bodies.js'
import { one, sometimes } from '../chance.js'
import {
  CHANNELS,
  channel,
  framed,
  type Headers,
  json,
  type Maker,
  type Shape,
  session,
} from './shape.js'

/** The gateway remembers keys for minutes: as many as there are attacks would look like a leak. */
const KEYS = 500
const CURSORS = ['earliest', 'latest', '1763675123456-53248', `${Date.now()}-4096`]
const STARTS = [
  ...['rewind=5', 'rewind=90s', 'after=earliest', 'after=latest', 'after=1763675123456-53248'],
]

function channels(random: Random): string {
  const names = random.choose(CHANNELS, random.between(1, 5))
  return names.map((name) => `channel=${encodeURIComponent(name)}`).join('&')
}

/** A stream, which goes on until somebody hangs up. */
export function stream({ random }: Maker) {
  const query = [channels(random)]
  if (sometimes(random, 0.4)) query.push(one(random, STARTS))
  if (sometimes(random, 0.3)) query.push(`session=${session(random)}`)
  const headers: Headers = [['Accept', one(random, ['text/event-stream', '*/*'])]]
  if (sometimes(random, 0.2)) headers.push(['Last-Event-ID', one(random, CURSORS)])
  const method = one(random, ['GET', 'GET', 'GET', 'HEAD'])
  return { method, target: `/v1/events?${query.join('&')}`, headers }
}

export function poll({ random }: Maker) {
  const how = `${one(random, STARTS)}&wait=${random.between(0, 1)}&limit=${random.between(1, 1_000)}`
  const finite = sometimes(random, 0.5)
  const accept = finite ? 'text/event-stream' : 'application/json'
  const target = `/v1/events?${channels(random)}&${how}${finite ? '&mode=poll' : ''}`
  return { method: 'GET', target, headers: [['Accept', accept]] as Headers }
}

export function postedStream({ random }: Maker): Shape {
  const options = { channel: random.choose(CHANNELS, random.between(1, 5)), mode: 'poll', wait: 0 }
  return json('POST', '/v1/events/stream', options, random)
}

function keyed(random: Random, headers: Headers): Headers {
  if (!sometimes(random, 0.2)) return headers
  return [...headers, ['Idempotency-Key', `fuzz-${random.between(0, KEYS)}`]]
}

export function publish({ random }: Maker): Shape {
  const type = one(random, ['application/json', 'application/json; charset=utf-8', 'text/plain'])
  const extra = one(random, ['', '', '&name=token', '&ephemeral=true'])
  return {
    ...{ method: 'POST', target: `/v1/events?channel=${channel(random)}${extra}` },
    headers: keyed(random, [['Content-Type', type]]),
    body: bodyFor(random, type.startsWith('text') ? 'text' : 'value'),
    framing: framed(random),
  }
}

export function publishObjects({ random }: Maker): Shape {
  return {
    ...{ method: 'POST', target: '/v1/events' },
    headers: keyed(random, [['Content-Type', 'application/json']]),
    body: bodyFor(random, 'objects', channel(random)),
    framing: framed(random),
  }
}

/** A body whose items are appended as they come. */
export function upload({ random }: Maker) {
  const type = one(random, ['application/x-ndjson', 'text/event-stream'])
  return {
    ...{ method: 'POST', target: `/v1/events?channel=${channel(random)}` },
    headers: keyed(random, [['Content-Type', type]]),
    body: bodyFor(random, type === 'text/event-stream' ? 'sse' : 'ndjson'),
    framing: framed(random),
  }
}

export function aboutChannel({ random }: Maker): Shape {
  // Of what is deleted nothing is left to read: rarely.
  const method = one(random, ['GET', 'GET', 'HEAD', 'DELETE'])
  return { method, target: `/v1/channels?channel=${channel(random)}` }
}

export function closing({ random }: Maker): Shape {
  // Channels of its own: where all were closed nothing could be published any more.
  const target = `/v1/channels/close?channel=fuzz:closed:${random.between(0, 9)}`
  return json('POST', target, sometimes(random, 0.5) ? { reason: 'over' } : {}, random)
}
