/** The reading side of a partition: read, seek, locate, info, and what is known of its epochs. */
import { BY_CLOCK, type Position, parsePosition } from '../../wire/position.js'
import { ageLimitAt, gapAfter } from '../gap.js'
import type {
  ChannelInfo,
  ChannelRead,
  Entry,
  Gap,
  ReadRequest,
  ReadResult,
  Retention,
  Standing,
  Start,
} from '../log.js'
import { ageOf } from './batch.js'
import {
  type History,
  type Hole,
  locateIn,
  positionAt,
  readEpoch,
  readHole,
  readSnapshot,
  type Snapshot,
  sameHistory,
} from './epochs.js'
import type { Argument, FunctionName } from './functions.js'
import { endEntry, type HoleEntry, type StreamEntry, storedEntry } from './records.js'

type Call = (name: FunctionName, args: readonly Argument[]) => Promise<unknown>

export interface Reader {
  read(requests: readonly ReadRequest[], limit: number): Promise<ReadResult>
  seek(
    channels: readonly string[],
    start: Start,
  ): Promise<{ readonly position: Position; readonly starts: readonly number[] }>
  locate(position: Position): Promise<Standing>
  info(channel: string): Promise<ChannelInfo | undefined>
  /** What another answer said about the partition. */
  learn(snapshot: Snapshot): void
  /** The connection that vouched for what is known is gone. */
  forget(): void
}

type ChannelReply = [head: string, closed: string, deleted: string, entries: StreamEntry[]]

function closedMark(
  channel: string,
  mark: string,
): (ChannelRead['closed'] & { prev: number }) | undefined {
  if (mark === '') return undefined
  const [order, tag, prev, ...reason] = mark.split(' ') as [string, string, string, ...string[]]
  const end = endEntry(channel, order, tag, prev, reason.join(' '))
  return { position: { order: end.order, tag: end.tag }, reason: end.reason, prev: end.prev }
}

/** The answer to `epochs`. */
export function readHistory([standing, epochs, holes]: [string[], string[], string[]]): History {
  return {
    snapshot: readSnapshot(standing),
    closed: epochs.map(readEpoch),
    holes: holes.map(readHole),
  }
}

type Held = Entry | HoleEntry | (Hole & { readonly kind: 'hole'; readonly prev?: undefined })

/** What a channel's stream gave, with the holes of the whole partition where they belong. */
function withWideHoles(
  held: readonly (Entry | HoleEntry)[],
  holes: readonly Hole[],
  after: number,
  before: number,
): readonly Held[] {
  const there = holes.filter(({ order }) => order > after && order < before)
  if (there.length === 0) return held
  const wide = there.map((hole) => ({ ...hole, kind: 'hole' as const }))
  return [...held, ...wide].sort((a, b) => a.order - b.order)
}

export function createReader(call: Call, retentionFor: (channel: string) => Retention): Reader {
  let history: History | undefined
  // A crowd that reconnects asks the same: those of one turn share an answer.
  let asking: Promise<History> | undefined

  async function fetchHistory(): Promise<History> {
    const reply = (await call('epochs', [])) as [string[], string[], string[]]
    history = readHistory(reply)
    return history
  }

  function askHistory(): Promise<History> {
    asking ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        asking = undefined
        fetchHistory().then(resolve, reject)
      })
    })
    return asking
  }

  /** The history at a snapshot: epochs are fetched only where there is a new one. */
  async function historyAt(snapshot: Snapshot): Promise<History> {
    if (history === undefined || !sameHistory(history.snapshot, snapshot)) await fetchHistory()
    return { ...history!, snapshot }
  }

  function readChannel(
    { channel, after }: ReadRequest,
    [head, mark, deleted, raw]: ChannelReply,
    at: History,
    now: number,
  ): ChannelRead {
    const stored = raw.map((entry) => storedEntry(channel, entry))
    const closed = closedMark(channel, mark)
    // Whether the stream was given to its end; nothing is known beyond what was given.
    const last = stored.at(-1)?.order ?? Number.POSITIVE_INFINITY
    const whole = Number(head) <= last
    // Of a channel that had ended before nothing was lost.
    const end = closed?.position.order ?? Number.POSITIVE_INFINITY
    const holes = at.holes.filter(({ since }) => since.order < end)
    const held = withWideHoles(stored, holes, after, whole ? Number.POSITIVE_INFINITY : last)
    const first = held.findIndex((each) => each.kind !== 'hole')
    const leading = first < 0 ? held.length : first
    const entries: Entry[] = []
    for (const each of held.slice(leading)) {
      // The next read begins with it, and tells.
      if (each.kind === 'hole') break
      entries.push(each)
    }
    const found = gapAfter(after, {
      next: stored[0],
      head: Number(head),
      horizon: at.snapshot.horizon,
      birth: at.snapshot.birth,
      beforeEnd: closed?.prev,
      deleted: Number(deleted),
      ageLimit: ageLimitAt(now, ageOf(retentionFor(channel))),
    })
    let gap: Gap | undefined = found && {
      reason: found.reason,
      floor: positionAt(at, found.floor),
    }
    if (leading > 0) {
      const hole = held[leading - 1] as Hole
      const floor = Math.max(hole.order, found?.floor ?? 0)
      const since = found === undefined ? (held[0] as Hole).since : undefined
      gap = { reason: 'lost', floor: positionAt(at, floor), since }
    }
    return {
      channel,
      entries,
      complete: whole && leading + entries.length === held.length,
      gap,
      closed: closed && { position: closed.position, reason: closed.reason },
    }
  }

  function startOf([order, prev]: [string, string], { snapshot, holes }: History): number {
    const { last, horizon } = snapshot
    const wide = (before: number) => holes.findLast((hole) => hole.order < before)?.order ?? 0
    // Nothing there: after its head; nothing ever known: after everything there is.
    if (order === '0') return prev === '0' ? last : Math.max(Number(prev), wide(Infinity))
    const first = Number(order)
    // What was lost before the first entry asked for was not asked for.
    return Math.max(prev === '0' ? Math.min(horizon, first - 1) : Number(prev), wide(first))
  }

  return {
    async read(requests, limit) {
      const args: Argument[] = [Math.max(1, limit)]
      for (const { channel, after } of requests) {
        args.push(channel, after, ageOf(retentionFor(channel)))
      }
      const [standing, time, replies] = (await call('read', args)) as [
        string[],
        string,
        ChannelReply[],
      ]
      const at = await historyAt(readSnapshot(standing))
      const channels = requests.map((request, i) =>
        readChannel(request, replies[i]!, at, Number(time)),
      )
      return { snapshot: positionAt(at, at.snapshot.last), channels }
    },

    async seek(channels, start) {
      if (start.from === 'latest') {
        const [standing] = (await call('heads', [])) as [string[]]
        const { last, tag } = readSnapshot(standing)
        return { position: { order: last, tag }, starts: channels.map(() => last) }
      }
      const number = start.from === 'count' ? start.count : start.from === 'age' ? start.ms : 0
      const args: Argument[] = [start.from, Math.max(0, Math.floor(number))]
      for (const channel of channels) args.push(channel, ageOf(retentionFor(channel)))
      const [standing, replies] = (await call('seek', args)) as [string[], [string, string][]]
      const at = await historyAt(readSnapshot(standing))
      const starts = replies.map((reply) => startOf(reply, at))
      return { position: positionAt(at, Math.min(at.snapshot.last, ...starts)), starts }
    },

    async locate(position) {
      // By the clock it depends on what the newest is now.
      const known = position.tag !== BY_CLOCK && history && locateIn(history, position).known
      return known ? { known } : locateIn(await askHistory(), position)
    },

    async info(channel) {
      const reply = await call('info', [channel, ageOf(retentionFor(channel))])
      if (reply === null) return undefined
      const [mark, events, bytes, first, last] = reply as [string, number, number, string, string]
      return {
        channel,
        first: parsePosition(first) ?? null,
        last: parsePosition(last) ?? null,
        events,
        bytes,
        closed: mark !== '',
      }
    },

    learn(snapshot) {
      if (history === undefined) return
      history = sameHistory(history.snapshot, snapshot) ? { ...history, snapshot } : undefined
    },
    forget() {
      history = undefined
    },
  }
}
