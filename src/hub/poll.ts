/**
 * Finite answers: the long poll, and history read page by page. Uses the log itself rather than
 * pages: its answers are cut by count, and it holds nothing between two requests but a cursor.
 */
import type { ChannelRead, EventEntry, Log } from '../log/log.js'
import type { Control } from '../wire/control.js'
import { formatCursor } from '../wire/cursor.js'
import type { EphemeralEvent } from '../wire/event.js'
import type { Position } from '../wire/position.js'
import type { Channel } from './channel.js'
import { RETRY_MS } from './limits.js'
import {
  type From,
  fromPosition,
  type Origin,
  type Reach,
  resolveOrigins,
  type Starts,
} from './origin.js'
import { gapData, placeAfter } from './stream.js'

export interface Poll {
  readonly channels: readonly string[]
  readonly from: From
  /** Milliseconds to wait for news; 0: answers at once. */
  readonly waitMs: number
  /** Events in the answer at most. */
  readonly limit: number
  /** How far back may be read. Default: as far as there is something. */
  readonly reach?: Reach | undefined
  /** Channels, among the others, that begin at a place of their own. */
  readonly starts?: Starts | undefined
  /** The client has gone away. */
  readonly signal?: AbortSignal | undefined
}

/** An event of an answer, with the cursor after it. */
export interface PolledEvent {
  readonly event: EventEntry
  readonly cursor: string
}

export interface PollAnswer {
  readonly events: readonly PolledEvent[]
  readonly ephemeral: readonly EphemeralEvent[]
  readonly control: readonly Control[]
  readonly cursor: string
  /** There is more: ask again at once. */
  readonly more: boolean
  /** Every channel is closed and read to its end: asking again would bring nothing. */
  readonly exhausted: boolean
}

export interface Poller {
  poll(poll: Poll): Promise<PollAnswer>
  /** Polls that wait. */
  readonly waiting: number
  /** Answers everybody who waits, with a goodbye. */
  drain(): void
}

interface PollerOptions {
  readonly log: Log
  /** The channel, from now on in use. */
  readonly use: (name: string) => Channel
  readonly random: () => number
}

/** One partition's part of a poll. */
interface Place {
  readonly partition: number
  readonly channels: readonly string[]
  position: Position
  /** Channels that are read from a later place than the position. */
  starts: readonly number[]
  /** Of each channel, the order up to which it is not given to this reader. */
  readonly floors: readonly number[]
}

/** Ephemeral events that one answer takes at most. */
const MAX_EPHEMERAL = 100

export function createPoller({ log, use, random }: PollerOptions): Poller {
  const wakers = new Set<() => void>()
  let draining = false

  async function poll(wanted: Poll): Promise<PollAnswer> {
    const { channels, from, waitMs, limit, reach, signal, starts } = wanted
    const deadline = Date.now() + waitMs
    const control: Control[] = []
    let places: Place[] = []
    const begin = (origins: readonly Origin[]) => {
      places = origins.map(({ partition, channels, position, starts, floors = [] }) => {
        return { partition, channels, position, starts, floors }
      })
      for (const { channels, gap, lost = channels } of origins) {
        if (gap === undefined) continue
        for (const channel of lost) {
          const data = gapData(channel, gap.after, placeAfter(gap.floor), gap.reason)
          control.push({ event: 'stream.gap', data })
        }
      }
      for (const { channel, after, floor } of origins.flatMap((it) => it.withheld ?? [])) {
        const data = gapData(channel, after, placeAfter(floor), 'withheld')
        control.push({ event: 'stream.gap', data })
      }
    }
    const ear = listen(waitMs > 0 ? channels : [], signal)
    try {
      let lineage = ear.lineage()
      begin(await resolveOrigins(log, channels, from, reach, starts))
      for (;;) {
        const news = ear.news()
        await ear.ready()
        if (lineage !== ear.lineage()) {
          // The store may have become another one while this waited.
          lineage = ear.lineage()
          begin(await Promise.all(places.map(judgeAgain)))
          continue
        }
        const answer = await collect(places, limit, control, ear.ephemeral)
        const left = deadline - Date.now()
        const worth = answer.events.length + answer.control.length + answer.ephemeral.length > 0
        if (worth || answer.exhausted || left <= 0 || draining || signal?.aborted) return answer
        await news(left)
      }
    } finally {
      ear.close()
    }
  }

  async function judgeAgain(place: Place): Promise<Origin> {
    const { partition, channels, position, starts, floors } = place
    const origin = await fromPosition(log, partition, channels, position)
    return { ...origin, floors, starts: origin.gap === undefined ? starts : floors }
  }

  /** Hears of news on channels, from before they are read. */
  function listen(names: readonly string[], signal: AbortSignal | undefined) {
    const ephemeral: EphemeralEvent[] = []
    const channels = names.map(use)
    let wake: () => void = () => {}
    const waiter = (event: EphemeralEvent | undefined) => {
      if (event !== undefined && ephemeral.length < MAX_EPHEMERAL) ephemeral.push(event)
      wake()
    }
    const onAbort = () => wake()
    const waker = () => wake()
    if (names.length > 0) wakers.add(waker)
    for (const channel of channels) channel.waiters.add(waiter)
    signal?.addEventListener('abort', onAbort)
    return {
      ephemeral,
      /** Changes when the store may have become another one. */
      lineage: () => channels.reduce((sum, channel) => sum + channel.lineage, 0),
      /** Resolves once nothing can be missed. */
      ready: () => Promise.all(channels.map((channel) => channel.follow())),
      /** Call before reading; what it answers resolves with news since then, or after `ms`. */
      news() {
        const { promise, resolve } = withResolvers()
        wake = resolve
        return async (ms: number) => {
          const timer = setTimeout(resolve, ms)
          await promise
          clearTimeout(timer)
        }
      },
      close() {
        wakers.delete(waker)
        signal?.removeEventListener('abort', onAbort)
        for (const channel of channels) {
          channel.waiters.delete(waiter)
          if (channel.idle) channel.idleSince = Date.now()
        }
      },
    }
  }

  /** Reads what there is after the places, up to `limit` events, and moves the places past it. */
  async function collect(
    places: readonly Place[],
    limit: number,
    told: readonly Control[],
    ephemeral: readonly EphemeralEvent[],
  ): Promise<PollAnswer> {
    const control = [...told]
    const events: PolledEvent[] = []
    let more = false
    let exhausted = true
    for (const place of places) {
      const after = (i: number) => Math.max(place.position.order, place.starts[i] ?? 0)
      const requests = place.channels.map((channel, i) => ({ channel, after: after(i) }))
      const { snapshot, channels } = await log.read(place.partition, requests, limit)
      const part = merge(channels, place.position, snapshot, limit - events.length)
      for (const [i, { channel, gap, closed, complete }] of channels.entries()) {
        // With the first answer, whatever its events reach: the next cursor may lie in the gap.
        if (gap !== undefined) {
          const own = requests[i]!.after === place.position.order ? place.position : null
          const presented = gap.since ?? own
          const data = gapData(
            channel,
            presented,
            part.firstOf(channel) ?? placeAfter(gap.floor),
            gap.reason,
          )
          control.push({ event: 'stream.gap', data })
        }
        const from = requests[i]!.after
        const end = closed?.position.order ?? Number.POSITIVE_INFINITY
        // Told by the answer that passes it, or every later one would come at once. Where a loss stands
        // after it, by the one that tells the loss: whoever has heard of an end asks no more.
        const passed = complete && end <= part.reached.order && (from < end || gap !== undefined)
        if (closed !== undefined && passed) {
          control.push({ event: 'stream.end', data: { channel, reason: closed.reason } })
        }
        exhausted &&= end <= from && gap === undefined && told.length === 0
      }
      for (const event of part.events) {
        place.position = event
        events.push({ event, cursor: cursorOf(places) })
      }
      if (part.reached.order > place.position.order) place.position = part.reached
      more ||= part.more
    }
    if (draining) {
      const retry = Math.round(RETRY_MS * (0.5 + random()))
      control.push({ event: 'stream.bye', data: { reason: 'draining', reconnect: true, retry } })
    }
    return { events, ephemeral, control, cursor: cursorOf(places), more, exhausted }
  }

  function cursorOf(places: readonly Place[]): string {
    return formatCursor(new Map(places.map((p) => [p.partition, p.position])), log.partitions)
  }

  return {
    poll,
    get waiting() {
      return wakers.size
    },
    drain() {
      draining = true
      for (const wake of wakers) wake()
    },
  }
}

/** The events of several channels in order, as far as all of them are known and `limit` allows. */
function merge(
  channels: readonly ChannelRead[],
  position: Position,
  snapshot: Position,
  limit: number,
) {
  let safe = Number.POSITIVE_INFINITY
  for (const { entries, complete } of channels) {
    if (!complete) safe = Math.min(safe, entries.at(-1)?.order ?? 0)
  }
  const entries = channels
    .flatMap((channel) => channel.entries)
    .filter((entry) => entry.order <= safe)
    .sort((a, b) => a.order - b.order)
  const taken: typeof entries = []
  let count = 0
  for (const entry of entries) {
    if (entry.kind === 'event' && ++count > limit) break
    taken.push(entry)
  }
  const all = taken.length === entries.length && safe === Number.POSITIVE_INFINITY
  const events = taken.filter((entry): entry is EventEntry => entry.kind === 'event')
  return {
    events,
    more: !all,
    reached: all ? snapshot : (taken.at(-1) ?? position),
    firstOf: (channel: string) => entries.find((entry) => entry.channel === channel),
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
