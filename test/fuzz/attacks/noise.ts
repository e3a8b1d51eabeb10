/** What isn't HTTP/1.1 at all. */
import { one, randomBytes, sometimes } from '../chance.js'
import { request } from '../grammar.js'
import { bytesOf, encode } from '../request.js'
import { type Attack, CHANCE_MS } from './attack.js'

const GREETINGS: readonly Buffer[] = [
  // A TLS 1.2 ClientHello, whole enough to be taken for one.
  Buffer.from(`16030100610100005d0303${'ab'.repeat(32)}00000613011302c02b0100002e`, 'hex'),
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1'),
  Buffer.from('\x05\x01\x00', 'latin1'),
  Buffer.from('\x04\x01\x00\x50\x7f\x00\x00\x01user\x00', 'latin1'),
  Buffer.from('*1\r\n$4\r\nPING\r\n'),
  Buffer.from('SSH-2.0-fuzz\r\n'),
  Buffer.from('EHLO localhost\r\n'),
  Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  Buffer.from('GET /healthz\r\n\r\n'),
  Buffer.from('\r\n'.repeat(2_000)),
  Buffer.from('\n'.repeat(2_000)),
  Buffer.alloc(5_000),
  Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  Buffer.from('GET / HTTP/1.1\r\nHost'.repeat(500)),
  Buffer.from(' '.repeat(100_000)),
]

export const noise: Attack = {
  name: 'noise',
  weight: 5,
  async run(arena) {
    const { random } = arena
    const line = await arena.dial('perhaps')
    // Sometimes after something that was right: the connection is in another state then.
    if (sometimes(random, 0.2)) line.send(bytesOf(encode(request(arena), random)))
    const bytes = sometimes(random, 0.5)
      ? one(random, GREETINGS)
      : randomBytes(random, random.between(1, 3_000))
    line.send(bytes)
    if (sometimes(random, 0.3)) line.fin()
    await line.until(() => false, CHANCE_MS / 2)
    line.hangUp()
  },
}
