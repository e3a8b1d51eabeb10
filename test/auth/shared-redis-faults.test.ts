/** What gateways share when Redis, or the way to it, fails. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createSharedRedis } from '../../src/auth/shared-redis.js'
import { hashTag } from '../../src/log/redis/slots.js'
import { createRedisLog } from '../../src/log/redis.js'
import { silentLogger } from '../../src/logger.js'
import { startHalfOpenProxy } from '../log/half-open.js'
import { startLosingProxy } from '../log/losing.js'
import { createRecorder as createLogRecorder, retentionFor } from '../log/subject.js'
import { startSwitch } from '../log/switch.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type SharedGateway, startGateway } from './shared-gateway.js'

const HOUR = 3_600_000
const RATE = { amount: 1000, ms: HOUR }
const LISTENS = 'revocations: listening'
const BASE = `sluice:{${hashTag(0, 1)}}`
/** Questions so rare that messages alone bring the news. */
const NEVER = 3_600_000
/** And so often that a lost message is soon found. */
const OFTEN = 50

async function redis(t: Test, args?: readonly string[]): Promise<RedisServer> {
  const server = await startRedis(args === undefined ? {} : { args })
  t.teardown(() => server.stop())
  return server
}

function plain(t: Test, url: string): Redis {
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  return client
}

const revoke = ({ shared }: SharedGateway, value: string, ends = Date.now() + HOUR) =>
  shared.revoke({ kind: 'subject', value, until: ends })

/** Once its connections are back. */
const revokeAgain = (gateway: SharedGateway, value: string) =>
  until('revoked', () => revoke(gateway, value).then(() => true))

/** Resolves once the newest list holds exactly these. */
const keepsOut = ({ heard }: SharedGateway, ...values: string[]) =>
  heard.until(() => heard.values().toSorted().join() === values.join())

/** Everything that asks Redis. */
const questions = ({ shared }: SharedGateway): Promise<unknown>[] => [
  shared.issueTicket('id', 'r', Date.now() + HOUR, Date.now() + HOUR),
  shared.redeemTicket('id', 's'),
  shared.claimSession('s', 'alice', HOUR),
  shared.sessionOwner('s'),
  Promise.resolve(shared.take('a', RATE, 1, 1)),
  shared.revoke({ kind: 'subject', value: 'z', until: Date.now() + HOUR }),
  shared.renew('s', 'x'),
]

/** All of it works again, without anybody's help. */
async function healed(gateway: SharedGateway): Promise<void> {
  await until('healed', async () => {
    if (gateway.shared.fault() !== undefined) return false
    return (await Promise.allSettled(questions(gateway))).every((it) => it.status === 'fulfilled')
  })
}

async function refusesAll(t: Test, gateway: SharedGateway): Promise<void> {
  const answers = await Promise.allSettled(questions(gateway))
  t.match(
    answers,
    answers.map(() => ({ status: 'rejected', reason: { code: 'log_unavailable' } })),
  )
}

t.test('while Redis is away everything is refused; when it is back everything works', async (t) => {
  const server = await redis(t)
  const [one, other] = [await startGateway(t, server), await startGateway(t, server)]
  await revoke(one, 'alice')
  await keepsOut(other, 'alice')
  await server.kill('SIGKILL')
  await until('noticed', () => one.shared.fault() !== undefined)
  t.match(one.shared.fault(), /revocations are not heard of: 127\.0\.0\.1:\d+: /)
  await refusesAll(t, one)
  await server.restart()
  await Promise.all([healed(one), healed(other)])
  await revoke(one, 'bob')
  await keepsOut(other, 'alice', 'bob', 'z')
  other.heard.streams.add('session')
  t.equal(await one.shared.renew('session', 'x'), true)
})

t.test('a Redis that came back empty is told who is kept out', async (t) => {
  const server = await redis(t)
  const gateway = await startGateway(t, server)
  for (const value of ['a', 'b', 'c']) await revoke(gateway, value)
  await revoke(gateway, 'b', 0)
  await server.restart('SIGKILL')
  await healed(gateway)
  const late = await startGateway(t, server)
  t.same(late.heard.values().toSorted(), ['a', 'c', 'z'])
  const stored = await plain(t, server.url).hget(`${BASE}:v`, 'subject:"b"')
  t.match(stored, /^0 /, 'and who is let in again')
})

t.test('one that was wiped is, too, without a lost connection', async (t) => {
  const server = await redis(t)
  const options = { url: server.url, lookEvery: OFTEN }
  const [one, other] = [await startGateway(t, options), await startGateway(t, options)]
  await revoke(one, 'alice')
  await keepsOut(other, 'alice')
  const client = plain(t, server.url)
  await client.flushall()
  await until(
    'told again',
    async () => (await client.hexists(`${BASE}:v`, 'subject:"alice"')) === 1,
  )
  await revokeAgain(other, 'bob')
  await keepsOut(one, 'alice', 'bob')
})

t.test('a frozen Redis is found out, and used again when it thaws', async (t) => {
  const server = await redis(t)
  const options = { url: server.url, lookEvery: OFTEN, checkTimeout: 500 }
  const [one, other] = [await startGateway(t, options), await startGateway(t, options)]
  await server.kill('SIGSTOP')
  await refusesAll(t, one)
  await until('noticed', () => other.shared.fault() !== undefined)
  await server.kill('SIGCONT')
  await Promise.all([healed(one), healed(other)])
  await revoke(one, 'alice')
  await keepsOut(other, 'alice', 'z')
})

t.test('a renewal that nobody could be asked about is not a no', async (t) => {
  const server = await redis(t)
  const { shared } = await startGateway(t, { url: server.url, renewalTimeout: 50 })
  t.equal(await shared.renew('s', 'x'), false)
  await server.kill('SIGSTOP')
  await t.rejects(shared.renew('s', 'x'), { code: 'log_unavailable' })
  await server.kill('SIGCONT')
})

t.test(
  'one that is under way when the connection is lost, or at the stop, is refused',
  async (t) => {
    const server = await redis(t)
    const proxy = await startLosingProxy(server.port)
    t.teardown(() => proxy.stop())
    const gateway = await startGateway(t, { url: proxy.url, renewalTimeout: HOUR })
    const heard = gateway.heard.until(() => gateway.heard.renewals.length === 1)
    const cut = t.rejects(gateway.shared.renew('s', 'x'), { code: 'log_unavailable' })
    await heard
    proxy.cutAll()
    await cut
    await until('connected', () => gateway.shared.fault() === undefined)
    const again = gateway.heard.until(() => gateway.heard.renewals.length === 2)
    const stopped = t.rejects(gateway.shared.renew('s', 'x'), { code: 'log_unavailable' })
    await again
    await gateway.shared.stop()
    await stopped
  },
)

t.test('a lost message is made up for by the next question', async (t) => {
  const server = await redis(t)
  const proxy = await startLosingProxy(server.port)
  t.teardown(() => proxy.stop())
  const one = await startGateway(t, { url: server.url })
  const other = await startGateway(t, { url: proxy.url, lookEvery: OFTEN })
  const lost = proxy.loseNext()
  await revoke(one, 'alice')
  await lost
  await keepsOut(other, 'alice')
})

t.test('messages are enough, however rare the questions and however many at once', async (t) => {
  const server = await redis(t)
  const options = { url: server.url, lookEvery: NEVER }
  const [one, other] = [await startGateway(t, options), await startGateway(t, options)]
  for (let i = 0; i < 600; i += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, k) => revoke(one, `s${i + k}`)))
    await other.heard.until(() => other.heard.values().length === i + 20)
  }
})

t.test('a deaf connection is given up', async (t) => {
  const server = await redis(t)
  const proxy = await startHalfOpenProxy(server.port)
  t.teardown(() => proxy.stop())
  const one = await startGateway(t, { url: server.url })
  const other = await startGateway(t, { url: proxy.url, lookEvery: OFTEN, checkTimeout: 300 })
  proxy.swallow('from Redis')
  await revoke(one, 'alice')
  await until('noticed', () => other.shared.fault() !== undefined)
  t.same(other.heard.values(), [])
  proxy.heal()
  await keepsOut(other, 'alice')
})

t.test('a gateway that was away brings back nothing that was taken back', async (t) => {
  const server = await redis(t)
  const road = await startSwitch(server.port)
  t.teardown(() => road.stop())
  const one = await startGateway(t, { url: server.url, lookEvery: OFTEN })
  const other = await startGateway(t, { url: road.url, lookEvery: OFTEN })
  await revoke(one, 'alice')
  await revoke(one, 'bob')
  await keepsOut(other, 'alice', 'bob')
  road.to(undefined)
  await revoke(one, 'alice', 0)
  // Not even where Redis has forgotten that it was.
  const client = plain(t, server.url)
  await client.flushall()
  await until('told again', async () => (await client.hexists(`${BASE}:v`, 'subject:"bob"')) === 1)
  road.to(server.port)
  await keepsOut(other, 'bob')
  await revokeAgain(other, 'carol')
  await keepsOut(one, 'bob', 'carol')
  t.notOk(
    one.heard.lists.slice(-2).some((list) => list.some(({ value }) => value === 'alice')),
    'alice never came back',
  )
})

t.test('what one that was away has heard and Redis lost is kept, too', async (t) => {
  const server = await redis(t)
  const road = await startSwitch(server.port)
  t.teardown(() => road.stop())
  const one = await startGateway(t, server)
  const other = await startGateway(t, { url: road.url })
  await revoke(one, 'alice')
  await keepsOut(other, 'alice')
  await one.stop()
  road.to(undefined)
  await plain(t, server.url).flushall()
  const late = await startGateway(t, server)
  t.same(late.heard.values(), [], 'nobody who is there knows')
  road.to(server.port)
  await keepsOut(late, 'alice')
})

t.test('who takes back what Redis has lost isn’t overruled by those who remember it', async (t) => {
  const server = await redis(t)
  const road = await startSwitch(server.port)
  t.teardown(() => road.stop())
  const one = await startGateway(t, { url: server.url, lookEvery: NEVER })
  const other = await startGateway(t, { url: road.url, lookEvery: NEVER })
  await revoke(one, 'alice')
  const client = plain(t, server.url)
  // As a master would have said it whose clock was an hour ahead.
  const ends = Date.now() + HOUR
  await client.hset(`${BASE}:v`, 'subject:"alice"', `${ends} ${ends} ${ends}`, 'version', '2')
  await client.zadd(`${BASE}:vc`, '2', 'subject:"alice"')
  await client.spublish(`${BASE}:z`, '{"kind":"changed"}')
  for (const { heard } of [one, other]) {
    await heard.until(() => heard.lists.at(-1)?.[0]?.at === ends)
  }
  road.to(undefined)
  await client.del(`${BASE}:v`, `${BASE}:vc`, `${BASE}:ve`)
  await revoke(one, 'alice', 0)
  t.same(one.heard.values(), [])
  road.to(server.port)
  await keepsOut(other)
  t.same(one.heard.values(), [])
})

t.test('a full Redis lets readers in and keeps people out', async (t) => {
  const server = await redis(t)
  const gateway = await startGateway(t, server)
  const { shared } = gateway
  await shared.issueTicket('id', 'r', Date.now() + HOUR, Date.now() + HOUR)
  const client = plain(t, server.url)
  await client.config('SET', 'maxmemory', '1')
  await t.rejects(shared.issueTicket('new', 'r', Date.now() + HOUR, Date.now() + HOUR), {
    code: 'log_unavailable',
  })
  t.match(await shared.redeemTicket('id', 's'), { kind: 'redeemed' })
  t.equal(await shared.claimSession('s', 'alice', HOUR), 'alice')
  t.match(await shared.take('a', RATE, 1, 1), { granted: 1 })
  await revoke(gateway, 'alice')
  t.same(gateway.heard.values(), ['alice'])
  t.equal(shared.fault(), undefined)
})

t.test('one that can’t write is listened to, and told later what it lacks', async (t) => {
  const server = await redis(t)
  const lines: string[] = []
  const logger = { ...silentLogger, info: (_: object, line: string) => lines.push(line) }
  const gateway = await startGateway(t, { url: server.url, lookEvery: NEVER, logger })
  await revoke(gateway, 'alice')
  const client = plain(t, server.url)
  await client.flushall()
  await client.config('SET', 'min-replicas-to-write', '1')
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until('connected', () => lines.filter((it) => it === LISTENS).length === 2)
  await t.rejects(revoke(gateway, 'bob'), { code: 'log_unavailable' })
  gateway.heard.streams.add('session')
  t.equal(await gateway.shared.renew('session', 'x'), true)
  await client.config('SET', 'min-replicas-to-write', '0')
  await client.spublish(`${BASE}:z`, '{"kind":"changed"}')
  await until(
    'told again',
    async () => (await client.hexists(`${BASE}:v`, 'subject:"alice"')) === 1,
  )
})

t.test('what is older in Redis than here is brought up to date', async (t) => {
  const server = await redis(t)
  const gateway = await startGateway(t, { url: server.url, lookEvery: OFTEN })
  await revoke(gateway, 'alice')
  await revoke(gateway, 'bob')
  const client = plain(t, server.url)
  const list = `${BASE}:v`
  const old = await client.hget(list, 'subject:"alice"')
  await revoke(gateway, 'alice', 0)
  const newer = await client.hget(list, 'subject:"alice"')
  // As a replica has it that took over too early, or one that its own past was copied to.
  await client
    .multi()
    .hset(list, 'subject:"alice"', old!, 'version', '1')
    .zadd(`${BASE}:vc`, '1', 'subject:"alice"')
    .hdel(list, 'subject:"bob"')
    .zrem(`${BASE}:vc`, 'subject:"bob"')
    .zrem(`${BASE}:ve`, 'subject:"bob"')
    .exec()
  await until('told again', async () => (await client.hexists(list, 'subject:"bob"')) === 1)
  t.equal(await client.hget(list, 'subject:"alice"'), newer)
  t.same(gateway.heard.values(), ['bob'])
})

t.test('functions that were flushed are loaded again', async (t) => {
  const server = await redis(t)
  const gateway = await startGateway(t, { url: server.url, lookEvery: OFTEN })
  await plain(t, server.url).call('FUNCTION', 'FLUSH')
  await revoke(gateway, 'alice')
  t.match(await gateway.shared.take('a', RATE, 1, 1), { granted: 1 })
  t.equal(gateway.shared.fault(), undefined)
})

t.test('nonsense among the messages is let be', async (t) => {
  const server = await redis(t)
  const gateway = await startGateway(t, server)
  const client = plain(t, server.url)
  const all = ['', '{', 'null', '1', '[]', '{}', '{"kind":"renewal","id":1}', '{"kind":"renewed"}']
  for (const text of all) await client.spublish(`${BASE}:z`, text)
  await client.spublish(`${BASE}:z`, '{"kind":"renewed","id":"x"}')
  gateway.heard.streams.add('session')
  t.equal(await gateway.shared.renew('session', 'x'), true)
  t.same(gateway.heard.renewals, [{ session: 'session', renewal: 'x' }])
})

t.test('nor is nonsense among the verdicts taken for one', async (t) => {
  const server = await redis(t)
  const one = await startGateway(t, server)
  await revoke(one, 'alice')
  const client = plain(t, server.url)
  for (const [i, name] of ['subject:"a"b"', 'subject:a', 'colour:"red"', ''].entries()) {
    await client.hset(`${BASE}:v`, name, '9 9 9', 'version', i + 2)
    await client.zadd(`${BASE}:vc`, i + 2, name)
  }
  const other = await startGateway(t, server)
  t.same(other.heard.values(), ['alice'])
  await revoke(one, 'bob')
  await keepsOut(other, 'alice', 'bob')
})

t.test('a renewal that can’t be read ends nothing', async (t) => {
  const server = await redis(t)
  const gateway = await startGateway(t, server)
  const { heard, shared } = gateway
  heard.renewed = () => {
    throw new Error('not in my language')
  }
  t.equal(await shared.renew('session', 'x'), false)
  heard.renewed = () => true
  t.equal(await shared.renew('session', 'x'), true)
})

t.test('a start without Redis is refused in time', async (t) => {
  const server = await redis(t)
  const log = createRedisLog({ url: server.url, retentionFor })
  await log.start(createLogRecorder())
  t.teardown(() => log.stop())
  await server.kill('SIGSTOP')
  const shared = createSharedRedis(log.intake, { logger: silentLogger, startTimeout: 100 })
  t.equal(shared.fault(), 'revocations are not heard of: not started')
  await t.rejects(shared.start({ revocations() {}, renewed: () => false }), {
    code: 'log_unavailable',
  })
  await server.kill('SIGCONT')
})
