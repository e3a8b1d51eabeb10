/** What a gateway says of itself: to its like every two seconds, and to whoever asks. Names of members are the protocol's. */
import type { ChannelStanding, StreamStanding } from '../hub/survey.js'

/** A gateway, or one worker of several. Rates are events a second, over the last ten. */
export interface NodeReport {
  /** Chosen at random at its start. */
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** ms since the epoch, by its own clock. */
  readonly started: number
  readonly draining: boolean
  /** Why it can't serve; null while it can. */
  readonly fault: string | null
  readonly streams: number
  readonly maxStreams: number
  /** Long polls that wait. */
  readonly polls: number
  /** Streams whose socket takes no more now. */
  readonly lagging: number
  /** Channels that it follows. */
  readonly channels: number
  readonly rates: Rates
  /** Since its start. */
  readonly totals: Counts
  /** Requests that were refused, by the code of the problem. */
  readonly refusals: Readonly<Record<string, number>>
  readonly process: Vitals
  /** The rates of the last two minutes, one for every `every` ms, the newest last. */
  readonly past: Past
}

export interface Rates {
  /** Published through this node. */
  readonly published: number
  /** Come from the log, each once, on channels that are read here. */
  readonly received: number
  /** Written to readers: one that three read counts three times. */
  readonly delivered: number
}

export interface Counts extends Rates {
  /** Publish requests that were refused. */
  readonly refused: number
  /** Times that a reader was told of a gap. */
  readonly gaps: number
  /** Times that a stream's socket took no more. */
  readonly stalls: number
  /** Streams that were closed as too slow. */
  readonly slow: number
  /** Times that the connection to the log was lost. */
  readonly interruptions: number
}

export interface Vitals {
  /** Bytes that the process takes of the machine, and that its JavaScript heap holds. */
  readonly rss: number
  readonly heap: number
  /** 0 … 1: how much of the time the event loop had something to do. */
  readonly busy: number
  /** ms that 99 of 100 timers came late at the most. */
  readonly delay: number
}

export interface Past {
  readonly every: number
  readonly published: readonly number[]
  readonly delivered: readonly number[]
}

/** What is told only while somebody looks. */
export interface Lists {
  readonly channels: readonly ChannelStanding[]
  readonly streams: readonly StreamStanding[]
}

export interface Report {
  readonly node: NodeReport
  readonly lists?: Lists | undefined
}
