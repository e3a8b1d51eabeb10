/**
 * Bodies: read whole within a limit and a time, as text that is known to be UTF-8, or handed on as a
 * stream. Content types are matched exactly: `application/jsonx` is not JSON.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SluiceError } from '../wire/errors.js'

/** Milliseconds that a body read whole may take: a sender who drips bytes holds memory. */
export const BODY_MS = 8_000
/** How often that is looked at. */
const SWEEP_MS = 1_000

/** What a handler gets as `request.body`. */
export type Body =
  | { readonly type: 'json' | 'text'; readonly text: string }
  | { readonly type: 'ndjson' | 'sse'; readonly stream: FastifyRequest['raw'] }

const TYPES: Record<string, Body['type']> = {
  'application/json': 'json',
  'text/plain': 'text',
  'application/x-ndjson': 'ndjson',
  'text/event-stream': 'sse',
}

/** type "/" subtype, then parameters (RFC 9110 § 8.3.1); of parameters only the charset means anything. */
const MEDIA_TYPE = /^([a-z]+\/[a-z0-9.+-]+)[ ]*((?:;[ ]*[a-z0-9-]+=(?:[^\s;"]+|"[^"]*")[ ]*)*);?$/

/** Content types seen, for clients send the same few for ever. Bounded: whoever sends many different ones gains nothing. */
const seen = new Map<string, Body['type']>()
const MAX_SEEN = 100

function knownBodyType(contentType: string): Body['type'] {
  let type = seen.get(contentType)
  if (type === undefined) {
    type = bodyType(contentType)
    if (seen.size < MAX_SEEN) seen.set(contentType, type)
  }
  return type
}

/** The kind of body a Content-Type promises. */
export function bodyType(contentType: string): Body['type'] {
  const match = MEDIA_TYPE.exec(contentType.toLowerCase().trimEnd())
  const type = match === null ? undefined : TYPES[match[1]!]
  const charset = /charset="?([^\s;"]+)/.exec(match?.[2] ?? '')?.[1] ?? 'utf-8'
  if (type === undefined || !['utf-8', 'utf8', 'us-ascii'].includes(charset)) {
    throw new SluiceError('media_type_unsupported')
  }
  return type
}

const EMPTY = Buffer.alloc(0)

type Done = (error: Error | null, text?: string) => void

interface Reading {
  readonly since: number
  fail(error: SluiceError): void
}

export interface BodyLimits {
  /** Bytes of a body that is read whole. */
  readonly maxBytes: number
  /** Milliseconds it may take. Default: BODY_MS. */
  readonly bodyMs?: number | undefined
}

export function registerBodies(
  app: FastifyInstance,
  { maxBytes, bodyMs = BODY_MS }: BodyLimits,
): void {
  const readings = new Set<Reading>()
  const sweeper = setInterval(
    () => {
      const late = Date.now() - bodyMs
      for (const reading of readings) {
        if (reading.since < late) reading.fail(new SluiceError('body_timeout'))
      }
    },
    Math.min(SWEEP_MS, bodyMs),
  )
  sweeper.unref()
  app.addHook('onClose', async () => clearInterval(sweeper))

  function readWhole(stream: FastifyRequest['raw'], done: Done): void {
    if (Number(stream.headers['content-length'] ?? 0) > maxBytes) {
      done(new SluiceError('body_too_large'))
      return
    }
    let whole: Buffer | undefined
    let chunks: Buffer[] | undefined
    let size = 0
    const finish = (error: Error | null, text?: string) => {
      if (!readings.delete(reading)) return
      // What still comes is taken and forgotten: the answer has to find its way back.
      if (error !== null) stream.removeAllListeners('data').resume()
      done(error, text)
    }
    const reading: Reading = { since: Date.now(), fail: (error) => finish(error) }
    readings.add(reading)
    stream.on('data', (bytes: Buffer) => {
      size += bytes.length
      if (size > maxBytes) finish(new SluiceError('body_too_large'))
      else if (whole === undefined) whole = bytes
      else if (chunks === undefined) chunks = [whole, bytes]
      else chunks.push(bytes)
    })
    stream.on('end', () => {
      const bytes = chunks === undefined ? (whole ?? EMPTY) : Buffer.concat(chunks)
      if (isUtf8(bytes)) finish(null, bytes.toString('utf8'))
      else finish(new SluiceError('body_invalid', { detail: 'The body is not UTF-8' }))
    })
    stream.on('error', finish)
    stream.on('close', () => {
      if (readings.has(reading)) finish(new SluiceError('body_invalid', { detail: 'It broke off' }))
    })
  }

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (request, payload, done) => {
    const encoding = request.headers['content-encoding'] ?? 'identity'
    let type: Body['type']
    try {
      if (encoding !== 'identity') throw new SluiceError('media_type_unsupported')
      type = knownBodyType(request.headers['content-type'] ?? '')
    } catch (error) {
      return done(error as Error)
    }
    if (type === 'ndjson' || type === 'sse') return done(null, { type, stream: request.raw })
    readWhole(payload as FastifyRequest['raw'], (error, text) => {
      if (error === null) done(null, { type, text })
      else done(error)
    })
  })
}
