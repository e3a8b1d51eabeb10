/** Clients that go in the middle of something. */
import { one, sometimes } from '../chance.js'
import { completed, request } from '../grammar.js'
import { bytesOf, encode } from '../request.js'
import { stream } from '../shapes/events.js'
import { type Attack, CHANCE_MS } from './attack.js'

/** FIN after the head, in the body, or after all of it: who has asked is still owed the answer. */
export const halfClosed: Attack = {
  name: 'half-closed',
  weight: 6,
  async run(arena) {
    const { random } = arena
    const { head, body } = encode(request(arena), random)
    const all = Buffer.concat([head, body])
    const cut = one(random, [head.length, all.length, random.between(1, all.length)])
    const line = await arena.dial('perhaps')
    line.send(all.subarray(0, cut))
    line.fin()
    await line.until(() => false, CHANCE_MS)
    line.hangUp()
  },
}

/** RST anywhere, with answers on their way. */
export const torn: Attack = {
  name: 'torn',
  weight: 8,
  async run(arena) {
    const { random } = arena
    const bytes = bytesOf(encode(request(arena), random))
    const line = await arena.dial('perhaps')
    line.send(sometimes(random, 0.5) ? bytes : bytes.subarray(0, random.between(1, bytes.length)))
    if (sometimes(random, 0.6)) await line.until(() => false, random.between(1, 40))
    if (sometimes(random, 0.7)) line.reset()
    else line.hangUp()
  },
}

/** Streams that are opened and left, again and again, on one channel after another. */
export const churn: Attack = {
  name: 'churn',
  weight: 6,
  async run(arena) {
    for (let i = arena.random.between(1, 6); i > 0; i--) {
      const line = await arena.dial('perhaps')
      line.send(bytesOf(encode(completed(arena, stream(arena)), arena.random)))
      await line.until(() => false, arena.random.between(0, 60))
      if (sometimes(arena.random, 0.5)) line.reset()
      else line.hangUp()
    }
  },
}
