/** How long a worker that ended is waited for. */
import { FIRST_DELAY_MS, LONGEST_DELAY_MS, STEADY_MS } from './limits.js'

/** Ends in a row: those before this one, and how long the worker had served; 0 = it never did. */
export function endsInRow(before: number, servedMs: number): number {
  return servedMs >= STEADY_MS ? 1 : before + 1
}

/** ms before the next is started. Never 0: a signal to the whole group may reach the worker first. */
export function delayAfter(ends: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (ends - 1))
}
