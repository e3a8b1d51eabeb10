/** Entries of the inbox that no log takes: said, kept apart for whoever wants to look, passed over. */
import type { Intake } from '../log/redis/intake.js'
import type { Logger } from '../logger.js'
import { REJECTED_FIELD, REJECTED_KEPT, REJECTED_LINES } from './limits.js'
import { messageOf } from './refusals.js'

export interface Rejected {
  readonly id: string
  readonly fields: readonly string[]
  readonly reason: string
}

export interface Rejects {
  /** Never rejects: what is wrong may not hold up what is right. */
  put(rejected: readonly Rejected[]): Promise<void>
}

export function createRejects(intake: Intake, inbox: string, logger: Logger): Rejects {
  const key = `${inbox}:rejected`
  return {
    async put(rejected) {
      if (rejected.length === 0) return
      for (const { id, reason } of rejected.slice(0, REJECTED_LINES)) {
        logger.warn({ id, reason }, 'inbox: entry rejected')
      }
      const more = rejected.length - REJECTED_LINES
      if (more > 0) logger.warn({ more, stream: key }, 'inbox: more entries rejected')
      try {
        // Its slot may be another than the inbox's, and it is hardly ever needed.
        await intake.visit(key, async (client) => {
          const kept = ['MAXLEN', '~', REJECTED_KEPT] as const
          await Promise.all(
            rejected.map(({ id, fields, reason }) =>
              client.xadd(key, ...kept, '*', 'id', id, 'reason', reason, ...fields.map(cut)),
            ),
          )
        })
      } catch (error) {
        logger.warn({ reason: messageOf(error), stream: key }, 'inbox: rejected entries not kept')
      }
    },
  }
}

function cut(text: string): string {
  return text.length > REJECTED_FIELD ? text.slice(0, REJECTED_FIELD) : text
}
