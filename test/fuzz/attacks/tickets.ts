/** Tickets that are real, and used as they may and as they may not. */
import { one, sometimes } from '../chance.js'
import { completed } from '../grammar.js'
import { bytesOf, encode } from '../request.js'
import { ticket } from '../shapes/access.js'
import { session } from '../shapes/shape.js'
import { ANSWER_MS, type Arena, type Attack, CHANCE_MS } from './attack.js'

export const tickets: Attack = {
  name: 'tickets',
  weight: 3,
  async run(arena) {
    const line = await arena.dial()
    line.send(bytesOf(encode(completed(arena, ticket(arena)), arena.random)))
    await line.until(() => line.answers.length > 0, ANSWER_MS)
    const value = ticketIn(line.answers[0]?.body)
    line.hangUp()
    if (value === undefined) return
    arena.secret(value)
    // The first session has it, every other one is refused; what a page may name is tried, too.
    for (let i = arena.random.between(1, 4); i > 0; i--) await use(arena, value)
  },
}

async function use(arena: Arena, value: string): Promise<void> {
  const { random } = arena
  const own = sometimes(random, 0.7) ? `&session=${session(random)}` : ''
  const shown = sometimes(random, 0.1) ? value.slice(1) : value
  const path = one(random, ['/v1/events', '/v1/events', '/v1/runs/fuzz-1/events'])
  const query = path === '/v1/events' ? 'channel=fuzz:1&' : ''
  const origin = one(random, ['', 'Origin: http://localhost\r\n', 'Origin: http://localhost:1\r\n'])
  const line = await arena.dial()
  line.send(
    Buffer.from(
      `GET ${path}?${query}ticket=${shown}${own} HTTP/1.1\r\nHost: localhost\r\n${origin}` +
        'Accept: text/event-stream\r\n\r\n',
    ),
  )
  await line.until(() => line.answers.length > 0, CHANCE_MS / 2)
  line.hangUp()
}

function ticketIn(body: Buffer | undefined): string | undefined {
  try {
    const { ticket } = JSON.parse(body?.toString() ?? '') as { ticket?: unknown }
    return typeof ticket === 'string' ? ticket : undefined
  } catch {
    return undefined
  }
}
