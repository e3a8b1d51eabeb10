/** What goes to Redis in one call, by Redis's own count of calls. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createRedisLog } from '../../src/log/redis.js'
import { startRedis } from '../support/redis.js'
import { createRecorder, drafts, retentionFor } from './subject.js'

const server = await startRedis()
t.teardown(server.stop)
const probe = new Redis(server.url)
t.teardown(() => probe.disconnect())

async function calls(): Promise<number> {
  return Number(/cmdstat_fcall:calls=(\d+)/.exec(await probe.info('commandstats'))?.[1] ?? 0)
}

/** How many calls an append takes together with one that is made while the turn ends. */
async function callsOfTwo(t: Test, fanOut: number): Promise<number> {
  const log = createRedisLog({
    url: server.url,
    prefix: t.name.replaceAll(' ', '-'),
    retentionFor,
    checkEvery: 3_600_000,
  })
  await log.start({ ...createRecorder(), fanOut })
  t.teardown(log.stop)
  const before = await calls()
  const first = log.append(drafts('a', 1))
  const second = new Promise((resolve) => {
    setImmediate(() => resolve(log.append(drafts('a', 1))))
  })
  await Promise.all([first, second])
  return (await calls()) - before
}

t.test('an append leaves at the end of its turn', async (t) => {
  t.equal(await callsOfTwo(t, 0), 2)
  t.equal(await callsOfTwo(t, 10), 2)
})

t.test('where many sockets are written to, what comes meanwhile leaves with it', async (t) => {
  t.equal(await callsOfTwo(t, 1000), 1)
})
