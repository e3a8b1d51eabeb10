/** Runs when Redis, or the way to it, fails. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { RunStore } from '../../src/runs/store.js'
import { startSwitch } from '../log/switch.js'
import { startRedis } from '../support/redis.js'
import { startCluster } from '../support/redis-cluster.js'
import { until } from '../support/until.js'
import { startGateway } from './store-gateway.js'
import { begin, DONE, KEEP, LEASE, resume, standing } from './store-subject.js'

t.setTimeout(120_000)

async function redis(t: Test, args?: readonly string[]) {
  const server = await startRedis(args === undefined ? {} : { args })
  t.teardown(() => server.stop())
  return server
}

/** Everything that asks Redis. */
const questions = (store: RunStore): Promise<unknown>[] => [
  store.begin({ id: 'new', format: 'plain' }, LEASE),
  store.resume('a', LEASE),
  store.renew([{ id: 'a', fence: 1, events: 1 }], LEASE),
  store.touch('a', LEASE),
  store.describe('a', 1, 'anthropic'),
  store.finish('a', 1, DONE, KEEP),
  store.requestStop('a'),
  store.get('a'),
  store.overdue(10, LEASE),
  store.keyed('key', 'a', KEEP),
]

async function refusesAll(t: Test, store: RunStore): Promise<void> {
  const answers = await Promise.allSettled(questions(store))
  t.match(
    answers,
    answers.map(() => ({ status: 'rejected', reason: { code: 'log_unavailable' } })),
  )
}

const healed = (store: RunStore) => until('healed', () => store.get('a').then(() => true))

t.test('runs outlive a restart of a Redis that persists', async (t) => {
  const server = await redis(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
  const { store, heard } = await startGateway(t, server)
  for (const id of ['a', 'b', 'ended', 'late']) await begin(store, id)
  await resume(store, 'b')
  await store.finish('ended', 1, DONE, KEEP)
  await store.keyed('key', 'a', KEEP)
  await server.kill('SIGKILL')
  await until('noticed', () =>
    store.get('a').then(
      () => false,
      () => true,
    ),
  )
  await refusesAll(t, store)
  await server.restart()
  await healed(store)
  t.equal(await standing(store, 'a', 1), 'held')
  t.equal(await standing(store, 'b', 1), 'lost')
  t.equal(await standing(store, 'b', 2), 'held')
  t.match(await store.get('ended'), DONE)
  t.equal(await store.keyed('key', 'other', KEEP), 'a')
  const other = await startGateway(t, server)
  await other.store.requestStop('late')
  await heard.until('late')
})

t.test('a Redis that came back empty has lost the runs, and says so', async (t) => {
  const server = await redis(t)
  const { store } = await startGateway(t, server)
  await begin(store, 'a')
  await server.restart('SIGKILL')
  await healed(store)
  t.equal(await standing(store, 'a', 1), 'lost')
  t.equal(await store.finish('a', 1, DONE, KEEP), undefined)
  t.match(await begin(store, 'a'), { fence: 1 })
})

t.test('while Redis is frozen everything is refused; awake again it goes on', async (t) => {
  const server = await redis(t)
  const { store, heard } = await startGateway(t, server)
  await begin(store, 'a')
  await begin(store, 'b')
  await server.kill('SIGSTOP')
  await refusesAll(t, store)
  await server.kill('SIGCONT')
  await healed(store)
  t.equal(await standing(store, 'b', 1), 'held')
  const other = await startGateway(t, server)
  await other.store.requestStop('b')
  await heard.until('b')
})

t.test('a stop that was said while a gateway was cut off reaches it when it is back', async (t) => {
  const server = await redis(t)
  const road = await startSwitch(server.port)
  t.teardown(() => road.stop())
  const one = await startGateway(t, { url: road.url })
  const other = await startGateway(t, server)
  await begin(one.store, 'a')
  road.to(undefined)
  await other.store.requestStop('a')
  t.same(one.heard.ids, [])
  road.to(server.port)
  await one.heard.until('a')
})

t.test('a gateway that was cut off for too long has lost its run', async (t) => {
  const server = await redis(t)
  const road = await startSwitch(server.port)
  t.teardown(() => road.stop())
  const one = await startGateway(t, { url: road.url })
  const other = await startGateway(t, server)
  await begin(one.store, 'a', 50)
  road.to(undefined)
  await until('over', async () => (await other.store.overdue(10, LEASE)).length === 1)
  t.match(await other.store.finish('a', 2, DONE, KEEP), DONE)
  road.to(server.port)
  await healed(one.store)
  t.equal(await standing(one.store, 'a', 1), 'lost')
  t.equal(await one.store.finish('a', 1, DONE, KEEP), undefined)
})

t.test('functions that were flushed are loaded again', async (t) => {
  const server = await redis(t)
  const { store } = await startGateway(t, server)
  await begin(store, 'a')
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  await client.call('FUNCTION', 'FLUSH')
  t.equal(await standing(store, 'a', 1), 'held')
})

t.test('a master that is away holds up no runs of the others', async (t) => {
  const cluster = await startCluster({ replicas: 0 })
  t.teardown(() => cluster.stop())
  const { store, log } = await startGateway(t, { url: cluster.url, partitions: 4 })
  // The rest of the slots is served all the same.
  for (const { url } of cluster.nodes) {
    const admin = new Redis(url)
    await admin.config('SET', 'cluster-require-full-coverage', 'no')
    admin.disconnect()
  }
  const ids = Array.from({ length: 40 }, (_, i) => `r${i}`)
  for (const id of ids) await begin(store, id, 1)
  await cluster.nodes[0]!.kill('SIGKILL')
  const partitionOf = (id: string) => log.partitionOf(`run:${id}`)
  const gone = new Set<number>()
  await until('noticed', async () => {
    for (const id of ids) {
      await store.get(id).catch(() => gone.add(partitionOf(id)))
    }
    return gone.size > 0
  })
  const there = ids.filter((id) => !gone.has(partitionOf(id)))
  t.ok(there.length > 0 && there.length < ids.length)
  const taken = await store.overdue(100, LEASE)
  t.same(taken.map(({ run }) => run.id).toSorted(), there.toSorted())
  const holds = ids.map((id) => ({ id, fence: 1, events: 1 }))
  t.same(
    await store.renew(holds, LEASE),
    ids.map((id) => (there.includes(id) ? 'lost' : 'held')),
  )
})
