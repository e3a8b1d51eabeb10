/**
 * What goes on here, counted as events are handled: whole numbers, some for the node and some for each
 * channel that has events now. Whoever wants to know looks at them every now and then (`survey.ts`).
 */

/** Since the start of the process. */
export interface Totals {
  /** Events that the log has taken from this node. */
  published: number
  /** Events that the log has handed over, each once, on channels that somebody reads here. */
  received: number
  /** Events written to streams and answered to polls: one that three read counts three times. */
  delivered: number
  /** Times that a reader was told of a gap. */
  gaps: number
  /** Times that a stream's socket took no more. */
  stalls: number
  /** Streams that were closed for they took nothing for too long. */
  slow: number
  /** Times that the connection which brings events was lost. */
  interruptions: number
}

/** What goes on on one channel. */
export class Load {
  readonly name: string
  /** Events since the last sample. */
  published = 0
  received = 0
  /** Events a second, of late. */
  publishRate = 0
  receiveRate = 0
  /** Position of the newest event that was seen; 0: none. */
  order = 0
  tag = 0
  /** Whether it is among those that are sampled. */
  listed = false

  constructor(name: string) {
    this.name = name
  }
}

export interface Activity {
  readonly totals: Totals
  /** Channels that have had events of late. */
  readonly loads: ReadonlyMap<string, Load>
  /** Samples this one from now on; without effect where too many are. */
  list(load: Load): void
  /** Makes rates of what was counted in the last `ms`; called again and again. */
  sample(ms: number): void
}

/** Channels that are counted each for itself: a flood of names must not become a flood of memory. */
const MAX_LOADS = 20_000
/** ms over which rates are averaged. */
const MEMORY_MS = 5_000
/** Events a second below which a channel counts as quiet. */
const QUIET = 0.05

export function createActivity(): Activity {
  const loads = new Map<string, Load>()
  const totals: Totals = {
    ...{ published: 0, received: 0, delivered: 0 },
    ...{ gaps: 0, stalls: 0, slow: 0, interruptions: 0 },
  }
  return {
    totals,
    loads,
    list(load) {
      if (loads.size >= MAX_LOADS) return
      load.listed = true
      load.published = 0
      load.received = 0
      loads.set(load.name, load)
    },
    sample(ms) {
      const weight = 1 - Math.exp(-ms / MEMORY_MS)
      const mix = (rate: number, count: number) => rate + weight * ((count * 1000) / ms - rate)
      for (const load of loads.values()) {
        load.publishRate = mix(load.publishRate, load.published)
        load.receiveRate = mix(load.receiveRate, load.received)
        load.published = 0
        load.received = 0
        if (load.publishRate >= QUIET || load.receiveRate >= QUIET) continue
        load.publishRate = 0
        load.receiveRate = 0
        load.listed = false
        loads.delete(load.name)
      }
    },
  }
}
