/**
 * Bodies: read whole within a limit and a time, as text that is known to be UTF-8, or handed on as a
 * stream. Content types are matched exactly: `application/jsonx` is not JSON.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SluiceError } from '../wire/errors.js'

/** Milliseconds that a body read whole may take: a sender who drips bytes holds memory. */
const BODY_MS = 8_000

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

interface Reading {
  readonly since: number
  fail(error: SluiceError): void
}

export function registerBodies(app: FastifyInstance, maxBytes: number): void {
  const readings = new Set<Reading>()
  const sweeper = setInterval(() => {
    const late = Date.now() - BODY_MS
    for (const reading of readings) {
      if (reading.since < late) reading.fail(new SluiceError('body_timeout'))
    }
  }, 1_000)
  sweeper.unref()
  app.addHook('onClose', async () => clearInterval(sweeper))

  function readWhole(
    stream: FastifyRequest['raw'],
    done: (e: Error | null, text?: string) => void,
  ) {
    const declared = Number(stream.headers['content-length'] ?? 0)
    if (declared > maxBytes) return done(new SluiceError('body_too_large'))
    const chunks: Buffer[] = []
    let size = 0
    const finish = (error: Error | null, text?: string) => {
      if (!readings.delete(reading)) return
      stream.removeAllListeners('data')
      if (error !== null) stream.resume()
      done(error, text)
    }
    const reading: Reading = { since: Date.now(), fail: (error) => finish(error) }
    readings.add(reading)
    stream.on('data', (bytes: Buffer) => {
      size += bytes.length
      if (size > maxBytes) finish(new SluiceError('body_too_large'))
      else chunks.push(bytes)
    })
    stream.on('end', () => {
      const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      if (isUtf8(whole)) finish(null, whole.toString('utf8'))
      else finish(new SluiceError('body_invalid', { detail: 'The body is not UTF-8' }))
    })
    stream.on('error', (error) => finish(error))
    stream.on('close', () => finish(new SluiceError('body_invalid', { detail: 'It broke off' })))
  }

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (request, payload, done) => {
    const encoding = request.headers['content-encoding'] ?? 'identity'
    let type: Body['type']
    try {
      if (encoding !== 'identity') throw new SluiceError('media_type_unsupported')
      type = bodyType(request.headers['content-type'] ?? '')
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
