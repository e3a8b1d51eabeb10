/**
 * The only fan-out: channels on one side, streams on the other. What is published, on this node or
 * any other, comes in through `entry` in the log's order and goes out at the end of the turn of the
 * event loop, as one write for each socket.
 */
import { randomBytes } from 'node:crypto'
import type { Draft, Entry, Log, LogListener, Receipt } from '../log/log.js'
import type { EphemeralEvent } from '../wire/event.js'
import type { Format } from '../wire/sse.js'
import { createActivity, Load } from './activity.js'
import { Channel, type Waiter } from './channel.js'
import type { Feed } from './feed.js'
import { IDLE_CHANNEL_MS, OPENING_MS, PAGE_BUDGET } from './limits.js'
import { type From, type Origin, type Reach, resolveOrigins, type Starts } from './origin.js'
import { createPageBudget } from './pages.js'
import { createPoller, type Poll, type PollAnswer } from './poll.js'
import { createReader } from './reader.js'
import type { Share } from './share.js'
import { heartbeatChunk, Stream, type StreamHost, type Who } from './stream.js'
import { createSurvey, type Survey } from './survey.js'

export interface HubOptions {
  readonly log: Log
  /** Milliseconds between signs of life on a silent stream. */
  readonly heartbeatMs: number
  /** Milliseconds a stream may live; 0 = for ever. */
  readonly maxAgeMs: number
  /** Streams and waiting polls at once. */
  readonly maxStreams: number
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number
  /** 0 … 1. Default: Math.random. */
  readonly random?: () => number
}

export interface Opening {
  readonly channels: readonly string[]
  readonly from: From
  readonly format: Format
  /** Public id of the session, where the client named one. */
  readonly session?: string | undefined
  /** The cursor as it was presented. */
  readonly presented?: string | undefined
  /** How far back may be read. Default: as far as there is something. */
  readonly reach?: Reach | undefined
  /** Channels, among the others, that begin at a place of their own. */
  readonly starts?: Starts | undefined
  /** Chunks of control events without an id, to be told right after `stream.ready`. */
  readonly greetings?: readonly Buffer[] | undefined
  /** The stream is over, however it came to that; called once, of each opening that gave a stream. */
  readonly onClosed?: (() => void) | undefined
  /** A gap on a channel was told. */
  readonly onGap?: ((channel: string) => void) | undefined
  /** Who reads, for whoever looks after the gateway. */
  readonly who?: Who | undefined
}

/** How an opening went. */
export type Opened =
  | { readonly kind: 'stream'; readonly stream: Stream }
  /** Every channel is closed and read to its end. */
  | { readonly kind: 'exhausted' }
  /** A raw stream can't begin: events after the cursor are gone. */
  | { readonly kind: 'expired' }

export interface Hub {
  /** What the log tells. */
  readonly listener: LogListener
  /** Streams and waiting polls that are open. */
  readonly open: number
  /** Streams, waiting polls, publishes and uploads under way: what a shutdown waits for. */
  readonly busy: number
  /** Something is under way until the answer is called. */
  hold(): () => void
  /** Whether another stream would be one too many. */
  readonly crowded: boolean
  publish(drafts: readonly Draft[]): Promise<Receipt[]>
  /** Counts an event that the log has taken by another road, unless it is a duplicate. */
  published(receipt: Receipt): void
  /** How it stands, for whoever looks after the gateway. */
  readonly survey: Survey
  /** Rejects where the log can't be asked. */
  openStream(opening: Opening): Promise<Opened>
  /**
   * Puts channels on a stream that is open, each from its place on. Resolves once nothing of them can be
   * missed, with those whose place lay before what the stream had written by then.
   */
  join(stream: Stream, starts: Starts): Promise<ReadonlySet<string>>
  /** Takes channels off a stream; those that it had. Where none is left it is for the caller to end it. */
  leave(stream: Stream, channels: readonly string[], reason: string): readonly string[]
  /**
   * Hears of news on a channel until the answer is called; resolves once none can be missed. It may be
   * called without any: after a lost connection, say.
   */
  watch(channel: string, wake: Waiter): Promise<() => void>
  poll(poll: Poll): Promise<PollAnswer>
  /** Streams that read a channel on this node. */
  subscribers(channel: string): number
  /** Begins to keep time. */
  start(): void
  /** Heartbeats, time-outs, channels nobody reads any more. The clock of `start` calls it. */
  tick(): void
  /** Says goodbye to everybody, but for streams of channels that are to be read to their end. */
  drain(spared?: (channel: string) => boolean): void
  /** Cuts whoever is still there. */
  stop(): void
}

export function createHub(options: HubOptions): Hub {
  const { log, heartbeatMs, maxAgeMs, maxStreams } = options
  const clock = options.now ?? Date.now
  const random = options.random ?? Math.random
  const channels = new Map<string, Channel>()
  const streams = new Set<Stream>()
  const activity = createActivity()
  const { totals } = activity
  const budget = createPageBudget(PAGE_BUDGET)
  const reader = createReader(log)
  const poller = createPoller({ log, use, random })
  let dirty: Feed[] = []
  let scheduled = false
  let turn = 0
  let fanOut = 0
  let opening = 0
  let held = 0
  let timer: NodeJS.Timeout | undefined
  let lastHeartbeat: { key: string; bytes: Buffer } = { key: '', bytes: Buffer.alloc(0) }
  let now = clock()

  const host: StreamHost = {
    reader,
    partitions: log.partitions,
    heartbeatMs,
    maxAgeMs,
    totals,
    get now() {
      return now
    },
    random,
    verified: (partition) => log.position(partition),
    heartbeat(cursor, format) {
      const key = `${format} ${cursor}`
      if (lastHeartbeat.key !== key) lastHeartbeat = { key, bytes: heartbeatChunk(cursor, format) }
      return lastHeartbeat.bytes
    },
    pumpSoon: (share) => setImmediate(() => share.stream.pump(share)),
    forget(stream) {
      streams.delete(stream)
      for (const share of stream.shares) for (const feed of share.feeds) settle(feed.channel)
    },
  }

  /** The channel, from now on in use. */
  function use(name: string): Channel {
    let channel = channels.get(name)
    if (channel === undefined) {
      channel = new Channel(name, log)
      channels.set(name, channel)
    }
    channel.idleSince = 0
    return channel
  }

  function settle(channel: Channel): void {
    if (channel.idle) channel.idleSince = clock()
  }

  // ── what is counted ──

  function received(channel: Channel): Load {
    channel.load ??= activity.loads.get(channel.name) ?? new Load(channel.name)
    const { load } = channel
    if (!load.listed) activity.list(load)
    totals.received++
    load.received++
    return load
  }

  function published({ channel: name, position, duplicate }: Receipt): void {
    if (duplicate) return
    totals.published++
    let load = activity.loads.get(name)
    if (load === undefined) {
      load = channels.get(name)?.load ?? new Load(name)
      activity.list(load)
    }
    load.published++
    if (position === null || position.order <= load.order) return
    load.order = position.order
    load.tag = position.tag
  }

  // ── what comes in ──

  function mark(feed: Feed): void {
    dirty.push(feed)
    if (scheduled) return
    scheduled = true
    // The check phase comes after everything that was ready to be read in this turn: what those
    // requests publish leaves together.
    setImmediate(flush)
  }

  const listener: LogListener = {
    entry(entry: Entry) {
      const channel = channels.get(entry.channel)
      if (channel === undefined) return
      const load = received(channel)
      load.order = entry.order
      load.tag = entry.tag
      for (const feed of channel.feeds) {
        const clean = !feed.dirty
        feed.entry(entry)
        if (clean && feed.dirty) mark(feed)
      }
      if (channel.waiters.size > 0) channel.wake()
    },
    ephemeral(event: EphemeralEvent) {
      const channel = channels.get(event.channel)
      if (channel === undefined) return
      received(channel)
      for (const feed of channel.feeds) {
        if (!feed.dirty) mark(feed)
        feed.ephemeral(event)
      }
      if (channel.waiters.size > 0) channel.wake(event)
    },
    deleted(name, upTo) {
      flush()
      const channel = channels.get(name)
      // What was read before says nothing about the channel as it is now.
      if (channel !== undefined) channel.generation++
      for (const feed of channel?.feeds ?? []) {
        feed.clear(upTo, log.position(feed.channel.partition).tag)
        for (const share of feed.subscriptions) share.reopen(feed)
      }
      channel?.wake()
    },
    hole(name, seen) {
      flush()
      const channel = channels.get(name)
      if (channel === undefined) return
      channel.interrupt(false)
      for (const feed of channel.feeds) {
        for (const share of feed.subscriptions) share.fallBehind(feed, seen)
      }
      channel.wake()
    },
    interrupted(partition) {
      flush()
      totals.interruptions++
      const cut = [...channels.values()].filter((channel) => channel.partition === partition)
      for (const channel of cut) channel.interrupt(true)
      for (const stream of streams) {
        for (const share of stream.shares) {
          if (share.partition === partition) share.doubt()
        }
      }
      for (const channel of cut) channel.wake()
    },
    get fanOut() {
      return fanOut
    },
    verified() {
      // Asked for where it is needed: `log.position`.
    },
  }

  // ── what goes out ──

  /** Puts what came in this turn into sockets. */
  function flush(): void {
    scheduled = false
    if (dirty.length === 0) return
    now = clock()
    const feeds = dirty
    dirty = []
    turn++
    fanOut = 0
    // A stream with news on several channels gets them merged by position instead of one by one.
    const crowded = feeds.length > 1 ? findCrowded(feeds) : undefined
    for (const feed of feeds) {
      const batch = feed.takeBatch()
      if (batch === undefined) continue
      fanOut += feed.subscriptions.size
      let readers = 0
      for (const share of feed.subscriptions) {
        if (share.phase !== 'live') continue
        if (share.crowdedTurn !== turn) {
          share.deliver(feed, batch)
          readers++
        } else if (batch.ephemeral !== undefined) crowded?.get(share)?.push(batch.ephemeral)
      }
      totals.delivered += readers * batch.count
    }
    if (crowded === undefined) return
    for (const [share, ephemeral] of crowded) {
      share.fallBehind(undefined, undefined)
      if (share.phase === 'live') for (const bytes of ephemeral) share.stream.writeEphemeral(bytes)
    }
  }

  function findCrowded(feeds: readonly Feed[]): Map<Share, Buffer[]> | undefined {
    let crowded: Map<Share, Buffer[]> | undefined
    for (const feed of feeds) {
      for (const share of feed.subscriptions) {
        if (share.phase !== 'live') continue
        if (share.turn === turn && share.crowdedTurn !== turn) {
          share.crowdedTurn = turn
          crowded ??= new Map()
          crowded.set(share, [])
        }
        share.turn = turn
      }
    }
    return crowded
  }

  let turnEnd: Promise<void> | undefined

  /**
   * After this turn's deliveries. Answers to publishers wait for it: all that a turn has to say leaves
   * in one go, which wakes whoever listens once instead of for every event (a quarter of the time of
   * a POST), and an answer means that the streams of this node have been written to.
   */
  function endOfTurn(): Promise<void> {
    turnEnd ??= new Promise((resolve) => {
      setImmediate(() => {
        turnEnd = undefined
        resolve()
      })
    })
    return turnEnd
  }

  // ── openings ──

  async function openStream(wanted: Opening) {
    const { channels: names, from, format, session, presented, reach, onClosed } = wanted
    const { starts, greetings = [], onGap, who } = wanted
    opening++
    try {
      const origins = await resolveOrigins(log, names, from, reach, starts)
      const feeds = (origin: Origin) => feedsOf(origin, format)
      now = clock()
      const stream = new Stream(host, origins, feeds, {
        format,
        session: session ?? randomBytes(16).toString('base64url'),
        resumed: 'cursor' in from,
        presented,
        greetings,
        onClosed,
        onGap,
        who,
      })
      streams.add(stream)
      await withinTime(stream.prepare(), OPENING_MS)
      if (stream.exhausted) {
        stream.close()
        return { kind: 'exhausted' } as const
      }
      if (format === 'raw' && stream.hasGap) {
        stream.close()
        return { kind: 'expired' } as const
      }
      return { kind: 'stream', stream } as const
    } finally {
      opening--
    }
  }

  function feedsOf({ channels: names }: Origin, format: Format): Feed[] {
    return names.map((name) => use(name).feed(format, budget))
  }

  async function join(stream: Stream, starts: Starts): Promise<ReadonlySet<string>> {
    const names = [...starts.keys()].filter((name) => !stream.channels.includes(name))
    const origins = await resolveOrigins(log, names, { from: 'latest' }, undefined, starts)
    // Nothing that comes from here on may be missed, also where the stream is slow to read it.
    await Promise.all(names.map((name) => use(name).follow()))
    now = clock()
    const late = new Set<string>()
    for (const origin of origins) {
      const standing = stream.standing(origin.partition)
      for (const name of origin.channels) if (starts.get(name)!.order < standing) late.add(name)
      stream.join(origin, feedsOf(origin, stream.format))
    }
    // It may have gone meanwhile.
    if (!stream.open) for (const name of names) settle(use(name))
    return late
  }

  function leave(stream: Stream, names: readonly string[], reason: string): readonly string[] {
    const left = names.filter((name) => stream.leave(name, reason))
    for (const name of left) settle(use(name))
    return left
  }

  async function watch(name: string, wake: Waiter): Promise<() => void> {
    const channel = use(name)
    let { generation } = channel
    const waiter: Waiter = (event) => {
      wake(event)
      if (channel.generation === generation) return
      // What came while nothing was heard has told nobody.
      generation = channel.generation
      channel.follow().then(
        () => wake(undefined),
        () => {},
      )
    }
    channel.waiters.add(waiter)
    const stop = () => {
      channel.waiters.delete(waiter)
      settle(channel)
    }
    try {
      await channel.follow()
      return stop
    } catch (error) {
      stop()
      throw error
    }
  }

  // ── time ──

  function tick(): void {
    flush()
    now = clock()
    for (const stream of streams) stream.tick()
    for (const [name, channel] of channels) {
      if (channel.idleSince === 0 || now - channel.idleSince < IDLE_CHANNEL_MS) continue
      channels.delete(name)
      log.unfollow(name)
    }
  }

  return {
    listener,
    get open() {
      return streams.size + poller.waiting
    },
    get busy() {
      return streams.size + poller.waiting + held
    },
    hold() {
      held++
      return () => {
        held--
      }
    },
    get crowded() {
      return streams.size + opening + poller.waiting >= maxStreams
    },
    async publish(drafts) {
      held++
      try {
        const appended = log.append(drafts)
        // A log in memory has handed the entries over by now; one elsewhere answers in a turn of its own.
        const delivering = dirty.length > 0
        const receipts = await appended
        receipts.forEach(published)
        if (delivering) await endOfTurn()
        return receipts
      } finally {
        held--
      }
    },
    openStream,
    join,
    leave,
    watch,
    published,
    survey: createSurvey({
      activity,
      channels,
      streams,
      waiting: () => poller.waiting,
      now: clock,
    }),
    async poll(wanted) {
      const answer = await poller.poll(wanted)
      totals.delivered += answer.events.length + answer.ephemeral.length
      for (const { event } of answer.control) if (event === 'stream.gap') totals.gaps++
      return answer
    },
    subscribers: (channel) => channels.get(channel)?.subscribers ?? 0,
    start() {
      timer = setInterval(tick, Math.min(1000, Math.max(10, heartbeatMs / 4)))
      timer.unref()
    },
    tick,
    drain(spared = () => false) {
      flush()
      for (const stream of streams) {
        const feeds = stream.shares.flatMap((share) => share.feeds)
        if (!feeds.every(({ channel }) => spared(channel.name))) stream.bye('draining', true)
      }
      poller.drain()
    },
    stop() {
      clearInterval(timer)
      for (const stream of streams) stream.destroy()
    },
  }
}

/** Waits for a promise, but no longer than `ms`. */
async function withinTime(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([promise, late])
  clearTimeout(timer)
}
