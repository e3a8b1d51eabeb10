/**
 * Requests whose end two parties could see in different places. What lies between the two ends is a
 * request of its own, which publishes: it must never be taken for one (RFC 9112 § 11.2). The run looks
 * into the channel when it is over.
 */
import { one } from '../chance.js'
import { login } from '../shapes/shape.js'
import { type Attack, CHANCE_MS } from './attack.js'

/** Where a smuggled event would be found. */
export const CANARY = 'fuzz:smuggled'

const PREFIXES = [
  (length: number) => `Content-Length: ${length}\r\nTransfer-Encoding: chunked`,
  (length: number) => `Transfer-Encoding: chunked\r\nContent-Length: ${length}`,
  (length: number) => `Content-Length: ${length}\r\nTransfer-Encoding : chunked`,
  (length: number) => `Content-Length: ${length}\r\nTransfer-Encoding:\x0bchunked`,
  (length: number) => `Content-Length: ${length}\r\nTransfer-Encoding: xchunked`,
  (length: number) => `Content-Length: ${length}\r\nTransfer-Encoding: chunked, identity`,
  (length: number) => `Content-Length: ${length}\r\nTransfer-Encoding:\r\n chunked`,
  (length: number) => `Content-Length: ${length}\r\nX: y\nTransfer-Encoding: chunked`,
  (length: number) => `Content-Length: ${length}\r\nContent-Length: 5`,
  (length: number) => `Content-Length: 5\r\nContent-Length: ${length}`,
  (length: number) => `Content-Length: 5, ${length}`,
  (length: number) => `Content-Length: ${length}\r\ncontent-length: +5`,
]

export const smuggle: Attack = {
  name: 'smuggling',
  weight: 3,
  async run(arena) {
    const { random, port } = arena
    const inner =
      `POST /v1/events?channel=${CANARY} HTTP/1.1\r\nHost: localhost:${port}\r\n${login(arena)}` +
      'Content-Type: application/json\r\nContent-Length: 1\r\n\r\n1'
    // Five bytes that are a whole chunked body, and as many of one with a length.
    const body = `0\r\n\r\n${inner}`
    const line = await arena.dial()
    line.send(
      Buffer.from(
        `POST /v1/events?channel=fuzz:1 HTTP/1.1\r\nHost: localhost:${port}\r\n${login(arena)}` +
          `Content-Type: text/plain\r\n${one(random, PREFIXES)(body.length)}\r\n\r\n${body}`,
        'latin1',
      ),
    )
    await line.until(() => false, CHANCE_MS / 2)
    line.hangUp()
  },
}
