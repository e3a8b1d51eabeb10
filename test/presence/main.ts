/** `npm run soak:presence`: the storm at full size, on gateways as their operators run them. Exit code 1 on any fault. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGatewayProcess } from '../support/gateway.js'
import { startRedis } from '../support/redis.js'
import { runStorm } from './storm.js'

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '1000' },
    flapping: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
})
const [members, flapping, seconds, seed] = [
  Number(values.members),
  Number(values.flapping),
  Number(values.seconds),
  Number(values.seed),
]
console.log(`${members} members, ${flapping} of them flapping, ${seconds} s, seed ${seed}`)

const GRACE_MS = 10_000
/** The grace, a lease that nobody renewed in time, and a look. */
const SLACK_MS = 25_000

const undo: (() => Promise<unknown>)[] = []
let ok = false
try {
  const redis = await startRedis()
  undo.push(() => redis.stop())
  const folder = await mkdtemp(join(tmpdir(), 'presence-'))
  undo.push(() => rm(folder, { recursive: true }))
  const file = join(folder, 'sluice.json')
  const channels = [{ pattern: 'chat:*', presence: true }]
  const config = { channels, presenceGrace: `${GRACE_MS / 1000}s`, maxStreamsPerAddress: 0 }
  await writeFile(file, JSON.stringify(config))
  const env = { SLUICE_REDIS_URL: redis.url, SLUICE_CONFIG: file }
  const gateways = [await startGatewayProcess(env), await startGatewayProcess(env)]
  undo.push(...gateways.map((it) => () => it.stop()))
  const report = await runStorm({
    urls: gateways.map(({ url }) => url),
    ...{ channel: 'chat:7', members, flapping, ms: seconds * 1000, seed },
    ...{ graceMs: GRACE_MS, slackMs: SLACK_MS },
  })
  const { faults, ...figures } = report
  console.log(figures)
  for (const fault of faults) console.log(`fault: ${fault}`)
  ok = faults.length === 0 && report.leaves > 0 && report.compared > 0
} finally {
  for (const each of undo.reverse()) await each()
}
console.log(ok ? 'all is well' : 'FAILED')
process.exitCode = ok ? 0 : 1
