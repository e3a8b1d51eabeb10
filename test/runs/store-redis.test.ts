/** Gateways that keep their runs on one Redis. */
import { Redis } from 'ioredis'
import t from 'tap'
import { startRedis } from '../support/redis.js'
import { baseOf, lookInto } from '../support/redis-keys.js'
import { storeContract } from './store-contract.js'
import { startGateway } from './store-gateway.js'
import { BROKEN, begin, DONE, KEEP, LEASE, resume, standing } from './store-subject.js'

const WEEK = 7 * 24 * 3_600_000
const server = await startRedis()
t.teardown(() => server.stop())
const { client, serverTime, elapse } = lookInto(server.url)
t.teardown(() => client.disconnect())

let prefixes = 0
for (const partitions of [1, 4]) {
  await storeContract(t, `redis, ${partitions} partitions`, async () => {
    const options = { url: server.url, prefix: `t${++prefixes}`, partitions }
    const one = await startGateway(t, options)
    const other = await startGateway(t, options)
    return {
      ...{ one: one.store, other: other.store, heard: { one: one.heard, other: other.heard } },
      elapse,
      async stop() {
        await Promise.all([one.stop(), other.stop()])
      },
    }
  })
}

t.test('an ended run leaves its record alone, and that goes by itself', async (t) => {
  const { store } = await startGateway(t, { url: server.url, prefix: 'left' })
  const base = baseOf('left')
  const before = await client.keys(`${base}:*`)
  await begin(store, 'a')
  const running = await client.pttl(`${base}:rn:a`)
  t.ok(running > WEEK && running <= WEEK + LEASE, 'a running one outlives any lease')
  await store.requestStop('a')
  await store.keyed('key', 'a', KEEP)
  await store.finish('a', 1, DONE, KEEP)
  const left = (await client.keys(`${base}:*`)).filter((key) => !before.includes(key))
  t.same(left.toSorted(), [`${base}:rk:"key"`, `${base}:rn:a`])
  for (const key of left) {
    const ttl = await client.pttl(key)
    t.ok(ttl > 0 && ttl <= KEEP, `${key}: ${ttl} ms`)
  }
})

t.test('a renewal prolongs the life of a record, too', async (t) => {
  const { store } = await startGateway(t, { url: server.url, prefix: 'life' })
  const key = `${baseOf('life')}:rn:a`
  await begin(store, 'a')
  await client.pexpire(key, 1000)
  await standing(store, 'a', 1)
  t.ok((await client.pttl(key)) > WEEK)
})

t.test('what is left of a run whose record went is cleared away', async (t) => {
  const { store } = await startGateway(t, { url: server.url, prefix: 'gone' })
  const base = baseOf('gone')
  for (const id of ['a', 'b']) {
    await begin(store, id, 1)
    await store.requestStop(id)
    await client.del(`${base}:rn:${id}`)
  }
  await begin(store, 'b')
  t.equal(await standing(store, 'b', 1), 'held', 'it isn’t meant for one that begins anew')
  await elapse(1)
  t.same(await store.overdue(10, LEASE), [])
  t.same(await client.zrange(`${base}:rl`, '0', '-1'), ['b'])
  t.equal(await client.exists(`${base}:rs`), 0)
})

t.test('a take-over that a failover lost isn’t undone by it', async (t) => {
  const { store } = await startGateway(t, { url: server.url, prefix: 'failover' })
  const key = `${baseOf('failover')}:rn:a`
  for (const ask of [
    async (fence: number) => (await standing(store, 'a', fence)) === 'held',
    (fence: number) => store.describe('a', fence, 'anthropic'),
    async (fence: number) => (await store.finish('a', fence, BROKEN, KEEP)) !== undefined,
  ]) {
    await client.del(key)
    await begin(store, 'a')
    await resume(store, 'a')
    // As a replica has it that hadn't heard of the take-over.
    await client.hset(key, 'fence', '1')
    t.equal(await ask(2), true)
    t.equal(await standing(store, 'a', 1), 'lost')
    t.equal(await client.hget(key, 'fence'), '2')
  }
})

t.test('a server whose clock is set back ends no run before it began', async (t) => {
  const { store } = await startGateway(t, { url: server.url, prefix: 'clock' })
  await begin(store, 'a')
  const ahead = Math.floor(await serverTime()) + 3_600_000
  await client.hset(`${baseOf('clock')}:rn:a`, 'started', ahead)
  t.match(await store.finish('a', 1, DONE, KEEP), { started: ahead, ended: ahead })
})

t.test('a full Redis begins nothing, and ends what has begun', async (t) => {
  const own = await startRedis()
  t.teardown(() => own.stop())
  const { store } = await startGateway(t, own)
  for (const id of ['a', 'b']) await begin(store, id, 1)
  const admin = new Redis(own.url)
  t.teardown(() => admin.disconnect())
  await admin.config('SET', 'maxmemory', '1')
  const refused = { code: 'log_unavailable' }
  await t.rejects(store.begin({ id: 'c', format: 'plain' }, LEASE), refused)
  await t.rejects(store.keyed('key', 'c', KEEP), refused)
  t.equal(await standing(store, 'a', 1), 'held')
  t.match(await store.requestStop('a'), { id: 'a' })
  t.match(await store.touch('a', LEASE), { stopped: true })
  t.match(await resume(store, 'a'), { fence: 2 })
  t.equal(await store.describe('a', 2, 'anthropic'), true)
  t.match(await store.finish('a', 2, DONE, KEEP), DONE)
  t.match(await store.overdue(10, LEASE), [{ run: { id: 'b' } }])
  t.match(await store.get('a'), DONE)
})
