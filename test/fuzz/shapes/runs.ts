/** `/v1/runs`: generations that are pushed, read and stopped. */
import type { Random } from '../../support/random.js'
import { bodyFor } from '../bodies.js'
import { one, sometimes } from '../chance.js'
import { framed, json, type Maker, type Shape } from './shape.js'

/** A few, for records of runs are kept. */
function path(random: Random): string {
  return `/v1/runs/fuzz-${random.between(0, 19)}`
}

export function runPushed({ random }: Maker): Shape {
  const type = one(random, ['application/x-ndjson', 'text/event-stream'])
  return {
    ...{ method: 'PUT', target: path(random), headers: [['Content-Type', type]] },
    body: bodyFor(random, type === 'text/event-stream' ? 'sse' : 'ndjson'),
    framing: framed(random),
  }
}

export function runItem({ random }: Maker): Shape {
  const extra = one(random, ['', '', '?name=token', '?lease=10', '?fence=1'])
  return json('POST', `${path(random)}/events${extra}`, { text: 'Hel' }, random)
}

export function runAsked({ random }: Maker): Shape {
  const target = path(random)
  if (sometimes(random, 0.3)) return { method: 'GET', target }
  if (sometimes(random, 0.3)) return { method: 'POST', target: `${target}/stop` }
  if (sometimes(random, 0.3)) return json('POST', `${target}/end`, { state: 'done' }, random)
  return {
    ...{ method: 'GET', target: `${target}/events?wait=0` },
    headers: [['Accept', 'application/json']],
  }
}
