/** Where gateways hang up what they say of themselves: nowhere, for one process; in Redis, for many. */
import type { Intake } from '../log/redis/intake.js'
import type { Report } from './report.js'
import { readReport } from './shape.js'

export interface Board {
  /** Hangs up a report, which counts for `ms`. Answers whether somebody looks at lists. */
  tell(id: string, report: Report, ms: number): Promise<boolean>
  /**
   * The reports of all that count, the asker's too. `looking`: ms for which all are to tell their lists; 0:
   * they needn't. Rejects with `log_unavailable`.
   */
  all(looking: number): Promise<readonly Report[]>
  /** Takes the report down. */
  leave(id: string): Promise<void>
}

/** For one process, which needs nobody to tell it how it is. */
export const noBoard: Board = {
  tell: async () => false,
  all: async () => [],
  leave: async () => {},
}

export function createRedisBoard(intake: Pick<Intake, 'call'>): Board {
  return {
    async tell(id, report, ms) {
      const answer = await intake.call(0, 'node_tell', [id, ms, JSON.stringify(report)])
      return answer === 1
    },
    async all(looking) {
      const answer = (await intake.call(0, 'node_all', [looking])) as (number | string)[]
      return answer.flatMap((it) => (typeof it === 'string' ? (readReport(it) ?? []) : []))
    },
    async leave(id) {
      await intake.call(0, 'node_leave', [id])
    },
  }
}
