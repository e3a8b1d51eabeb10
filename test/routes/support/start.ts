/** Gateways for the tests of the routes: in this process, on loopback, a port of their own. */
import type { Test } from 'tap'
import { type Config, loadConfig } from '../../../src/config.js'
import type { GatewayInternals } from '../../../src/gateway.js'
import { type Gateway, startGateway } from '../../../src/server.js'
import { type RedisServer, startRedis } from '../../support/redis.js'

/** A gateway on the log in memory, stopped with the test. */
export async function start(
  t: Test,
  config: Partial<Config> = {},
  internals: GatewayInternals = {},
): Promise<Gateway> {
  const gateway = await startGateway({ ...loadConfig(), port: 0, ...config }, { internals })
  t.teardown(() => gateway.close())
  return gateway
}

/** Starts gateways of one test, on one log. */
export type Start = (config?: Partial<Config>, internals?: GatewayInternals) => Promise<Gateway>

/** A test that is run with the log in memory, and again with the log on a real Redis. */
export function onBothLogs(
  t: Test,
  name: string,
  run: (t: Test, start: Start) => Promise<void>,
): void {
  t.test(`${name} (memory)`, (t) => run(t, (config, internals) => start(t, config, internals)))
  t.test(`${name} (redis)`, async (t) => {
    redis ??= startRedis()
    const { url: redisUrl } = await redis
    const redisPrefix = `t${++prefixes}`
    const own = { redisUrl, redisPrefix }
    await run(t, (config, internals) => start(t, { ...own, ...config }, internals))
  })
}

/** One server for a file; each test has names of its own in it. */
let redis: Promise<RedisServer> | undefined
let prefixes = 0

/** Call in the file's last teardown where `onBothLogs` was used. */
export async function stopRedis(): Promise<void> {
  await (await redis)?.stop()
}
