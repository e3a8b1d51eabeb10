/** A request and its answer: right, nearly right, in pieces, or many at once. */

import { sometimes } from '../chance.js'
import { request } from '../grammar.js'
import type { Line } from '../line.js'
import { mutate, mutateBytes } from '../mutations.js'
import { bytesOf, encode, type Request } from '../request.js'
import { ANSWER_MS, type Arena, type Attack, CHANCE_MS } from './attack.js'

/** A head that came means that a stream is open: its end is nobody's to wait for. */
function isStream({ method, target }: Request): boolean {
  return method === 'GET' && target.startsWith('/v1/events?') && !/mode=poll|wait=/.test(target)
}

/** Every request that is right gets an answer. */
export const right: Attack = {
  name: 'right',
  weight: 8,
  async run(arena) {
    const asked = request(arena)
    const line = await arena.dial(asked.method === 'HEAD' ? 'always' : 'never')
    line.send(bytesOf(encode(asked, arena.random)))
    const ms = isStream(asked) ? CHANCE_MS : ANSWER_MS
    const answered = await line.until(() => line.answers.length > 0, ms)
    if (!answered && !isStream(asked)) arena.fault('unanswered', `over: ${line.over}`, line)
    line.hangUp()
  },
}

/** One that was changed in a few places, sometimes sent in pieces. */
export const mutated: Attack = {
  name: 'mutated',
  weight: 40,
  async run(arena) {
    const { random, door } = arena
    const asked = request(arena)
    mutate(asked, random, door, random.between(1, 3))
    let bytes = bytesOf(encode(asked, random))
    if (sometimes(random, 0.25)) bytes = mutateBytes(bytes, random)
    const line = await arena.dial('perhaps')
    await inPieces(arena, line, bytes)
    await line.until(() => line.answers.length > 0, CHANCE_MS)
    line.hangUp()
  },
}

async function inPieces({ random }: Arena, line: Line, bytes: Buffer): Promise<void> {
  if (sometimes(random, 0.7)) return line.send(bytes)
  for (let at = 0; at < bytes.length && line.over === undefined; ) {
    const size = random.between(1, Math.ceil(bytes.length / 4))
    line.send(bytes.subarray(at, at + size))
    at += size
    // A packet of its own for each piece: what is written in one turn may go as one.
    await new Promise(setImmediate)
  }
}

/** Several in one write; the answers come in their order, and no more than were asked for. */
export const pipelined: Attack = {
  name: 'pipelined',
  weight: 8,
  async run(arena) {
    const { random, door } = arena
    const asked = Array.from({ length: random.between(2, 20) }, () => request(arena))
    const intact = sometimes(random, 0.5)
    if (!intact) for (const each of random.choose(asked, 2)) mutate(each, random, door, 1)
    const line = await arena.dial('perhaps')
    line.send(Buffer.concat(asked.map((each) => bytesOf(encode(each, random)))))
    await line.until(() => line.answers.length >= asked.length, CHANCE_MS)
    if (intact && line.answers.length > asked.length) {
      arena.fault('unanswered', `${line.answers.length} answers to ${asked.length} requests`, line)
    }
    line.hangUp()
  },
}
