/** State and diffs are what `GET` says, nobody leaves within the grace, and everybody who leaves does so once. */
import t from 'tap'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { startRedis } from '../support/redis.js'
import { runStorm } from './storm.js'

const CHANNELS = [{ pattern: 'chat:*', presence: true }]

t.test('two gateways on one Redis, eighty who are present, thirty who flap', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.comment(`seed ${seed}`)
  const graceMs = 1_000
  const start = async () => {
    const gateway = await startGateway(
      {
        ...loadConfig(),
        ...{ port: 0, redisUrl: redis.url, channels: CHANNELS, presenceGraceMs: graceMs },
      },
      { internals: { members: { leaseMs: 1_500 } } },
    )
    t.teardown(() => gateway.close())
    return gateway.url
  }
  const urls = [await start(), await start()]
  const report = await runStorm({
    ...{
      urls,
      channel: 'chat:7',
      members: 80,
      flapping: 30,
      ms: 8_000,
      graceMs,
      slackMs: 5_000,
      seed,
    },
  })
  t.strictSame(report.faults, [])
  t.ok(report.leaves > 10, `${report.leaves} leaves`)
  t.ok(report.compared > 50, `${report.compared} states compared`)
  t.comment(JSON.stringify(report))
})
