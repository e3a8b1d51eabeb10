/** Requests as a client means them: right in every part, over all resources. Mutations come after. */
import { one, sometimes, weighted } from './chance.js'
import type { Request } from './request.js'
import { admin, health, preflight, renewal, revocations, ticket } from './shapes/access.js'
import {
  aboutChannel,
  closing,
  poll,
  postedStream,
  publish,
  publishObjects,
  stream,
  upload,
} from './shapes/events.js'
import { runAsked, runItem, runPushed } from './shapes/runs.js'
import { type Headers, type Maker, ORIGINS, type Shape } from './shapes/shape.js'

interface Weighted {
  readonly weight: number
  readonly make: (maker: Maker) => Shape
}

const SHAPES: readonly Weighted[] = [
  { weight: 6, make: stream },
  { weight: 5, make: poll },
  { weight: 14, make: publish },
  { weight: 3, make: publishObjects },
  { weight: 4, make: upload },
  { weight: 4, make: postedStream },
  { weight: 4, make: aboutChannel },
  { weight: 1, make: closing },
  { weight: 4, make: health },
  { weight: 1, make: preflight },
  { weight: 3, make: ticket },
  { weight: 2, make: renewal },
  { weight: 2, make: revocations },
  { weight: 1, make: admin },
  { weight: 2, make: runPushed },
  { weight: 2, make: runItem },
  { weight: 2, make: runAsked },
]

/** Right in every part. What comes back ends by itself but for streams. */
export function request(maker: Maker): Request {
  return completed(maker, weighted(maker.random, SHAPES).make(maker))
}

/** A shape with what all requests have. */
export function completed(
  { random, door, port }: Maker,
  { headers = [], ...shape }: Shape,
): Request {
  const host = one(random, [`127.0.0.1:${port}`, `localhost:${port}`, '127.0.0.1', 'localhost'])
  const all: Headers = [['Host', host], ...headers]
  if (sometimes(random, 0.2)) all.push(['User-Agent', 'fuzz/1'])
  if (sometimes(random, 0.2)) all.push(['Origin', one(random, ORIGINS)])
  if (door.keys.length > 0 && sometimes(random, 0.9)) {
    all.push(['Authorization', one(random, door.keys)])
  }
  if (sometimes(random, 0.1)) all.push(['Cookie', 'theme=dark; __Host-other=1'])
  if (sometimes(random, 0.3)) all.push(['Connection', one(random, ['close', 'keep-alive'])])
  const none = { version: 'HTTP/1.1', body: Buffer.alloc(0), framing: 'none' } as const
  return { ...none, ...shape, headers: all }
}
