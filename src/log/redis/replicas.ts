/**
 * Whether enough replicas have what was written. WAIT tells, asked on the connection that wrote. It
 * narrows the window in which a failover loses what was acknowledged, and doesn't close it: nobody keeps
 * another replica from being promoted. For `/readyz`, and with a line of the log for each change.
 */
import type { Redis } from 'ioredis'
import { isElsewhere, isReply } from './functions.js'
import type { RedisLogger } from './partition.js'

export interface ReplicasOptions {
  /** Replicas that must have what is acknowledged; at least 1. */
  readonly wanted: number
  /** ms that they are given. Other questions on the connection wait as long. */
  readonly patience: number
  /** ms without another shortage until one counts as over. */
  readonly steady: number
  readonly partition: number
  readonly logger: RedisLogger
}

export interface Replicas {
  /** Undefined while there are enough. */
  readonly fault: string | undefined
  /**
   * Whether enough replicas have all that was sent on this connection before. `ms`: how long there is at
   * the most. Rejects where the connection is lost, or the server is no master any more.
   */
  confirm(client: Redis, ms?: number): Promise<boolean>
  /** The same as a question of its own, where none is under way. */
  probe(client: Redis): Promise<void>
}

export function createReplicas(options: ReplicasOptions): Replicas {
  const { wanted, patience, steady, partition, logger } = options
  const replicas = wanted === 1 ? 'replica' : 'replicas'
  let fault: string | undefined = `${wanted} ${replicas} wanted, not yet counted`
  let short = false
  /** When too few were there last, by performance.now. */
  let lastShort = 0
  let asking = 0

  function tooFew(there: string): void {
    fault = `${wanted} ${replicas} wanted, ${there}`
    lastShort = performance.now()
    // A replica more or less is another reason, not another state.
    if (short) return
    short = true
    logger.warn({ partition, why: fault }, 'Redis: too few replicas, appends are refused')
  }

  function enough(): void {
    // One that keeps up now and then would have load balancers come and go.
    if (short && performance.now() - lastShort < steady) return
    fault = undefined
    if (!short) return
    short = false
    logger.info({ partition }, 'Redis: enough replicas again')
  }

  async function confirm(client: Redis, ms = patience): Promise<boolean> {
    // Known to be missing: nobody else should wait for them for long. 0 would be for ever.
    const due = short ? patience / 2 : patience
    const limit = Math.max(1, Math.floor(Math.min(ms, due)))
    asking++
    try {
      const there = await client.wait(wanted, limit)
      if (there >= wanted) enough()
      // Less time than they are due, at the end of a batch's own, says nothing about them.
      else if (ms >= due) tooFew(`${there} there`)
      return there >= wanted
    } catch (error) {
      if (!isReply(error) || isElsewhere(error)) throw error
      tooFew((error as Error).message)
      return false
    } finally {
      asking--
    }
  }

  return {
    get fault() {
      return fault
    },
    confirm,
    async probe(client) {
      if (asking === 0) await confirm(client)
    },
  }
}
