/** Tickets, sessions, revocations, and what anybody may ask. */
import { one, sometimes } from '../chance.js'
import { CHANNELS, type Headers, json, type Maker, ORIGINS, type Shape, session } from './shape.js'

export function ticket({ random }: Maker): Shape {
  const channels = random.choose(CHANNELS, random.between(1, 3))
  const options = [
    { channels },
    { channels, ttl: 60, subject: 'somebody' },
    { channels: { 'fuzz:*': ['subscribe'] } },
    { channels, origin: one(random, ORIGINS) },
  ]
  return json('POST', '/v1/tickets', one(random, options), random)
}

export function renewal({ random }: Maker): Shape {
  const body = sometimes(random, 0.7) ? {} : { ticket: 'A'.repeat(43) }
  return json('POST', '/v1/sessions/token', body, random, [['Sluice-Session', session(random)]])
}

export function revocations({ random }: Maker): Shape {
  if (sometimes(random, 0.3)) return { method: 'GET', target: '/v1/revocations' }
  if (sometimes(random, 0.2)) {
    const target = `/v1/revocations${one(random, ['', '?subject=nobody', '?jti=none'])}`
    return { method: 'DELETE', target }
  }
  // Not a subject of the door's: attackers who were kept out would test one answer.
  const who = one(random, [{ subject: 'nobody' }, { jti: 'none' }, { session: session(random) }])
  const until = one(random, [{}, { until: Math.floor(Date.now() / 1_000) + 60 }])
  return json('POST', '/v1/revocations', { ...who, ...until }, random)
}

export function admin({ random }: Maker): Shape {
  const targets = [
    '/v1/admin',
    '/v1/admin/channels',
    '/v1/admin/channels?sort=subscribers&prefix=fuzz&limit=500',
    '/v1/admin/channels?sort=nothing',
    '/v1/admin/streams?limit=1',
    '/v1/admin/streams?node=none',
  ]
  return { method: one(random, ['GET', 'HEAD']), target: one(random, targets) }
}

export function health({ random }: Maker): Shape {
  return { method: one(random, ['GET', 'HEAD']), target: one(random, ['/healthz', '/readyz']) }
}

export function preflight({ random }: Maker): Shape {
  const headers: Headers = [
    ['Origin', one(random, ORIGINS)],
    ['Access-Control-Request-Method', one(random, ['POST', 'GET', 'DELETE', 'PUT'])],
    ['Access-Control-Request-Headers', 'authorization, content-type'],
  ]
  const target = one(random, ['/v1/events', '/v1/tickets', '/v1/runs/fuzz-1', '/healthz', '/*'])
  return { method: 'OPTIONS', target, headers }
}
