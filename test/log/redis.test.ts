import { Redis } from 'ioredis'
import t from 'tap'
import { createRedisLog } from '../../src/log/redis.js'
import { startRedis } from '../support/redis.js'
import { logContract } from './contract.js'
import { createRecorder, retentionFor } from './subject.js'

const server = await startRedis()
t.teardown(() => server.stop())
const client = new Redis(server.url)
t.teardown(() => client.disconnect())

async function serverTime(): Promise<number> {
  const [seconds, micros] = await client.time()
  return Number(seconds) * 1000 + Number(micros) / 1000
}

let logs = 0
await logContract(t, 'redis', async ({ partitions = 1 } = {}) => {
  const log = createRedisLog({ url: server.url, prefix: `t${++logs}`, partitions, retentionFor })
  const heard = createRecorder()
  await log.start(heard)
  return {
    log,
    heard,
    // Its clock can't be owned, so the server is asked until it has gone on; BLPOP paces the questions.
    async elapse(ms) {
      const due = (await serverTime()) + ms
      while ((await serverTime()) < due) await client.blpop('nothing', 0.05)
    },
    stop: () => log.stop(),
  }
})
