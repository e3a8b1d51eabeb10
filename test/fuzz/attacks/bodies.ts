/** Bodies whose framing lies, and bodies that are too much. */
import type { Random } from '../../support/random.js'
import { hugeBody } from '../bodies.js'
import { one, randomBytes, sometimes } from '../chance.js'
import { completed } from '../grammar.js'
import { bytesOf, encode } from '../request.js'
import { publish, upload } from '../shapes/events.js'
import { runPushed } from '../shapes/runs.js'
import { type Arena, type Attack, CHANCE_MS } from './attack.js'

const LAST = '0\r\n\r\n'
/** Instead of a chunk (RFC 9112 § 7.1). */
const CHUNKS = [
  'zz\r\nxx\r\n',
  '-1\r\n',
  '0x5\r\nhello\r\n',
  `${'f'.repeat(17)}\r\n`,
  'ffffffff\r\n"x"\r\n',
  '5\r\nhello world\r\n',
  '5\nhello\n',
  ' 5\r\nhello\r\n',
  `5;${'x'.repeat(20_000)}\r\nhello\r\n`,
  '5;a="\r\n\r\n"\r\nhello\r\n',
  '5\r\nhel',
  '\r\n',
  `0\r\n${'X-T: y\r\n'.repeat(5_000)}\r\n`,
  '0\r\nContent-Length: 5\r\n\r\n',
  '0\r\nbroken trailer\r\n\r\n',
]

/** An upload whose chunks go wrong after some that were right. */
export const chunks: Attack = {
  name: 'chunks',
  weight: 6,
  async run(arena) {
    const { random } = arena
    const line = await arena.dial()
    line.send(chunkedHead(arena))
    for (let i = random.between(0, 4); i > 0; i--) {
      line.send(Buffer.from('2\r\n1\n\r\n'))
      await new Promise(setImmediate)
    }
    line.send(Buffer.from(one(random, CHUNKS)))
    if (sometimes(random, 0.5)) line.send(Buffer.from(LAST))
    await line.until(() => line.answers.length > 0, CHANCE_MS)
    line.hangUp()
  },
}

function chunkedHead(arena: Arena): Buffer {
  const shape = one(arena.random, [publish, upload, upload, runPushed])(arena)
  return encode({ ...completed(arena, shape), framing: 'chunked' }, arena.random).head
}

/** An upload of garbage that goes on for a while. */
export const garbageUpload: Attack = {
  name: 'garbage upload',
  weight: 4,
  async run(arena) {
    const { random } = arena
    const line = await arena.dial()
    line.send(chunkedHead(arena))
    for (let i = random.between(1, 30); i > 0 && line.over === undefined; i--) {
      const piece = garbage(random)
      line.send(Buffer.from(`${piece.length.toString(16)}\r\n${piece}\r\n`, 'latin1'))
      await new Promise(setImmediate)
    }
    if (sometimes(random, 0.7)) line.send(Buffer.from(LAST))
    await line.until(() => line.answers.length > 0, CHANCE_MS)
    line.hangUp()
  },
}

/** One character a byte. */
function garbage(random: Random): string {
  return one(random, [
    randomBytes(random, random.between(1, 2_000)).toString('latin1'),
    `${JSON.stringify('x'.repeat(random.between(0, 3_000)))}\n`,
    'data: x\n\n\r\r\n\ndata\n:\n\nid: \0\n\n',
    '{"a":'.repeat(300),
    '\n\n\n\n',
  ])
}

/** More than is ever read, with and without a length. */
export const huge: Attack = {
  name: 'huge body',
  weight: 0.15,
  async run(arena) {
    const line = await arena.dial()
    const asked = completed(arena, { ...publish(arena), body: hugeBody() })
    line.send(bytesOf(encode(asked, arena.random)))
    await line.until(() => line.answers.length > 0, 5 * CHANCE_MS)
    line.hangUp()
  },
}
