/** Gateways that share on one Redis. */
import t from 'tap'
import { VERDICTS } from '../../src/auth/shared-limits.js'
import { createVerdicts, nameOf, readName, type Verdict } from '../../src/auth/verdicts.js'
import { callFunction } from '../../src/log/redis/functions.js'
import { seeded } from '../support/random.js'
import { startRedis } from '../support/redis.js'
import { baseOf, lookInto } from '../support/redis-keys.js'
import { sharedContract } from './shared-contract.js'
import { startGateway } from './shared-gateway.js'
import { AWKWARD } from './shared-subject.js'

const HOUR = 3_600_000
const server = await startRedis()
t.teardown(() => server.stop())
const { client, serverTime, elapse } = lookInto(server.url)
t.teardown(() => client.disconnect())

let prefixes = 0
for (const partitions of [1, 4]) {
  await sharedContract(t, `redis, ${partitions} partitions`, async () => {
    const options = { url: server.url, prefix: `t${++prefixes}`, partitions }
    const one = await startGateway(t, options)
    const other = await startGateway(t, options)
    return {
      one,
      other,
      now: Date.now,
      elapse,
      async stop() {
        await Promise.all([one.stop(), other.stop()])
      },
    }
  })
}

t.test('everything but revocations goes by itself', async (t) => {
  const { shared } = await startGateway(t, { url: server.url, prefix: 'expiry' })
  const now = Date.now()
  await shared.issueTicket('new', 'r', now + 30_000, now + HOUR)
  await shared.issueTicket('used', 'r', now + 30_000, now + HOUR)
  await shared.redeemTicket('used', 's')
  await shared.claimSession('s', 'alice', HOUR)
  await shared.take('bucket', { amount: 10, ms: 10_000 }, 5, 5)
  const base = baseOf('expiry')
  const within = async (key: string, from: number, to: number) => {
    const left = await client.pttl(`${base}:${key}`)
    t.ok(left > from && left <= to, `${key}: ${left} ms`)
  }
  await within('t:new', 0, 30_000)
  await within('t:used', 30_000, HOUR)
  await within('u:s', 30_000, HOUR)
  await within('b:10/10000:"bucket"', 0, 5000)
})

t.test('what a bucket gives over time is its rate', async (t) => {
  const { shared } = await startGateway(t, { url: server.url, prefix: 'rate' })
  const rate = { amount: 20, ms: 200 }
  const began = await serverTime()
  let granted = 0
  let ended = began
  while (ended - began < 1000) {
    granted += (await shared.take('a', rate, 1, 3)).granted
    ended = await serverTime()
  }
  const most = rate.amount + ((ended - began + 1) * rate.amount) / rate.ms
  t.ok(granted <= most, `${granted} of at most ${most}`)
  t.ok(granted > rate.amount, `${granted}: more than there was at first`)
})

t.test('a server whose clock is set back lets buckets fill all the same', async (t) => {
  const { shared } = await startGateway(t, { url: server.url, prefix: 'clock' })
  const rate = { amount: 10, ms: 1000 }
  const key = `${baseOf('clock')}:b:10/1000:"a"`
  await client.set(key, `10000 ${Math.floor(await serverTime()) + HOUR}`, 'PX', 2 * HOUR)
  const { granted, retryMs } = await shared.take('a', rate, 1, 1)
  t.equal(granted, 0)
  t.equal(retryMs, 100)
  t.ok((await client.pttl(key)) <= 1000)
  await elapse(retryMs)
  t.match(await shared.take('a', rate, 1, 1), { granted: 1 })
})

t.test('a gateway’s clock may be off by an hour', async (t) => {
  const options = { url: server.url, prefix: 'skew' }
  const late = await startGateway(t, { ...options, now: () => Date.now() - HOUR })
  const early = await startGateway(t, { ...options, now: () => Date.now() + HOUR })
  await late.shared.issueTicket('late', 'r', Date.now() - HOUR + 30_000, Date.now())
  await early.shared.issueTicket('early', 'r', Date.now() + HOUR + 300, Date.now() + 2 * HOUR)
  t.match(await early.shared.redeemTicket('late', 's'), { kind: 'redeemed' })
  await elapse(300)
  t.match(await late.shared.redeemTicket('early', 's'), { kind: 'unknown' })

  const until = Date.now() + 24 * HOUR
  await early.shared.revoke({ kind: 'subject', value: 'a', until })
  await late.shared.revoke({ kind: 'subject', value: 'a', until: 0 })
  await late.shared.revoke({ kind: 'subject', value: 'b', until })
  await early.heard.until(() => early.heard.values().join() === 'b')
  t.same(late.heard.values(), ['b'])
})

t.test('whoever starts later hears who is kept out, however many', async (t) => {
  const options = { url: server.url, prefix: 'many' }
  const { shared, heard } = await startGateway(t, options)
  const values = Array.from({ length: 1234 }, (_, i) => `s${i}`)
  const until = Date.now() + HOUR
  await Promise.all(values.map((value) => shared.revoke({ kind: 'subject', value, until })))
  await shared.revoke({ kind: 'subject', value: 's7', until: 0 })
  const late = await startGateway(t, options)
  const wanted = values.filter((value) => value !== 's7').toSorted()
  t.same(late.heard.values().toSorted(), wanted)
  t.same(heard.values().toSorted(), wanted)
})

t.test('no revocation of one gateway is lost to another’s at the same time', async (t) => {
  const options = { url: server.url, prefix: 'both' }
  const gateways = [await startGateway(t, options), await startGateway(t, options)]
  const until = Date.now() + HOUR
  await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      gateways[i % 2]!.shared.revoke({ kind: 'jti', value: `j${i}`, until }),
    ),
  )
  for (const { heard } of gateways) await heard.until(() => heard.values().length === 300)
})

t.test('beyond the bound a revocation is refused, one that is there can be changed', async (t) => {
  const { shared, heard } = await startGateway(t, { url: server.url, prefix: 'full' })
  const until = Date.now() + HOUR
  const revoke = (value: string, until: number) => shared.revoke({ kind: 'subject', value, until })
  await revoke('alice', until)
  const list = `${baseOf('full')}:v`
  for (let i = 1; i < VERDICTS; i += 1000) {
    const count = Math.min(1000, VERDICTS - i)
    const fields = Array.from({ length: count }, (_, k) => [
      `subject:"${i + k}"`,
      `${until} 1 ${until}`,
    ])
    await client.hset(list, ...fields.flat())
  }
  await t.rejects(revoke('bob', until), { code: 'overloaded' })
  t.same(heard.values(), ['alice'])
  await revoke('alice', 0)
  t.same(heard.values(), [])
})

t.test('those that have ended are removed, and make room', async (t) => {
  await startGateway(t, { url: server.url, prefix: 'prune' })
  const base = baseOf('prune')
  const call = async (value: string, until: number) =>
    callFunction(client, 'revoke', base, [3, nameOf('subject', value), Math.floor(until), 0, 0])
  const soon = (await serverTime()) + 500
  for (const value of ['a', 'b', 'c']) t.ok(await call(value, soon))
  t.equal(await call('d', soon), null)
  await elapse(500)
  t.ok(await call('d', soon + HOUR))
  t.same(Object.keys(await client.hgetall(`${base}:v`)).toSorted(), [
    'birth',
    'subject:"d"',
    'version',
  ])
  for (const key of ['vc', 've']) {
    t.same(await client.zrange(`${base}:${key}`, '0', '-1'), ['subject:"d"'])
  }
})

t.test('in Redis and in a gateway verdicts add up by one rule, in any order', async (t) => {
  await startGateway(t, { url: server.url, prefix: 'rule' })
  const now = Date.now()
  for (let seed = 1; seed <= 30; seed++) {
    const random = seeded(seed)
    const said = Array.from({ length: 40 }, (): Verdict => {
      const until = random.between(0, 2) === 0 ? 0 : now + HOUR + random.between(1, 5)
      const ends = Math.max(until, now + HOUR + random.between(1, 5))
      const value = AWKWARD[random.between(0, 5)]!
      return { kind: 'subject', value, until, at: random.between(1, 8), ends }
    })
    const [one, other] = [createVerdicts(100, Date.now), createVerdicts(100, Date.now)]
    for (const verdict of said) one.hear(verdict)
    for (const verdict of random.choose(said, said.length)) other.hear(verdict)
    const base = `${baseOf('rule')}:${seed}`
    const args = random.choose(said, said.length).flatMap((each) => {
      return [nameOf(each.kind, each.value), each.until, each.at, each.ends]
    })
    await callFunction(client, 'remind', base, [100, ...args])
    const sorted = (all: Verdict[]) => all.toSorted((a, b) => (a.value < b.value ? -1 : 1))
    const { birth, version, ...stored } = await client.hgetall(`${base}:v`)
    const there = Object.entries(stored).map(([name, text]): Verdict => {
      const [until, at, ends] = text.split(' ').map(Number) as [number, number, number]
      return { ...readName(name)!, until, at, ends }
    })
    t.same(sorted(other.all()), sorted(one.all()), `seed ${seed}: two gateways`)
    t.same(sorted(there), sorted(one.all()), `seed ${seed}: and Redis`)
  }
})
