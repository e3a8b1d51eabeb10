/** A request as a thing that can be changed in one place, and the bytes that it is. */
import type { Random } from '../support/random.js'

export interface Request {
  method: string
  target: string
  /** `HTTP/1.1`, or whatever else is tried. */
  version: string
  /** In the order in which they are sent; one character a byte. */
  headers: [name: string, value: string][]
  body: Buffer
  /** How the end of the body is told. `none`: not at all. */
  framing: 'none' | 'length' | 'chunked'
}

/** Head and body apart, so that an attack can stop between the two. */
export interface Encoded {
  readonly head: Buffer
  readonly body: Buffer
}

export function encode(request: Request, random: Random): Encoded {
  const { method, target, version, headers, body, framing } = request
  const lines = [
    `${method} ${target} ${version}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ]
  if (framing === 'length') lines.push(`Content-Length: ${body.length}`)
  if (framing === 'chunked') lines.push('Transfer-Encoding: chunked')
  return {
    head: Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    body: framing === 'chunked' ? chunked(body, random) : body,
  }
}

export function bytesOf({ head, body }: Encoded): Buffer {
  return Buffer.concat([head, body])
}

/** In chunks of random sizes, some with an extension, sometimes with a trailer (RFC 9112 § 7.1). */
function chunked(body: Buffer, random: Random): Buffer {
  const parts: Buffer[] = []
  const extension = random.next() < 0.1 ? ';name=value;flag' : ''
  for (let at = 0; at < body.length; ) {
    const size = random.between(1, Math.max(1, Math.ceil(body.length / 3)))
    const piece = body.subarray(at, at + size)
    parts.push(Buffer.from(`${piece.length.toString(16)}${extension}\r\n`), piece, CRLF)
    at += size
  }
  parts.push(Buffer.from(random.next() < 0.1 ? '0\r\nX-Trailer: seen\r\n\r\n' : '0\r\n\r\n'))
  return Buffer.concat(parts)
}

const CRLF = Buffer.from('\r\n')

export function setHeader(request: Request, name: string, value: string): void {
  const at = request.headers.findIndex(([each]) => each.toLowerCase() === name.toLowerCase())
  if (at < 0) request.headers.push([name, value])
  else request.headers[at] = [name, value]
}

export function hasHeader(request: Request, name: string): boolean {
  return request.headers.some(([each]) => each.toLowerCase() === name)
}
