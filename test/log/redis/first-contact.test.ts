/** What a log says of an address that leads to servers, but not to a log. */
import t from 'tap'
import { createRedisLog } from '../../../src/log/redis.js'
import { startRedis } from '../../support/redis.js'
import { ask } from '../../support/redis-ask.js'
import { createRecorder, retentionFor } from '../subject.js'

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
