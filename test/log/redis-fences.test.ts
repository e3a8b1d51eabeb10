/** One producer after the other, where each is on a gateway of its own. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createRedisLog, type RedisLog } from '../../src/log/redis.js'
import { startRedis } from '../support/redis.js'
import { createRecorder, dataOf, drafts, everything, retentionFor } from './subject.js'

const server = await startRedis()
t.teardown(() => server.stop())
const client = new Redis(server.url)
t.teardown(() => client.disconnect())

let tests = 0
/** Two gateways that share what is stored. */
async function two(t: Test): Promise<[RedisLog, RedisLog]> {
  const prefix = `t${++tests}`
  const open = async () => {
    const log = createRedisLog({ url: server.url, prefix, retentionFor, checkEvery: 3_600_000 })
    await log.start(createRecorder())
    t.teardown(() => log.stop())
    return log
  }
  return [await open(), await open()]
}

const by = (fence: number, data: number) => drafts('a', 1, data).map((each) => ({ ...each, fence }))

t.test('a producer that was replaced on another gateway is refused', async (t) => {
  const [old, next] = await two(t)
  await old.append(by(1, 0))
  await next.fence('a', 2)
  await t.rejects(old.append(by(1, 8)), { code: 'fenced' })
  await t.rejects(old.append([...by(1, 8), ...by(1, 9)]), { code: 'fenced' })
  await t.rejects(old.close('a', null, 1), { code: 'fenced' })
  await t.rejects(old.fence('a', 1), { code: 'fenced' })
  await next.append(by(2, 1))
  t.same(dataOf((await everything(old, 'a')).entries), ['0', '1'])
})

t.test('nothing of the older one is among the newer one’s events', async (t) => {
  const [old, next] = await two(t)
  // A call each, so that some come before the newer one’s call and one behind it.
  const late = (async () => {
    for (let i = 0; i < 1000; i++) await old.append(by(1, 1000 + i))
  })()
  const newer = Array.from({ length: 50 }, (_, i) => next.append(by(2, 2000 + i)))
  await Promise.all([t.rejects(late, { code: 'fenced' }), ...newer])
  const kept = dataOf((await everything(old, 'a')).entries).map(Number)
  t.same(
    kept,
    kept.toSorted((x, y) => x - y),
  )
})

t.test('a fence that was lost is back with the newer producer’s next append', async (t) => {
  const [old, next] = await two(t)
  await next.append(by(2, 0))
  await client.del(`${next.intake.base(0)}:f:a`)
  await old.append(by(1, 1))
  await next.append(by(2, 2))
  await t.rejects(old.append(by(1, 8)), { code: 'fenced' })
})

t.test('what is skipped in a call is skipped with its fence and key', async (t) => {
  const [log] = await two(t)
  const shapes = [{}, { fence: 1 }, { key: 'k' }, { fence: 1, key: 'k' }]
  const messages = shapes.map((shape) => ({ ...drafts('a', 1, 8)[0]!, ...shape }))
  const held = log.intake.appendHeld(0, { token: 'nobody’s', drafts: messages })
  // In the same call, behind it.
  const appended = log.append(drafts('a', 1))
  t.equal(await held, 'fenced')
  await appended
  t.same(dataOf((await everything(log, 'a')).entries), ['0'])
})
