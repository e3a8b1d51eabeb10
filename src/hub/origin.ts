/** Where a reader begins: its cursor judged, or its wish ("latest", the last twenty …) made a position. */
import type { Log, Start } from '../log/log.js'
import type { GapReason } from '../wire/control.js'
import type { Cursor } from '../wire/cursor.js'
import { BY_CLOCK, type Position } from '../wire/position.js'

/** A cursor, or where to begin without one. */
export type From = { readonly cursor: Cursor } | Start

/** Where the channels of one partition begin. */
export interface Origin {
  readonly partition: number
  readonly channels: readonly string[]
  readonly position: Position
  /** For each channel the order after which it is wanted, where that is later than the position. */
  readonly starts: readonly number[]
  /** Told for every channel, before anything else: the cursor can't be followed from where it stood. */
  readonly gap:
    | {
        readonly reason: GapReason
        readonly after: Position | null
        /** The last place where something may be missing. */
        readonly floor: Position
      }
    | undefined
}

/** Channels by partition, each once, in the order given. */
export function byPartition(log: Log, channels: readonly string[]): Map<number, string[]> {
  const groups = new Map<number, string[]>()
  for (const channel of new Set(channels)) {
    const partition = log.partitionOf(channel)
    const group = groups.get(partition)
    if (group === undefined) groups.set(partition, [channel])
    else group.push(channel)
  }
  return groups
}

/** Resolves a beginning. Rejects where the log can't be asked. */
export function resolveOrigins(
  log: Log,
  channels: readonly string[],
  from: From,
): Promise<Origin[]> {
  const groups = [...byPartition(log, channels)]
  return Promise.all(
    groups.map(([partition, group]) =>
      'cursor' in from
        ? fromCursor(log, partition, group, from.cursor.get(partition))
        : fromStart(log, partition, group, from),
    ),
  )
}

async function fromStart(
  log: Log,
  partition: number,
  channels: readonly string[],
  start: Start,
): Promise<Origin> {
  const { position, starts } = await log.seek(partition, channels, start)
  return { partition, channels, position, starts, gap: undefined }
}

async function fromCursor(
  log: Log,
  partition: number,
  channels: readonly string[],
  position: Position | undefined,
): Promise<Origin> {
  if (position !== undefined) return fromPosition(log, partition, channels, position)
  // The cursor says nothing of this partition: the stream never read a channel of it.
  const latest = await log.seek(partition, channels, { from: 'latest' })
  return without(partition, channels, null, 'unknown', latest.position)
}

/**
 * Where reading goes on from a position: a cursor that is presented, or where a stream stands when the
 * store may have become another one. There is no second rule for those who never left.
 */
export async function fromPosition(
  log: Log,
  partition: number,
  channels: readonly string[],
  position: Position,
): Promise<Origin> {
  const standing = await log.locate(partition, position)
  if (standing.known) {
    const known = standing.position ?? position
    return { partition, channels, position: known, starts: [], gap: undefined }
  }
  const after = position.tag === BY_CLOCK ? null : position
  return without(partition, channels, after, standing.reason, standing.resume)
}

function without(
  partition: number,
  channels: readonly string[],
  after: Position | null,
  reason: GapReason,
  resume: Position,
): Origin {
  // All that is missing lies between, also where what was lost had the later positions.
  const later = reason === 'lost' && after !== null && after.order > resume.order
  const floor = later ? after : resume
  return { partition, channels, position: resume, starts: [], gap: { reason, after, floor } }
}
