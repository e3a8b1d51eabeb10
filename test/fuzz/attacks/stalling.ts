/** Clients that hold a connection and do nothing, or next to nothing, with it. */
import { one, sometimes } from '../chance.js'
import { request } from '../grammar.js'
import { encode } from '../request.js'
import { login } from '../shapes/shape.js'
import { type Attack, CLOSED_MS } from './attack.js'

/** Stops in the head or in a body that is read whole, or never begins. The gateway must close. */
export const stalled: Attack = {
  name: 'stalled',
  weight: 4,
  async run(arena) {
    const { random, port } = arena
    const head =
      `POST /v1/events?channel=fuzz:2 HTTP/1.1\r\nHost: localhost:${port}\r\n${login(arena)}` +
      'Content-Type: application/json\r\n'
    const start = one(random, [
      '',
      'P',
      '\r\n',
      head,
      `${head}Content-Length: 100\r\n\r\n`,
      `${head}Content-Length: 100\r\n\r\n"half`,
      `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n"ha`,
      `${head}Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n`,
    ])
    const line = await arena.dial('perhaps')
    line.send(Buffer.from(start))
    const from = performance.now()
    await line.until(() => false, CLOSED_MS)
    if (line.over === undefined) {
      arena.fault('not closed', `${Math.round(performance.now() - from)} ms after it stalled`, line)
    }
    line.hangUp()
  },
}

/** A byte now and then: long enough to hold something up, short of being taken for dead. */
export const dripping: Attack = {
  name: 'dripping',
  weight: 2,
  async run(arena) {
    const { random } = arena
    const { head, body } = encode(request(arena), random)
    const bytes = Buffer.concat([head, body])
    const line = await arena.dial('perhaps')
    const step = random.between(1, 8)
    for (let at = 0; at < bytes.length && at < 400 && line.over === undefined; at += step) {
      line.send(bytes.subarray(at, at + step))
      await line.until(() => false, random.between(1, 20))
    }
    line.hangUp()
  },
}

/** Streams whose reader takes nothing, while others publish on their channels. */
export const neverReading: Attack = {
  name: 'never reading',
  weight: 4,
  async run(arena) {
    const { random, port } = arena
    const channels = Array.from({ length: 24 }, (_, i) => `channel=fuzz:${i}`).join('&')
    const line = await arena.dial()
    line.pause()
    line.send(
      Buffer.from(
        `GET /v1/events?${channels}&after=earliest HTTP/1.1\r\nHost: localhost:${port}\r\n${login(arena)}` +
          'Accept: text/event-stream\r\n\r\n',
      ),
    )
    await line.until(() => false, random.between(1_000, 6_000))
    if (sometimes(random, 0.5)) line.reset()
    else line.hangUp()
  },
}
