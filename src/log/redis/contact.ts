/** The first word with Redis, before anything is built on it: is it there, is it new enough, is it safe? */
import type { Redis } from 'ioredis'
import { isReadingOnly, loadFunctions } from './functions.js'
import type { Examiner } from './settings.js'

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

async function examine(client: Redis, examiner: Examiner): Promise<void> {
  await examiner.examine(client)
  // A full Redis may have them already, and can be read; where it lacks them the first call says so.
  await loadFunctions(client).catch((error: unknown) => {
    if (!isReadingOnly(error)) throw error
  })
}

/** First contact: what is wrong here is wrong for good. */
export async function firstContact(
  connect: () => Redis,
  deadline: number,
  examiner: Examiner,
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
      if (connected) return await examine(client, examiner)
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
