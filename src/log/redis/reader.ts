/** The reading side of a partition: read, seek, locate, info, and what is known of its epochs. */
import type { Position } from '../../wire/position.js'
import { parsePosition } from '../../wire/position.js'
import { ageLimitAt, type Evidence, gapAfter } from '../gap.js'
import type {
  ChannelInfo,
  ChannelRead,
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
  locateIn,
  lostUntil,
  positionAt,
  readEpoch,
  readSnapshot,
  type Snapshot,
  sameEpoch,
} from './epochs.js'
import type { Argument, FunctionName } from './functions.js'
import { endEntry, type StreamEntry, storedEntry } from './records.js'

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

export function createReader(call: Call, retentionFor: (channel: string) => Retention): Reader {
  let history: History | undefined
  // A crowd that reconnects asks the same: those of one turn share an answer.
  let asking: Promise<History> | undefined

  async function fetchHistory(): Promise<History> {
    const [standing, epochs] = (await call('epochs', [])) as [string[], string[]]
    history = { snapshot: readSnapshot(standing), closed: epochs.map(readEpoch) }
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
    if (history === undefined || !sameEpoch(history.snapshot, snapshot)) await fetchHistory()
    return { snapshot, closed: history!.closed }
  }

  function readChannel(
    { channel, after }: ReadRequest,
    [head, mark, deleted, raw]: ChannelReply,
    at: History,
    now: number,
  ): ChannelRead {
    const entries = raw.map((entry) => storedEntry(channel, entry))
    const closed = closedMark(channel, mark)
    const evidence: Evidence = {
      next: entries[0],
      head: Number(head),
      horizon: at.snapshot.horizon,
      birth: at.snapshot.birth,
      beforeEnd: closed?.prev,
      deleted: Number(deleted),
      ageLimit: ageLimitAt(now, ageOf(retentionFor(channel))),
    }
    const found = gapAfter(after, evidence)
    const lost = lostUntil(at, after)
    let gap: Gap | undefined
    if (lost !== undefined) {
      gap = { reason: 'lost', floor: positionAt(at, Math.max(lost, found?.floor ?? 0)) }
    } else if (found !== undefined) {
      gap = { reason: found.reason, floor: positionAt(at, found.floor) }
    }
    const complete = Number(head) <= (entries.at(-1)?.order ?? Infinity)
    return {
      channel,
      entries,
      complete,
      gap,
      closed: closed && { position: closed.position, reason: closed.reason },
    }
  }

  function startOf([order, prev]: [string, string], { last, horizon }: Snapshot): number {
    // Nothing there: after its head; nothing ever known: after everything there is.
    if (order === '0') return prev === '0' ? last : Number(prev)
    return prev === '0' ? Math.min(horizon, Number(order) - 1) : Number(prev)
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
      const starts = replies.map((reply) => startOf(reply, at.snapshot))
      return { position: positionAt(at, Math.min(at.snapshot.last, ...starts)), starts }
    },

    async locate(position) {
      if (history !== undefined && locateIn(history, position).known) return { known: true }
      return locateIn(await askHistory(), position)
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
      history = sameEpoch(history.snapshot, snapshot)
        ? { snapshot, closed: history.closed }
        : undefined
    },
    forget() {
      history = undefined
    },
  }
}
