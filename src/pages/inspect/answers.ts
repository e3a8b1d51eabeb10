/** What `/v1/admin` answers, as far as the page shows it; docs/protocol.md has it all. */

export interface NodeAnswer {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly started: number
  readonly draining: boolean
  readonly fault: string | null
  readonly streams: number
  readonly maxStreams: number
  readonly polls: number
  readonly lagging: number
  readonly channels: number
  readonly rates: Rates
  readonly totals: Totals
  readonly refusals: Readonly<Record<string, number>>
  readonly process: {
    readonly rss: number
    readonly heap: number
    readonly busy: number
    readonly delay: number
  }
  readonly past: Past
}

export interface Rates {
  readonly published: number
  readonly delivered: number
}

export interface Totals extends Rates {
  readonly refused: number
  readonly gaps: number
  readonly stalls: number
  readonly slow: number
  readonly interruptions: number
}

export interface Past {
  readonly every: number
  readonly published: readonly number[]
  readonly delivered: readonly number[]
}

interface Answer {
  readonly time: number
  readonly partial?: boolean
}

export interface Overview extends Answer {
  readonly sum: {
    readonly streams: number
    readonly polls: number
    readonly lagging: number
    readonly rates: Rates
    readonly totals: Totals
  }
  readonly nodes: readonly NodeAnswer[]
}

export interface ChannelAnswer {
  readonly channel: string
  readonly subscribers: number
  readonly rate: number
  readonly last: string | null
  readonly time: number | null
  readonly nodes: number
}

export interface Channels extends Answer {
  readonly channels: readonly ChannelAnswer[]
}

export interface StreamAnswer {
  readonly node: string
  readonly session: string | null
  readonly subject: string | null
  readonly address: string | null
  readonly opened: number
  readonly channels: readonly string[]
  readonly count: number
  readonly phase: 'replaying' | 'live' | 'lagging' | 'closed'
  readonly stalledMs: number
  readonly buffered: number
}

export interface Streams extends Answer {
  readonly streams: readonly StreamAnswer[]
}
