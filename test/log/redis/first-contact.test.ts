/** What a log says of an address that leads to servers, but not to a log. */
import t from 'tap'
import { createRedisLog } from '../../../src/log/redis.js'
import { startRedis } from '../../support/redis.js'
import { ask } from '../../support/redis-ask.js'
import { createRecorder, drafts, retentionFor } from '../subject.js'

t.test('a database that is not there is refused, and nothing goes to another', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const log = createRedisLog({ url: `${server.url}/99`, retentionFor })
  await t.rejects(log.start(createRecorder()), { message: /database 99 can't be used: .*range/ })
  t.equal(await ask(server.port, ['DBSIZE']), 0)
})

t.test('a list of servers that are no cluster is told what a list means', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const url = `${server.url},127.0.0.1:${server.port}`
  const log = createRedisLog({ url, retentionFor, startTimeout: 500 })
  await t.rejects(log.start(createRecorder()), { message: /list .* cluster.*redis\+sentinel:/ })
})

t.test('another number of partitions is refused whatever it is, and leaves nothing', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const open = async (partitions: number) => {
    const log = createRedisLog({ url: server.url, partitions, retentionFor })
    await log.start(createRecorder())
    t.teardown(() => log.stop())
  }
  await open(4)
  const size = await ask(server.port, ['DBSIZE'])
  for (const wrong of [1, 2, 3, 5, 8, 16, 64]) {
    const words = new RegExp(`holds a log of 4 partitions, but ${wrong} are configured`)
    await t.rejects(open(wrong), { message: words })
  }
  t.equal(await ask(server.port, ['DBSIZE']), size)
  await open(4)
})

t.test('logs in two databases of one server hear nothing of each other', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const open = async (url: string) => {
    const heard = createRecorder()
    const log = createRedisLog({ url, retentionFor })
    await log.start(heard)
    t.teardown(() => log.stop())
    await log.follow('a')
    return { log, heard }
  }
  const [zero, one] = [await open(server.url), await open(`${server.url}/1`)]
  for (const { log } of [zero, one, one, zero]) await log.append(drafts('a', 1))
  for (const { log } of [zero, one]) await log.check()
  for (const { heard } of [zero, one]) {
    await heard.until(() => heard.entries.length >= 2)
    t.equal(heard.entries.length, 2)
    t.same([heard.holes, heard.interruptions], [[], []])
  }
})
