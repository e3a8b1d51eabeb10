/** A gateway's half that keeps runs on Redis: a log, and the store beside it, without HTTP. */
import type { Test } from 'tap'
import { createRedisLog, type RedisLog } from '../../src/log/redis.js'
import { silentLogger } from '../../src/logger.js'
import type { RunStore } from '../../src/runs/store.js'
import { createRedisRuns, type RedisRunsOptions } from '../../src/runs/store-redis.js'
import { createRecorder, retentionFor } from '../log/subject.js'
import { createHeard, type Heard } from './store-subject.js'

export interface StoreGateway {
  readonly log: RedisLog
  readonly store: RunStore
  readonly heard: Heard
  stop(): Promise<void>
}

export interface StoreGatewayOptions extends Partial<RedisRunsOptions> {
  readonly url: string
  readonly prefix?: string
  readonly partitions?: number
}

export async function startGateway(
  t: Test,
  { url, prefix, partitions, ...options }: StoreGatewayOptions,
): Promise<StoreGateway> {
  const log = createRedisLog({
    ...{ url, retentionFor },
    ...(prefix !== undefined && { prefix }),
    ...(partitions !== undefined && { partitions }),
  })
  await log.start(createRecorder())
  const store = createRedisRuns(log.intake, { logger: silentLogger, ...options })
  const heard = createHeard()
  const gateway: StoreGateway = {
    ...{ log, store, heard },
    async stop() {
      await store.stop()
      await log.stop()
    },
  }
  t.teardown(() => gateway.stop())
  await store.start(heard.hear)
  return gateway
}
