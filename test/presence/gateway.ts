/** A gateway in a process of its own, with leases so short that a test can wait for them: to be killed. */
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'

const [redisUrl, graceMs, leaseMs] = process.argv.slice(2)
const { url } = await startGateway(
  {
    ...loadConfig(),
    ...{ port: 0, redisUrl, presenceGraceMs: Number(graceMs) },
    channels: [{ pattern: 'chat:*', presence: true }],
  },
  { internals: { members: { leaseMs: Number(leaseMs) } } },
)
process.send!(url)
// With whoever has started it.
process.on('disconnect', () => process.exit())
