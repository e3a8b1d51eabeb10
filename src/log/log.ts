/**
 * The seam between the gateway and its event store. Two logs stand behind it, `memory` and `redis`,
 * and `test/log/contract.ts` holds both to what the comments here say. Nothing here knows streams,
 * SSE or HTTP.
 *
 * Words: a **channel** is an ordered, replayable list of events and lives in exactly one
 * **partition**; positions increase strictly within a partition, in the order in which appends took
 * effect, over all its channels.
 */

import type { GapReason } from '../wire/control.js'
import type { EphemeralEvent, StoredEvent } from '../wire/event.js'
import type { Position } from '../wire/position.js'

/** Something to append. */
export interface Draft {
  readonly channel: string
  readonly name: string
  /** Valid JSON text. */
  readonly data: string
  readonly sender?: string | undefined
  /**
   * Idempotency: within 5 minutes a second draft with the same key on the same channel by the same
   * sender is not appended; its receipt is the first one's with `duplicate`.
   */
  readonly key?: string | undefined
  /** For live readers only: handed to followers, neither logged nor given a position. */
  readonly ephemeral?: boolean | undefined
  /**
   * Number of its producer, whole and ≥ 1, where a channel has one producer at a time: the group is
   * refused with `fenced` where a greater one was given on the channel; a greater one than before is
   * remembered, for a day. Without it a draft is not asked who sends it.
   */
  readonly fence?: number | undefined
}

/** The log has accepted a draft. */
export interface Receipt {
  readonly channel: string
  /** Null for an ephemeral event. */
  readonly position: Position | null
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly duplicate: boolean
}

/** What a channel holds and hands to its followers, in order. */
export type Entry = EventEntry | EndEntry

interface Linked extends Position {
  readonly channel: string
  /** Order of the entry before this one on its channel; 0 where there was none or none is known. */
  readonly prev: number
}

/** An event. */
export interface EventEntry extends StoredEvent, Linked {
  readonly kind: 'event'
}

/** The channel's producer closed it: the last entry there is, until the channel is deleted. */
export interface EndEntry extends Linked {
  readonly kind: 'end'
  readonly reason: string | null
}

/** Where one channel is read from. */
export interface ReadRequest {
  readonly channel: string
  /** Entries with a larger order are wanted. */
  readonly after: number
}

/** A part of a channel that can't be given any more. */
export interface Gap {
  readonly reason: GapReason
  /** The newest entry that is missing or may be missing; what was kept begins after it. */
  readonly floor: Position
  /** Where it is known that everything up to a later position than the one read from was given: that one. */
  readonly since?: Position | undefined
}

/** What one channel gave. */
export interface ChannelRead {
  readonly channel: string
  /** The first entries after `max(after, gap.floor)`, in order, without a hole among them. */
  readonly entries: readonly Entry[]
  /** Whether `entries` reaches to the snapshot: nothing on this channel is later. */
  readonly complete: boolean
  /** Present where continuity from `after` can't be proved. */
  readonly gap?: Gap | undefined
  /** The channel is closed; its end may no longer be among the entries. */
  readonly closed?: { readonly position: Position; readonly reason: string | null } | undefined
}

export interface ReadResult {
  /** The partition's last position at the moment of reading. */
  readonly snapshot: Position
  /** One for each request, in the requests' order. */
  readonly channels: readonly ChannelRead[]
}

/** Where a stream begins that has no cursor. */
export type Start =
  /** after everything there is */
  | { readonly from: 'latest' }
  /** with the first event that is kept */
  | { readonly from: 'earliest' }
  /** with the last `count` events of each channel */
  | { readonly from: 'count'; readonly count: number }
  /** with what came in the last `ms` milliseconds */
  | { readonly from: 'age'; readonly ms: number }

/** Whether a position that somebody presents was given out by this log. */
export type Standing =
  /** `position`: with its tag, where it was asked for `BY_CLOCK`, and not after the last. */
  | { readonly known: true; readonly position?: Position }
  /**
   * `lost`: its process is known, the position lies beyond what the store kept of it.
   * `unknown`: never given out by this store as it is now.
   * `resume`: where reading goes on. A `lost` one at the beginning of what was written after the loss,
   * which may be an earlier order than its own where clocks differ; an `unknown` one at the birth of the
   * store where it is older than that (so that what was published since a restart is not skipped), else
   * at the end.
   */
  | { readonly known: false; readonly reason: 'lost' | 'unknown'; readonly resume: Position }

/** Facts about a channel that exists. */
export interface ChannelInfo {
  readonly channel: string
  /** Null where no event is held. */
  readonly first: Position | null
  readonly last: Position | null
  readonly events: number
  /** Bytes of data held, as far as the store can tell at little cost. */
  readonly bytes: number
  readonly closed: boolean
}

/**
 * What a log tells the gateway. Called in the order in which things took effect, never from inside
 * a call that the gateway made of the log's reading side.
 */
export interface LogListener {
  /**
   * The next entry of a followed channel. Contiguous per channel (`prev` is the order of the entry
   * handed over before it) and increasing over a partition, from the moment `follow` resolved until
   * a `hole` or `interrupted` says otherwise. An entry may be handed over twice, never out of order.
   */
  entry(entry: Entry): void
  /** An ephemeral event of a followed channel. */
  ephemeral(event: EphemeralEvent): void
  /** The channel's entries up to and including order `upTo` were removed on purpose. */
  deleted(channel: string, upTo: number): void
  /**
   * Entries of the channel after order `seen` were missed, or the store has learned that it lost some:
   * whoever follows reads on from there, which gives the entries or a gap.
   */
  hole(channel: string, seen: number): void
  /**
   * The connection that feeds this partition's followers is gone: `follow` must be awaited anew. What
   * comes after it may be of a store that lacks what was handed over before: positions are to be judged
   * by `locate` again.
   */
  interrupted(partition: number): void
  /** Every entry up to here, on the followed channels, has been handed over. */
  verified(partition: number, position: Position): void
  /** Sockets that the latest deliveries went to: whether a turn is long that hands entries over. Default 0. */
  readonly fanOut?: number
}

/** How many of a channel's events are kept. */
export interface Retention {
  /** Events. */
  readonly maxEvents: number
  /** Milliseconds. An older event is not given out any more. */
  readonly maxAge: number
}

export interface Log {
  /** Fixed for the life of the stored data. */
  readonly partitions: number
  /** 0 … partitions − 1; the same for ever. */
  partitionOf(channel: string): number

  /** Connects. Called once, before everything else. Rejects where the store can't be used at all. */
  start(listener: LogListener): Promise<void>
  /** Lets go of everything; appends under way are settled first. */
  stop(): Promise<void>
  /** Undefined while the store can be read, written and followed; else what is wrong. */
  fault(): string | undefined

  /**
   * Appends a group in its order. Groups take effect in the order of the calls. Nothing of the group
   * is appended where a draft comes from an older producer (`fenced`; it isn't even told of its own
   * events by their keys), one of its channels is closed (`channel_closed`), a key was used for another
   * event (`key_conflict`), or too much is waiting (`overloaded`): the group is refused as a whole,
   * as far as one partition reaches, and raises no fence. Resolves once the store has accepted all of
   * it, as durably as the store does that. Rejects with `log_unavailable` where the outcome is unknown,
   * within 2 s.
   * Followers may hear of an entry before the promise resolves.
   */
  append(group: readonly Draft[]): Promise<Receipt[]>
  /**
   * Appends the end of a channel. Resolves with it; the same end again where it is closed already.
   * `fence` as with a draft.
   */
  close(channel: string, reason: string | null, fence?: number): Promise<EndEntry>
  /**
   * Shuts out the producers before this one without appending: a take-over doesn't wait for its first
   * event. Takes its turn among the appends. Rejects with `fenced` where a greater one was given.
   */
  fence(channel: string, fence: number): Promise<void>
  /** Removes the entries and the end; positions and fences go on. False where there was nothing. */
  delete(channel: string): Promise<boolean>

  /**
   * Reads channels of one partition, all at one moment: at least one entry, and about `limit` entries
   * at the most, for each channel that has any. Appends acknowledged before the call are seen.
   */
  read(partition: number, requests: readonly ReadRequest[], limit: number): Promise<ReadResult>
  /**
   * Where channels of one partition begin: for each the order after which reading starts, so that
   * the entries asked for follow and begin without a gap. `position` is where a cursor stands that has
   * none of them yet: the least of the starts (for `latest` the partition's last position).
   */
  seek(
    partition: number,
    channels: readonly string[],
    start: Start,
  ): Promise<{ readonly position: Position; readonly starts: readonly number[] }>
  /** Judges a position that a client presents. */
  locate(partition: number, position: Position): Promise<Standing>
  /** Undefined where the channel is not known. */
  info(channel: string): Promise<ChannelInfo | undefined>

  /**
   * Hands a channel's entries to the listener from now on. Resolves once every later append is sure
   * to come (or `interrupted` is called). Following twice is following once; after `interrupted` it
   * resolves when the channel is followed again, which the log does by itself.
   */
  follow(channel: string): Promise<void>
  unfollow(channel: string): void
  /**
   * Newest position up to which the followed channels of a partition are known to have been handed
   * over. For a stream that is live it is a cursor without anything missing.
   */
  position(partition: number): Position
  /**
   * How far the followers have been told: every entry after this order, on a channel whose `follow`
   * has resolved, is still to be handed over. A read may be ahead of it, where entries travel on
   * another road than answers do; what it shows beyond is not for followers yet.
   */
  frontier(partition: number): number
}
