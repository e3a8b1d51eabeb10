/**
 * Whether Redis takes writes, as its last answer to one says. For `/readyz`, and for a log that has a
 * line for each change: a full Redis refuses twenty times a second, and a line each would fill the
 * disk of the gateway as well.
 */
import { isRefusedForNow } from './functions.js'
import { FORBIDDEN, QUIET } from './limits.js'
import type { RedisLogger } from './partition.js'

export interface Refusal {
  /** Undefined while Redis takes writes. */
  readonly reason: string | undefined
  /** It is full, and takes only what makes room. */
  readonly full: boolean
  /** Redis has answered a write with an error. */
  refused(error: unknown): void
  /** Redis has taken a write; `appended`: of events. */
  taken(appended: boolean): void
}

/** A right is missing: to the function (NOPERM), or to a command that it calls. */
function isForbidden(why: string): boolean {
  return /^NO(PERM|AUTH)/.test(why) || /ACL failure in script|user executing the script/i.test(why)
}

export function createRefusal(logger: RedisLogger, partition: number): Refusal {
  let reason: string | undefined
  let told = false
  let forbiddenUntil = 0
  // Near its limit Redis takes one write and refuses the next: that is one state, not twenty.
  let quietUntil = 0
  return {
    get reason() {
      return reason
    },
    get full() {
      return reason?.startsWith('OOM') === true
    },
    refused(error) {
      const why = error instanceof Error ? error.message : String(error)
      if (isRefusedForNow(error)) reason = why
      if (isForbidden(why)) {
        reason = why
        forbiddenUntil = performance.now() + FORBIDDEN
      }
      if (told && reason !== undefined) return
      if (performance.now() < quietUntil) return
      quietUntil = performance.now() + QUIET
      told = reason !== undefined
      logger.warn({ partition, why }, 'Redis refuses appends')
    },
    taken(appended) {
      // The probe needs fewer rights than an append. It is believed after a while, for nobody publishes
      // to a gateway that isn't ready.
      if (!appended && performance.now() < forbiddenUntil) return
      forbiddenUntil = 0
      reason = undefined
      if (!told) return
      told = false
      logger.info({ partition }, 'Redis takes appends again')
    },
  }
}
