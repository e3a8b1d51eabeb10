/**
 * Whether Redis takes writes, as its last answer to one says. For `/readyz`, and for a log that has a
 * line for each change: a full Redis refuses twenty times a second, and a line each would fill the
 * disk of the gateway as well.
 */
import { isRefusedForNow } from './functions.js'
import { QUIET } from './limits.js'
import type { RedisLogger } from './partition.js'

export interface Refusal {
  /** Undefined while Redis takes writes. */
  readonly reason: string | undefined
  /** Redis has answered a write with an error. */
  refused(error: unknown): void
  /** Redis has taken a write. */
  taken(): void
}

export function createRefusal(logger: RedisLogger, partition: number): Refusal {
  let reason: string | undefined
  let told = false
  // Near its limit Redis takes one write and refuses the next: that is one state, not twenty.
  let quietUntil = 0
  return {
    get reason() {
      return reason
    },
    refused(error) {
      const why = error instanceof Error ? error.message : String(error)
      if (isRefusedForNow(error) || /^NO(PERM|AUTH)/.test(why)) reason = why
      if (told && reason !== undefined) return
      if (performance.now() < quietUntil) return
      quietUntil = performance.now() + QUIET
      told = reason !== undefined
      logger.warn({ partition, why }, 'Redis refuses appends')
    },
    taken() {
      reason = undefined
      if (!told) return
      told = false
      logger.info({ partition }, 'Redis takes appends again')
    },
  }
}
