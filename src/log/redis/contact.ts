/** The first word with Redis, before anything is built on it: is it there, is it new enough, is it safe? */
import type { Redis } from 'ioredis'
import { loadFunctions } from './functions.js'
import { FOLLOWER_BUFFER } from './limits.js'
import type { RedisLogger } from './partition.js'

/** For messages: never with a password. */
export function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url)
    if (parsed.password !== '') parsed.password = '***'
    return parsed.href
  } catch {
    return 'the configured URL'
  }
}

async function examine(client: Redis, logger: RedisLogger): Promise<void> {
  const info = await client.info('server')
  const version = /^redis_version:(\d+)/m.exec(info)?.[1]
  if (Number(version) < 7) throw new Error(`Redis 7 or later is needed, this is ${version}`)
  await examineSettings(client, logger)
  await loadFunctions(client)
}

async function examineSettings(client: Redis, logger: RedisLogger): Promise<void> {
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

/** First contact: what is wrong here is wrong for good. */
export async function firstContact(
  connect: () => Redis,
  deadline: number,
  logger: RedisLogger,
): Promise<void> {
  for (;;) {
    const client = connect()
    let reason = 'no answer'
    client.on('error', (error: Error) => {
      reason = error.message || error.name
    })
    const timer = setTimeout(
      () => client.stream?.destroy(),
      Math.max(1, deadline - performance.now()),
    )
    try {
      const connected = await client.connect().then(
        () => true,
        () => false,
      )
      if (connected) return await examine(client, logger)
    } finally {
      clearTimeout(timer)
      client.disconnect()
      client.stream?.destroy()
    }
    if (performance.now() + 250 > deadline) throw new Error(reason)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

/** Rejects where the promise hasn't settled at the deadline (of performance.now). */
export function within<T>(deadline: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('no answer')),
      Math.max(1, deadline - performance.now()),
    )
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
