/** What an attack is given, and what it may do with it. */
import type { Random } from '../../support/random.js'
import type { ReaderOptions } from '../answers.js'
import type { Door } from '../door.js'
import type { Line } from '../line.js'

export interface Arena {
  readonly random: Random
  readonly door: Door
  readonly port: number
  /** A new connection. */
  dial(headOnly?: ReaderOptions['headOnly']): Promise<Line>
  /** What may never stand in the log, from now on. */
  secret(value: string): void
  /** The promise that was broken. */
  fault(kind: 'unanswered' | 'not closed', what: string, line: Line): void
}

export interface Attack {
  readonly name: string
  /** How often it comes, beside the others. */
  readonly weight: number
  run(arena: Arena): Promise<void>
}

/** ms in which a request that is right is answered, whatever goes on beside it. */
export const ANSWER_MS = 10_000
/** ms for which a nonsensical one is given a chance. */
export const CHANCE_MS = 400
/** ms in which a connection is closed that keeps its head or its body back. */
export const CLOSED_MS = 15_000
