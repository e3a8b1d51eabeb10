/**
 * Brings pages from the log. Readers that want the same range at the same time share one read, and
 * only so many reads are under way at once: a thousand streams that come back together are a queue
 * here, not a storm on the store.
 */
import type { ChannelRead, Gap, Log } from '../log/log.js'
import type { Position } from '../wire/position.js'
import type { Feed } from './feed.js'
import { fromPosition, type Origin } from './origin.js'

/** Entries asked for at once: some 64 KiB of small events. */
const READ_ENTRIES = 512
/** Reads under way at once. */
const MAX_READS = 32

export interface Reader {
  /**
   * Makes `feeds`, all of one partition, know what comes after `afters`, at least its beginning.
   * Answers the gap of each. Rejects where the log can't be read.
   */
  fetch(feeds: readonly Feed[], afters: readonly number[]): Promise<readonly (Gap | undefined)[]>
  /** Judges where somebody stands. Rejects where the log can't be asked. */
  judge(feeds: readonly Feed[], position: Position): Promise<Origin>
}

export function createReader(log: Log): Reader {
  const underway = new Map<string, Promise<readonly (Gap | undefined)[]>>()
  const queue: (() => void)[] = []
  let reads = 0

  async function read(feeds: readonly Feed[], afters: readonly number[]) {
    // Counted from before following: an interruption while this waits its turn is one, too.
    const generations = feeds.map((feed) => feed.channel.generation)
    const lineages = feeds.map((feed) => feed.channel.lineage)
    await Promise.all(feeds.map((feed) => feed.channel.follow()))
    if (reads >= MAX_READS) await new Promise<void>((resolve) => queue.push(resolve))
    reads++
    try {
      const requests = feeds.map((feed, i) => ({ channel: feed.channel.name, after: afters[i]! }))
      const { partition } = feeds[0]!.channel
      const { snapshot, channels } = await log.read(partition, requests, READ_ENTRIES)
      const frontier = log.frontier(partition)
      return channels.map((whole, i) => {
        const feed = feeds[i]!
        // Of a store that may have been replaced: whoever asked is to be judged before it reads again.
        if (feed.channel.lineage !== lineages[i]) return undefined
        const contiguous = feed.channel.generation === generations[i]
        const told = upTo(whole, snapshot, frontier)
        feed.absorb(told.read, afters[i]!, told.snapshot, contiguous, frontier)
        return told.read.gap
      })
    } finally {
      reads--
      queue.shift()?.()
    }
  }

  return {
    async judge(feeds, position) {
      // By the store that its entries come from then.
      await Promise.all(feeds.map((feed) => feed.channel.follow()))
      const names = feeds.map((feed) => feed.channel.name)
      return fromPosition(log, feeds[0]!.channel.partition, names, position)
    },
    fetch(feeds, afters) {
      // A stream over many channels is hardly ever in step with another: not worth a long key.
      if (feeds.length > 4) return read(feeds, afters)
      const key = feeds
        .map((feed, i) => `${feed.channel.name} ${feed.format} ${afters[i]}`)
        .join('\n')
      const shared = underway.get(key)
      if (shared !== undefined) return shared
      const fresh = read(feeds, afters).finally(() => underway.delete(key))
      underway.set(key, fresh)
      return fresh
    },
  }
}

/**
 * A read without what followers have not been told yet: that comes as live entries. Or a stream that
 * reads one channel would be ahead of what it knows of its others, and its cursor with it: what comes
 * on them a moment later lies before the cursor, and would be taken for read.
 */
function upTo(read: ChannelRead, snapshot: Position, frontier: number) {
  if (snapshot.order <= frontier) return { read, snapshot }
  const { closed, gap } = read
  const entries = read.entries.filter(({ order }) => order <= frontier)
  const cut = entries.length < read.entries.length
  return {
    read: {
      ...read,
      entries,
      complete: read.complete || cut,
      // What is on its way comes, or word of the hole does.
      gap: gap && gap.floor.order > frontier ? undefined : gap,
      closed: closed && closed.position.order > frontier ? undefined : closed,
    },
    snapshot: cut ? { order: frontier, tag: snapshot.tag } : snapshot,
  }
}
