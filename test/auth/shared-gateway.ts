/** A gateway's half that shares on Redis: a log, and what is shared beside it, without HTTP. */
import type { Test } from 'tap'
import type { Shared } from '../../src/auth/shared.js'
import { createSharedRedis, type SharedRedisOptions } from '../../src/auth/shared-redis.js'
import { createRedisLog, type RedisLog, type RedisLogOptions } from '../../src/log/redis.js'
import { silentLogger } from '../../src/logger.js'
import { createRecorder as createLogRecorder, retentionFor } from '../log/subject.js'
import { createRecorder, type Recorder } from './shared-subject.js'

export interface SharedGateway {
  readonly log: RedisLog
  readonly shared: Shared
  readonly heard: Recorder
  stop(): Promise<void>
}

export interface SharedGatewayOptions extends Partial<SharedRedisOptions> {
  readonly url: string
  readonly prefix?: string
  readonly partitions?: number
  /** ms until a connection that doesn't answer is given up. */
  readonly checkTimeout?: number
}

export async function startGateway(
  t: Test,
  { url, prefix, partitions, checkTimeout, ...options }: SharedGatewayOptions,
): Promise<SharedGateway> {
  const logOptions: RedisLogOptions = {
    url,
    retentionFor,
    ...(prefix !== undefined && { prefix }),
    ...(partitions !== undefined && { partitions }),
    ...(checkTimeout !== undefined && { checkTimeout }),
  }
  const log = createRedisLog(logOptions)
  await log.start(createLogRecorder())
  const shared = createSharedRedis(log.intake, { logger: silentLogger, ...options })
  const heard = createRecorder()
  const gateway: SharedGateway = {
    log,
    shared,
    heard,
    async stop() {
      await shared.stop()
      await log.stop()
    },
  }
  t.teardown(() => gateway.stop())
  await shared.start(heard)
  return gateway
}
