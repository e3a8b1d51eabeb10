/** What a session brings to an opening: channels beside those of the URL, and where each begins. */
import type { From, Starts } from '../hub/origin.js'
import type { Position } from '../wire/position.js'
import type { Held, SessionRecord } from './record.js'

export interface Recalled {
  readonly record: SessionRecord
  /** Channels that it still has. */
  readonly held: readonly Held[]
  /** Those whose ground is gone: it was thrown out of a room while it was away, say. */
  readonly lost: readonly string[]
}

/** The URL's channels without those that were taken away, and those that were put on. */
export function channelsWith(named: readonly string[], { record, held }: Recalled): string[] {
  const left = named.filter((channel) => !record.without.has(channel))
  return [...new Set([...left, ...held.map(({ channel }) => channel)])]
}

export interface Places {
  /** Channels that begin at a place of their own. */
  readonly starts: Starts
  /** Those among them whose place lies before the cursor: their events come with ids before it. */
  readonly early: ReadonlySet<string>
}

/**
 * Where they begin. A cursor speaks for a channel once it has passed what the channel was first read with;
 * before, it may have been given out by a stream that didn't have the channel yet.
 */
export function placesOf(
  { held }: Recalled,
  from: From,
  partitionOf: (channel: string) => number,
): Places {
  const starts = new Map<string, Position>()
  const early = new Set<string>()
  for (const { channel, at, read } of held) {
    const cursor = 'cursor' in from ? from.cursor.get(partitionOf(channel)) : undefined
    const spoken = cursor === undefined ? isLatest(from) : cursor.order >= (read?.order ?? 0)
    if (read !== undefined && spoken) continue
    starts.set(channel, at)
    if (cursor !== undefined && cursor.order > at.order) early.add(channel)
  }
  return { starts, early }
}

function isLatest(from: From): boolean {
  return 'from' in from && from.from === 'latest'
}
