/** The hub as an operator sees it: how much, which channels, whose streams. Costs where it is asked, not where events go. */
import type { Format } from '../wire/sse.js'
import type { Activity, Load, Totals } from './activity.js'
import type { Channel } from './channel.js'
import type { Stream } from './stream.js'
import type { Phase } from './subscription.js'
import { top } from './top.js'

export interface Standing {
  readonly streams: number
  /** Long polls that wait. */
  readonly polls: number
  /** Streams whose socket takes no more now. */
  readonly lagging: number
  /** Channels that are read here, or were a moment ago. */
  readonly channels: number
}

export interface ChannelStanding {
  readonly channel: string
  /** Streams and waiting polls that read it here. */
  readonly subscribers: number
  /** Events a second that were published here … */
  readonly publishRate: number
  /** … and that came here, from whichever node. */
  readonly receiveRate: number
  /** Position of the newest event that was seen here; 0: none. */
  readonly order: number
  readonly tag: number
}

export interface StreamStanding {
  /** Public id, by which it can be revoked. */
  readonly session: string | null
  readonly subject: string | null
  readonly address: string | null
  /** ms since the epoch. */
  readonly opened: number
  /** Some of its channels … */
  readonly channels: readonly string[]
  /** … and how many there are. */
  readonly count: number
  readonly format: Format
  readonly phase: Phase
  /** ms that its socket has taken nothing for; 0: it takes. */
  readonly stalledMs: number
  /** Bytes that wait in its socket. */
  readonly buffered: number
}

export interface Survey {
  readonly totals: Readonly<Totals>
  standing(): Standing
  /** Makes rates of what was counted in the last `ms`; called again and again. */
  sample(ms: number): void
  /** The `most` liveliest and the `most` most read among those that fit. */
  channels(most: number, fits?: (channel: string) => boolean): ChannelStanding[]
  /** The `most` worst off: stalled, then with much in their sockets, then old. */
  streams(most: number): StreamStanding[]
}

interface SurveyOptions {
  readonly activity: Activity
  readonly channels: ReadonlyMap<string, Channel>
  readonly streams: ReadonlySet<Stream>
  readonly waiting: () => number
  readonly now: () => number
}

/** Channels that are named of one stream. */
const NAMED = 5
/** More than any socket holds, or any time lasts. */
const STALLED = 1e12

export function createSurvey(options: SurveyOptions): Survey {
  const { activity, channels, streams, waiting, now } = options

  function describe(name: string, load: Load | undefined): ChannelStanding {
    const { publishRate = 0, receiveRate = 0, order = 0, tag = 0 } = load ?? {}
    const subscribers = channels.get(name)?.subscribers ?? 0
    return { channel: name, subscribers, publishRate, receiveRate, order, tag }
  }

  function describeStream(stream: Stream): StreamStanding {
    const { channels: names, who, format, phase, born, buffered, fullSince } = stream
    const { session = null, subject = null, address = null } = who ?? {}
    return {
      ...{ session, subject, address, opened: born, format, phase, buffered },
      ...{ channels: names.slice(0, NAMED), count: names.length },
      stalledMs: stream.full ? Math.max(1, now() - fullSince) : 0,
    }
  }

  return {
    totals: activity.totals,
    standing() {
      let lagging = 0
      for (const stream of streams) if (stream.full) lagging++
      return { streams: streams.size, polls: waiting(), lagging, channels: channels.size }
    },
    sample: activity.sample,
    channels(most, fits = () => true) {
      const lively = top(activity.loads.values(), most, (load) => {
        return fits(load.name) ? Math.max(load.publishRate, load.receiveRate) : -1
      })
      const read = top(channels.values(), most, ({ name, subscribers }) => {
        return subscribers > 0 && fits(name) ? subscribers : -1
      })
      const found = new Map(lively.map((load): [string, Load | undefined] => [load.name, load]))
      for (const { name, load } of read) found.set(name, load)
      return [...found].map(([name, load]) => describe(name, load))
    },
    streams(most) {
      const time = now()
      const worst = top(streams, most, ({ full, fullSince, buffered, born }) => {
        return full ? STALLED + time - fullSince : buffered + (time - born) / STALLED
      })
      return worst.map(describeStream)
    },
  }
}
