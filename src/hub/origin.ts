/** Where a reader begins: its cursor judged, or its wish ("latest", the last twenty …) made a position. */
import type { Log, Start } from '../log/log.js'
import type { GapReason } from '../wire/control.js'
import type { Cursor } from '../wire/cursor.js'
import { BY_CLOCK, COUNTERS, type Position } from '../wire/position.js'

/** A cursor, or where to begin without one. */
export type From = { readonly cursor: Cursor } | Start

/**
 * How far back a channel may be read: ms since the epoch of the oldest event. 0: all that is kept;
 * Infinity: nothing from before now.
 */
export type Reach = (channel: string) => number

/** Events that the reader's cursor asks for and its rights don't give. */
export interface Withheld {
  readonly channel: string
  readonly after: Position
  readonly floor: Position
}

/** Where the channels of one partition begin. */
export interface Origin {
  readonly partition: number
  readonly channels: readonly string[]
  readonly position: Position
  /** For each channel the order after which it is wanted, where that is later than the position. */
  readonly starts: readonly number[]
  /** Told for every channel of `lost`, before anything else: the cursor can't be followed from where it stood. */
  readonly gap:
    | {
        readonly reason: GapReason
        readonly after: Position | null
        /** The last place where something may be missing. */
        readonly floor: Position
      }
    | undefined
  /** For each channel the order up to which it is not given to this reader; undefined: there is none. */
  readonly floors?: readonly number[]
  /** Told once, as gaps. */
  readonly withheld?: readonly Withheld[]
  /** Channels that the gap is told of. Default: all. */
  readonly lost?: readonly string[]
}

/** Channels that begin at a place of their own, whatever the others' cursor says. */
export type Starts = ReadonlyMap<string, Position>

const NO_STARTS: Starts = new Map()

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

/**
 * Resolves a beginning; `reach`: how far back may be read; `starts`: channels (among the others) that begin
 * elsewhere. Rejects where the log can't be asked.
 */
export function resolveOrigins(
  log: Log,
  channels: readonly string[],
  from: From,
  reach?: Reach,
  starts: Starts = NO_STARTS,
): Promise<Origin[]> {
  const groups = [...byPartition(log, channels)]
  return Promise.all(
    groups.map(async ([partition, group]) => {
      const resumes = 'cursor' in from
      const common = group.filter((channel) => !starts.has(channel))
      const usual = async () => {
        const origin = resumes
          ? await fromCursor(log, partition, common, from.cursor.get(partition))
          : await fromStart(log, partition, common, from)
        return reach === undefined ? origin : restrict(log, origin, reach, resumes)
      }
      const own = async (channel: string, start: Position) => {
        const origin = await fromPosition(log, partition, [channel], start)
        return reach === undefined ? origin : restrict(log, origin, reach, true)
      }
      const others = group.flatMap((channel) => {
        const start = starts.get(channel)
        return start === undefined ? [] : own(channel, start)
      })
      const origins = await Promise.all(common.length > 0 ? [usual(), ...others] : others)
      return origins.reduce(together)
    }),
  )
}

/** Two beginnings in one partition as one: the earlier position, and places of their own for whoever begins later. */
function together(a: Origin, b: Origin): Origin {
  const position = a.position.order <= b.position.order ? a.position : b.position
  const startsOf = ({ channels, starts, position: own }: Origin) =>
    channels.map((_, i) => Math.max(own.order, starts[i] ?? 0))
  const floorsOf = ({ channels, floors }: Origin) => floors ?? channels.map(() => 0)
  const lostOf = ({ gap, lost, channels }: Origin) => (gap === undefined ? [] : (lost ?? channels))
  const floored = a.floors !== undefined || b.floors !== undefined
  return {
    partition: a.partition,
    channels: [...a.channels, ...b.channels],
    position,
    starts: [...startsOf(a), ...startsOf(b)],
    gap: a.gap ?? b.gap,
    lost: [...lostOf(a), ...lostOf(b)],
    withheld: [...(a.withheld ?? []), ...(b.withheld ?? [])],
    ...(floored && { floors: [...floorsOf(a), ...floorsOf(b)] }),
  }
}

/**
 * Moves a beginning to where the reader's rights begin. Only the past is limited: what was published
 * by now counts, and everything later is live, whenever its right begins. Whoever resumes is told of
 * what lies between; whoever asks for "the beginning" gets the beginning that is theirs.
 */
async function restrict(log: Log, origin: Origin, reach: Reach, resumes: boolean): Promise<Origin> {
  const { partition, channels, position } = origin
  if (channels.every((channel) => reach(channel) === 0)) return origin
  const latest = (await log.seek(partition, channels, { from: 'latest' })).position
  const floors = channels.map((channel) => {
    const since = reach(channel)
    return since === 0 ? 0 : Math.min(latest.order, since * COUNTERS - 1)
  })
  const begins = channels.map((_, i) => Math.max(position.order, origin.starts[i] ?? 0))
  const starts = begins.map((order, i) => Math.max(order, floors[i]!))
  const restricted = { ...origin, starts, floors }
  if (!resumes || origin.gap !== undefined) return restricted
  const late = channels.flatMap((channel, i) => (floors[i]! > begins[i]! ? [{ channel, i }] : []))
  const requests = late.map(({ channel, i }) => ({ channel, after: begins[i]! }))
  if (requests.length === 0) return restricted
  const { channels: reads } = await log.read(partition, requests, 1)
  const withheld = late.flatMap(({ channel, i }, k): Withheld[] => {
    const { entries, gap } = reads[k]!
    const first = entries.find(({ kind }) => kind === 'event')
    const missing = gap !== undefined || (first !== undefined && first.order <= floors[i]!)
    const floor = { order: floors[i]!, tag: latest.tag }
    return missing ? [{ channel, after: position, floor }] : []
  })
  return { ...restricted, withheld }
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
