/** What a Redis must be, and how it should be set, to hold a log. */
import type { Redis } from 'ioredis'
import { FOLLOWER_BUFFER } from './limits.js'
import type { RedisLogger } from './partition.js'

/** Asked of each master that is met. Throws where the log isn't safe there. */
export async function examineSettings(client: Redis, logger: RedisLogger): Promise<void> {
  const info = await client.info('server')
  const version = /^redis_version:(\d+)/m.exec(info)?.[1]
  if (Number(version) < 7) throw new Error(`Redis 7 or later is needed, this is ${version}`)
  const setting = async (name: string) => ((await client.config('GET', name)) as string[])[1] ?? ''
  let policy: string
  let limits: string
  try {
    policy = await setting('maxmemory-policy')
    limits = await setting('client-output-buffer-limit')
  } catch {
    logger.warn({}, 'Redis: CONFIG GET is not permitted; maxmemory-policy must not be allkeys-*')
    return
  }
  if (policy.startsWith('allkeys-')) {
    throw new Error(
      `maxmemory-policy is ${policy}, which removes parts of the log silently: use noeviction`,
    )
  }
  const limit = Number(/pubsub (\d+)/.exec(limits)?.[1])
  if (limit > 0 && limit < FOLLOWER_BUFFER) {
    logger.warn(
      { limit },
      'Redis: client-output-buffer-limit cuts off a gateway that stalls for a second under load; ' +
        'set "pubsub 256mb 64mb 60"',
    )
  }
}
