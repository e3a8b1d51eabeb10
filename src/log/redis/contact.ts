/** The first words with a server: who it is, whether it is the one to talk to, whether the log is safe there. */
import type { Redis } from 'ioredis'
import { isElsewhere, isReadingOnly, isRefusedForNow, isReply, loadFunctions } from './functions.js'
import { RefusedError } from './refused.js'
import type { Examiner } from './settings.js'

/** ms between two attempts at the first contact. */
const PAUSE = 250

export interface Identity {
  /** Another one for each life of a server process. */
  readonly run: string
  readonly mode: 'standalone' | 'cluster' | 'sentinel'
  readonly master: boolean
}

export async function identify(client: Redis): Promise<Identity> {
  const info = await client.info('server', 'replication')
  const fact = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? ''
  const mode = fact('redis_mode')
  return {
    run: fact('run_id'),
    mode: mode === 'cluster' || mode === 'sentinel' ? mode : 'standalone',
    master: fact('role') === 'master',
  }
}

/**
 * What a connection is good for, said by the server itself: a node may be found by an answer that was
 * true a moment ago. A replica would even answer questions, from a past of its own.
 */
export async function meetMaster(client: Redis): Promise<Identity> {
  const identity = await identify(client)
  if (identity.mode === 'sentinel') {
    const advice = 'write redis+sentinel://host:port/<name of the master>'
    throw new RefusedError(`it is a Sentinel, not a server: ${advice}`)
  }
  if (!identity.master) throw new Error('it is a replica, and only masters are used')
  await selectDatabase(client)
  return identity
}

/** The client has done so, and has kept the refusal to itself: all would go to database 0. */
async function selectDatabase(client: Redis): Promise<void> {
  const { db = 0 } = client.options
  if (db === 0) return
  try {
    await client.select(db)
  } catch (error) {
    if (!isReply(error) || isRefusedForNow(error)) throw error
    throw new RefusedError(`database ${db} can't be used: ${(error as Error).message}`)
  }
}

/** The deadline came first. */
export class LateError extends Error {}

/** Connects, asks, and disconnects. At the deadline it rejects, whatever the server does. */
async function converse<T>(
  client: Redis,
  deadline: number,
  ask: (client: Redis) => Promise<T>,
): Promise<T> {
  let reason: string | undefined
  client.on('error', (error: Error) => {
    reason = error.message || error.name
  })
  try {
    return await within(
      deadline,
      client.connect().then(() => ask(client)),
    )
  } catch (error) {
    const said = error instanceof RefusedError || isReply(error)
    throw said || reason === undefined ? error : new Error(reason)
  } finally {
    client.disconnect()
    client.stream?.destroy()
  }
}

/** First contact, tried until the deadline; what is wrong here for good is said at once. */
export async function firstContact<T>(
  connect: () => Promise<Redis>,
  deadline: number,
  ask: (client: Redis) => Promise<T>,
): Promise<T> {
  let last: unknown
  for (;;) {
    try {
      return await converse(await within(deadline, connect()), deadline, ask)
    } catch (error) {
      const passing = !isReply(error) || isRefusedForNow(error) || isElsewhere(error)
      if (error instanceof RefusedError || !passing) throw error
      if (!(error instanceof LateError)) last = error
      if (performance.now() + PAUSE > deadline) throw last ?? error
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE))
  }
}

/** Everything that is asked of a master before the first partition is opened. */
export async function examineMaster(client: Redis, examiner: Examiner): Promise<void> {
  await meetMaster(client)
  await examiner.examine(client)
  // A full Redis may have them already, and can be read; where it lacks them the first call says so.
  await loadFunctions(client).catch((error: unknown) => {
    if (!isReadingOnly(error)) throw error
  })
}

/** Rejects where the promise hasn't settled at the deadline (of performance.now). */
export function within<T>(deadline: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new LateError('no answer')),
      Math.max(1, deadline - performance.now()),
    )
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
