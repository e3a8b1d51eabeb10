/**
 * HTTP/1.1 chunks (RFC 9112 § 7.1) in a fixed shape: `hhhhhh CR LF <payload> CR LF`, six hex digits
 * (leading zeros are allowed), so that a payload's place in a chunk is known without reading it and a
 * frame can be written before its length is known.
 */

/** Bytes before the payload. */
export const CHUNK_HEAD = 8
/** Bytes after the payload. */
export const CHUNK_TAIL = 2
/** Bytes that six digits can count. */
const MAX_CHUNK = 0xffffff
/** Ends a chunked body. */
export const LAST_CHUNK = '0\r\n\r\n'

/** UTF-8 bytes of a text, without taking each character in turn where it is plain ASCII. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}

/** Writes the chunk of a text; answers the offset after it. The caller has made sure of the room. */
export function writeChunk(into: Buffer, offset: number, payload: string): number {
  const start = offset + CHUNK_HEAD
  const end = start + into.write(payload, start, 'utf8')
  into.write(hexLine(end - start), offset, 'latin1')
  into[end] = 0x0d
  into[end + 1] = 0x0a
  return end + CHUNK_TAIL
}

/** One chunk in a buffer of its own; several where it is too long for one. */
export function chunk(payload: string): Buffer {
  const bytes = byteLength(payload)
  if (bytes > MAX_CHUNK) return chunks(Buffer.from(payload))
  const size = bytes + CHUNK_HEAD + CHUNK_TAIL
  const buffer = Buffer.allocUnsafe(size)
  writeChunk(buffer, 0, payload)
  return buffer
}

/** Where a character is cut in two, readers put it together again: a chunk's end means nothing. */
function chunks(payload: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < payload.length; at += MAX_CHUNK) {
    const part = payload.subarray(at, at + MAX_CHUNK)
    parts.push(Buffer.from(hexLine(part.length)), part, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

function hexLine(length: number): string {
  return `${length.toString(16).padStart(6, '0')}\r\n`
}

/** The payloads of a run of chunks, for connections that aren't chunked (HTTP/1.0, HTTP/2). */
export function unchunk(chunks: Buffer): Buffer[] {
  const payloads: Buffer[] = []
  let at = 0
  while (at < chunks.length) {
    const length = Number.parseInt(chunks.toString('latin1', at, at + 6), 16)
    payloads.push(chunks.subarray(at + CHUNK_HEAD, at + CHUNK_HEAD + length))
    at += CHUNK_HEAD + length + CHUNK_TAIL
  }
  return payloads
}
