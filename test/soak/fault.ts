import type { Random } from '../support/random.js'

export interface Fault {
  readonly name: string
  /**
   * `witness`: a gateway is away for a while, or for good. `epoch`: Redis goes on as another process.
   *
   * In a lossless run these are kept apart. Gateways remember what they acknowledged and delivered,
   * and say so to a Redis that was just promoted or restarted; only that tells "nothing was lost"
   * from "nobody is left who knows". A gateway that dies within seconds of it is a witness who can't
   * speak, and the honest answer to the readers is a gap.
   */
  readonly touches?: 'witness' | 'epoch'
  /** About how long it takes, ms. */
  readonly takes: number
  /** Resolves when the fault is over and its cause mended. */
  run(random: Random): Promise<void>
}

export const seconds = (random: Random, from: number, to: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, random.between(from * 1_000, to * 1_000)))
