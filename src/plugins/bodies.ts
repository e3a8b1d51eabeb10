/**
 * Bodies: read whole within a limit and a time, as text that is known to be UTF-8, or handed on as a
 * stream. Content types are matched exactly: `application/jsonx` is not JSON.
 */
import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SluiceError } from '../wire/errors.js'
import { sendProblem } from './problems.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Only bodies that are handed on as a stream are taken here. Default false. */
    streamed?: boolean
  }
}

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

function knownBodyType(contentType: string): Body['type'] | undefined {
  const known = seen.get(contentType)
  if (known !== undefined) return known
  const type = bodyType(contentType)
  if (type !== undefined && seen.size < MAX_SEEN) seen.set(contentType, type)
  return type
}

/** The kind of body a Content-Type promises; undefined: none that is read here. */
export function bodyType(contentType: string): Body['type'] | undefined {
  const match = MEDIA_TYPE.exec(contentType.toLowerCase().trimEnd())
  const type = match === null ? undefined : TYPES[match[1]!]
  const charset = /charset="?([^\s;"]+)/.exec(match?.[2] ?? '')?.[1] ?? 'utf-8'
  return ['utf-8', 'utf8', 'us-ascii'].includes(charset) ? type : undefined
}

/** The request whose body a connection is receiving, and since when. */
interface Arrival {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** On the socket: found again without a collection of requests, which V8 would have to go through. */
const ARRIVAL = Symbol('arrival')
type Uploader = Socket & { [ARRIVAL]?: Arrival | undefined }

export interface BodyLimits {
  /** Bytes of a body that is read whole. */
  readonly maxBytes: number
  /** Milliseconds it may take: a sender who drips bytes holds memory. */
  readonly bodyMs: number
  /** Throws where whoever sent it may not go on: it may have taken its time. Default: nobody looks. */
  readonly confirm?: ((request: FastifyRequest) => void) | undefined
}

export function registerBodies(
  app: FastifyInstance,
  { maxBytes, bodyMs, confirm }: BodyLimits,
): void {
  const uploaders = new Set<Uploader>()
  function forget(this: Uploader): void {
    uploaders.delete(this)
  }
  const sweeper = setInterval(
    () => {
      const late = Date.now() - bodyMs
      for (const socket of uploaders) {
        const arrival = socket[ARRIVAL]
        if (arrival === undefined || arrival.since > late) continue
        socket[ARRIVAL] = undefined
        const { request, reply } = arrival
        if (!request.raw.complete && !reply.sent)
          sendProblem(reply, new SluiceError('body_timeout'))
      }
    },
    Math.min(SWEEP_MS, bodyMs),
  )
  sweeper.unref()
  app.addHook('onClose', async () => clearInterval(sweeper))

  /** Refuses what can't be read, before it is. */
  app.addHook('preParsing', (request, reply, _payload, next) => {
    const { headers, socket, method } = request.raw
    const contentType = headers['content-type']
    if (contentType === undefined && !hasBody(headers)) return next()
    const type = knownBodyType(contentType ?? '')
    if (type === undefined || (headers['content-encoding'] ?? 'identity') !== 'identity') {
      const advice = 'Use application/x-ndjson or text/event-stream, uncompressed.'
      const streamed = request.routeOptions.config.streamed === true
      return next(new SluiceError('media_type_unsupported', streamed ? { advice } : {}))
    }
    // Nobody reads the body of a GET. Left where it is, it would stop the socket, and that the reader of
    // a stream has gone would be noticed at the next heartbeat only.
    if (method === 'GET' || method === 'HEAD') {
      request.raw.resume()
      return next()
    }
    if (type === 'ndjson' || type === 'sse') return next()
    const uploader = socket as Uploader
    uploader[ARRIVAL] = { request, reply, since: Date.now() }
    if (!uploaders.has(uploader)) {
      uploaders.add(uploader)
      uploader.on('close', forget)
    }
    next()
  })

  app.removeAllContentTypeParsers()
  for (const type of ['application/json', 'text/plain']) {
    app.addContentTypeParser(
      type,
      { parseAs: 'buffer', bodyLimit: maxBytes },
      (request, bytes: Buffer, done) => {
        if (confirm !== undefined) {
          try {
            confirm(request)
          } catch (error) {
            return done(error as Error)
          }
        }
        if (isUtf8(bytes)) done(null, { type: TYPES[type], text: bytes.toString('utf8') })
        else done(new SluiceError('body_invalid', { detail: 'The body is not UTF-8' }))
      },
    )
  }
  for (const type of ['application/x-ndjson', 'text/event-stream']) {
    app.addContentTypeParser(type, (request, _payload, done) => {
      done(null, { type: TYPES[type], stream: request.raw })
    })
  }
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
