/**
 * The log in this process's memory: the embedded default. Lost with the process; a restarted gateway
 * has another tag, so cursors from before are told `unknown` rather than matched to other events.
 */
import { randomInt } from 'node:crypto'
import { SluiceError } from '../wire/errors.js'
import { BY_CLOCK, COUNTERS, msOf, type Position, PROCESS_TAGS, tagOf } from '../wire/position.js'
import { createArrivals } from './arrivals.js'
import { createFences, fencedOff } from './fences.js'
import { ageLimitAt, gapAfter } from './gap.js'
import { createKeyring, fingerprint, keyName } from './keyring.js'
import type {
  ChannelInfo,
  ChannelRead,
  Draft,
  EndEntry,
  Entry,
  EventEntry,
  Log,
  LogListener,
  ReadRequest,
  ReadResult,
  Receipt,
  Retention,
  Standing,
  Start,
} from './log.js'
import { partitionOf } from './partition.js'
import { createShelf, firstKept, type Shelf, upperBound } from './shelf.js'

export interface MemoryLogOptions {
  readonly retentionFor: (channel: string) => Retention
  /** Partitions; default 1. */
  readonly partitions?: number
  /** Bytes of events held over all channels; the oldest go first. Default 512 MiB. */
  readonly limitBytes?: number
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number
  /** The process's tag. Default: random. */
  readonly tag?: number
}

/** The log, and what only this one can do: there is nobody to wait for. */
export interface MemoryLog extends Log {
  /** `append`, done when it returns. Throws where the group is refused; then nothing has changed. */
  appendNow(group: readonly Draft[]): Receipt[]
  /** `delete`, done when it returns. */
  deleteNow(channel: string): boolean
}

/** How often expired events and forgotten channels are swept out, in ms. Reads never depend on it. */
const SWEEP_MS = 30_000

/** Order of the newest entry by partition, and what a channel without a head could have had at most. */
interface Partition {
  last: number
  readonly birth: number
  horizon: number
}

/**
 * A text with memory of its own. A piece of a larger text keeps all of it alive: the one event that is
 * left of an array of a thousand would hold the thousand.
 */
function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8')
}

export function createMemoryLog(options: MemoryLogOptions): MemoryLog {
  const now = options.now ?? Date.now
  const process = options.tag ?? randomInt(1, PROCESS_TAGS)
  const count = options.partitions ?? 1
  const limitBytes = options.limitBytes ?? 512 * 1024 * 1024
  const shelves = new Map<string, Shelf>()
  const followed = new Set<string>()
  const keyring = createKeyring(now)
  const fences = createFences(now)
  const birth = now() * COUNTERS
  const partitions: Partition[] = Array.from({ length: count }, () => ({
    last: birth,
    birth,
    horizon: birth,
  }))
  let listener: LogListener | undefined
  let sweeper: NodeJS.Timeout | undefined
  let bytes = 0
  const arrivals = createArrivals()

  const at = (partition: number, order: number): Position => ({
    order,
    tag: tagOf(partition, process),
  })

  function shelfOf(channel: string): Shelf {
    let shelf = shelves.get(channel)
    if (shelf === undefined) {
      shelf = createShelf(channel, partitionOf(channel, count), options.retentionFor(channel))
      shelves.set(channel, shelf)
    }
    return shelf
  }

  /** The next position of a partition. A full counter carries into the millisecond by itself. */
  function nextOrder(partition: Partition): number {
    partition.last = Math.max(now() * COUNTERS, partition.last + 1)
    return partition.last
  }

  function place(shelf: Shelf, entry: Entry): void {
    bytes += shelf.add(entry)
    bytes -= shelf.trim()
    arrivals.push(shelf)
    while (bytes > limitBytes && arrivals.length > 0) bytes -= arrivals.evict()
    if (followed.has(entry.channel)) listener?.entry(entry)
  }

  function appendOne(draft: Draft, time: number): Receipt {
    const { channel, name, data, sender, key } = draft
    if (draft.fence !== undefined) fences.raise(channel, draft.fence)
    const known = key === undefined ? undefined : keyring.find(draft, key)
    if (known !== undefined) return { ...known, duplicate: true }
    if (draft.ephemeral === true) {
      const receipt = { channel, position: null, time, duplicate: false }
      if (key !== undefined) keyring.remember(draft, key, receipt)
      if (followed.has(channel)) listener?.ephemeral({ channel, name, data, sender, time })
      return receipt
    }
    const shelf = shelfOf(channel)
    const order = nextOrder(partitions[shelf.partition]!)
    const entry: EventEntry = {
      kind: 'event',
      order,
      tag: tagOf(shelf.partition, process),
      prev: shelf.head,
      channel,
      name,
      data: ownText(data),
      sender,
    }
    const receipt = {
      channel,
      position: at(shelf.partition, order),
      time: msOf(order),
      duplicate: false,
    }
    if (key !== undefined) keyring.remember(draft, key, receipt)
    place(shelf, entry)
    return receipt
  }

  /** Everything that can refuse a group is asked before its first event is appended. */
  function refuse(group: readonly Draft[]): void {
    let prints: Map<string, string> | undefined
    let raised: Map<string, number> | undefined
    for (const draft of group) {
      const { channel, key, fence } = draft
      if (fence !== undefined) {
        raised ??= new Map()
        if (fence < (raised.get(channel) ?? fences.of(channel))) throw fencedOff(channel)
        raised.set(channel, fence)
      }
      let known = false
      if (key !== undefined) {
        const name = keyName(draft, key)
        prints ??= new Map()
        const earlier = prints.get(name)
        const print = fingerprint(draft)
        if (earlier === undefined ? keyring.conflicts(draft, key) : earlier !== print) {
          throw new SluiceError('key_conflict')
        }
        known = earlier !== undefined || keyring.find(draft, key) !== undefined
        prints.set(name, print)
      }
      // What was accepted before the end is answered as it was then.
      if (!known && shelves.get(channel)?.end !== undefined) {
        throw new SluiceError('channel_closed', { detail: `Channel "${channel}" is closed` })
      }
    }
  }

  function readChannel(request: ReadRequest, share: number): ChannelRead {
    const { channel, after } = request
    const shelf = shelves.get(channel)
    if (shelf === undefined) {
      // Never heard of: nothing of it can be newer than the partition's horizon.
      const partition = partitionOf(channel, count)
      const { horizon } = partitions[partition]!
      const gap =
        horizon > after ? { reason: 'expired' as const, floor: at(partition, horizon) } : undefined
      return { channel, entries: [], complete: true, gap }
    }
    const ageLimit = ageLimitAt(now(), shelf.retention.maxAge)
    const first = Math.max(upperBound(shelf, after), firstKept(shelf, ageLimit))
    const found = gapAfter(after, {
      next: shelf.entries[first],
      head: shelf.head,
      horizon: partitions[shelf.partition]!.horizon,
      beforeEnd: shelf.end?.prev,
      deleted: shelf.deleted,
      ageLimit,
    })
    return {
      channel,
      entries: shelf.entries.slice(first, first + share),
      complete: first + share >= shelf.entries.length,
      gap: found && { reason: found.reason, floor: at(shelf.partition, found.floor) },
      closed: shelf.end && { position: shelf.end, reason: shelf.end.reason },
    }
  }

  function startOf(channel: string, start: Start, last: number): number {
    const shelf = shelves.get(channel)
    if (shelf === undefined || start.from === 'latest') return last
    const { entries, retention } = shelf
    const oldest = firstKept(shelf, ageLimitAt(now(), retention.maxAge))
    let index = oldest
    if (start.from === 'count') {
      const events = shelf.end === undefined ? start.count : start.count + 1
      index = Math.max(oldest, entries.length - events)
    } else if (start.from === 'age') {
      index = Math.max(oldest, upperBound(shelf, ageLimitAt(now(), start.ms) - 1))
    }
    const first = entries[index]
    if (first === undefined) return last
    return first.prev === 0 ? first.order - 1 : first.prev
  }

  /** Forgets what is too old. A channel's head outlives its events, so that "nothing there" isn't taken for "nothing missed". */
  function sweep(): void {
    for (const shelf of shelves.values()) {
      bytes -= shelf.expire(ageLimitAt(now(), shelf.retention.maxAge))
      const forgotten = ageLimitAt(now(), 2 * shelf.retention.maxAge)
      if (shelf.held > 0 || shelf.head >= forgotten || shelf.end !== undefined) continue
      const partition = partitions[shelf.partition]!
      partition.horizon = Math.max(partition.horizon, shelf.head)
      shelves.delete(shelf.channel)
    }
    keyring.sweep()
    fences.sweep()
  }

  function admit(channel: string, fence: number): void {
    if (fence < fences.of(channel)) throw fencedOff(channel)
    fences.raise(channel, fence)
  }

  function appendNow(group: readonly Draft[]): Receipt[] {
    refuse(group)
    const time = now()
    return group.map((draft) => appendOne(draft, time))
  }

  function deleteNow(channel: string): boolean {
    const shelf = shelves.get(channel)
    if (shelf === undefined || (shelf.held === 0 && shelf.end === undefined)) return false
    bytes -= shelf.clear()
    if (followed.has(channel)) listener?.deleted(channel, shelf.head)
    return true
  }

  return {
    appendNow,
    deleteNow,
    partitions: count,
    partitionOf: (channel) => partitionOf(channel, count),

    async start(to) {
      listener = to
      sweeper = setInterval(sweep, SWEEP_MS)
      sweeper.unref()
    },
    async stop() {
      clearInterval(sweeper)
      listener = undefined
    },
    fault: () => undefined,

    append: async (group) => appendNow(group),

    async close(channel, reason, fence) {
      if (fence !== undefined) admit(channel, fence)
      const shelf = shelfOf(channel)
      if (shelf.end !== undefined) return shelf.end
      const order = nextOrder(partitions[shelf.partition]!)
      const end: EndEntry = {
        kind: 'end',
        order,
        tag: tagOf(shelf.partition, process),
        prev: shelf.head,
        channel,
        reason,
      }
      place(shelf, end)
      return end
    },

    async fence(channel, fence) {
      admit(channel, fence)
    },

    delete: async (channel) => deleteNow(channel),

    async read(partition, requests, limit): Promise<ReadResult> {
      const snapshot = at(partition, partitions[partition]!.last)
      const busy = requests.filter(({ channel, after }) => {
        const shelf = shelves.get(channel)
        return shelf !== undefined && shelf.head > after
      }).length
      const share = Math.max(1, Math.floor(limit / Math.max(1, busy)))
      return { snapshot, channels: requests.map((request) => readChannel(request, share)) }
    },

    async seek(partition, channels, start) {
      const { last } = partitions[partition]!
      const starts = channels.map((channel) => startOf(channel, start, last))
      return { position: at(partition, Math.min(last, ...starts)), starts }
    },

    async locate(partition, position): Promise<Standing> {
      const { last, birth } = partitions[partition]!
      if (position.tag === BY_CLOCK && position.order >= birth) {
        return { known: true, position: at(partition, Math.min(position.order, last)) }
      }
      const known =
        position.tag === tagOf(partition, process) &&
        position.order >= birth &&
        position.order <= last
      if (known) return { known }
      // From before this process: everything it holds came after.
      return {
        known,
        reason: 'unknown',
        resume: at(partition, position.order < birth ? birth : last),
      }
    },

    async info(channel): Promise<ChannelInfo | undefined> {
      const shelf = shelves.get(channel)
      if (shelf === undefined || shelf.head === 0) return undefined
      return shelf.info(ageLimitAt(now(), shelf.retention.maxAge))
    },

    async follow(channel) {
      followed.add(channel)
    },
    unfollow(channel) {
      followed.delete(channel)
    },
    position: (partition) => at(partition, partitions[partition]!.last),
    frontier: (partition) => partitions[partition]!.last,
  }
}
