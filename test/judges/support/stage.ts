/** Two gateways on one Redis with one upstream, and lines to them that can be cut. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startCutter } from '../../support/cutter.js'
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway.js'
import type { Random } from '../../support/random.js'
import { startRedis } from '../../support/redis.js'
import { PATHS } from './formats.js'
import { startUpstream, type UpstreamOptions } from './upstream.js'

export async function startStage(t: Test, options: UpstreamOptions, config: object = {}) {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const upstream = await startUpstream(options)
  t.teardown(upstream.stop)
  const dir = await mkdtemp(join(tmpdir(), 'judges-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'sluice.json')
  const allow = Object.keys(PATHS).map((path) => `POST ${path}`)
  const upstreams = { llm: { url: upstream.url, allow } }
  await writeFile(file, JSON.stringify({ redisUrl: redis.url, upstreams, ...config }))
  const start = async (): Promise<GatewayProcess> => {
    const gateway = await startGatewayProcess({ SLUICE_CONFIG: file })
    t.teardown(gateway.stop)
    return gateway
  }
  const gateways = [await start(), await start()] as const
  return { upstream, gateways }
}

/** A line whose connections lead to the gateway that `choose` names, and are cut after these bytes. */
export async function startLine(
  t: Test,
  random: Random,
  choose: () => GatewayProcess,
  budgets: number[] = [],
) {
  const target = () => choose().port
  const cutter = await startCutter({ target, random, budget: () => budgets.shift() })
  t.teardown(cutter.stop)
  return cutter
}
