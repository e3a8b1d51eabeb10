/**
 * Small shared state, and what is said about it: the seam. `memory.ts` for one process, `redis.ts` for
 * many; `test/documents/contract.ts` holds both to what stands here.
 *
 * A **document** is a hash with a version. It changes by compare-and-set, in one moment with appends to
 * channels of its partition: who reads the channel and who reads the document never disagree. What may
 * change, and how, are plain functions over a document; no store knows a rule.
 *
 *     read ─▶ compute ─▶ change ──▶ changed
 *      ▲                   │
 *      └──── conflict ◀────┘
 *
 * **Members** of a document hold leases. A lease that is over takes nothing from its member by itself:
 * whoever finds it (`overdue`) removes the member by a change of its own, which holds only if the lease is
 * over still. So a member leaves exactly once, however many gateways look.
 *
 * A document without fields is none: whoever removes the last one ends it, its leases, and what was counted
 * of its members. One that nobody changes and whose leases nobody renews for `KEEP_MS` is forgotten.
 *
 * Names are those of channels; fields and members any strings. All times are the store's own; durations are
 * whole ms and at least 1. Everything rejects with `log_unavailable` where the store can't be asked: whether
 * a change had its effect is not known then.
 */
import type { Draft, Receipt } from '../log/log.js'
import type { Position } from '../wire/position.js'

/** ms that a document is kept after its last change or renewal: a week, so that no failure leaks any. */
export const KEEP_MS = 7 * 24 * 3_600_000

export interface Document {
  /** Names this state of it, and no other one ever, of whichever store; 0: there is none. No order is in it. */
  readonly version: number
  /** The store doesn't look at values. */
  readonly fields: ReadonlyMap<string, string>
  /** Members whose connection is gone, and whose grace runs. It changes without the version. */
  readonly away: ReadonlySet<string>
  /** The partition's last position at the moment of reading: the document is true at it. */
  readonly position: Position
}

/** More time for a member. */
export interface Lease {
  readonly member: string
  /** From now on; 0 ends it, and forgets the member's sequence. */
  readonly ms: number
  /** Its connection is gone: this is its grace. Default false. */
  readonly away?: boolean
}

/** What is to become of a document, and what is said with it. All of it happens, or nothing. */
export interface Effect {
  /** Fields by name; null removes one. Without `set` the version stays. */
  readonly set?: Readonly<Record<string, string | null>>
  /** Of no effect where there is no document afterwards. */
  readonly leases?: readonly Lease[]
  /** Holds only where the leases of these members are over, or gone. */
  readonly overdue?: readonly string[]
  /** Numbered messages of a member: those from `first` to `last`, where all before `first` were taken. */
  readonly sequence?: { readonly member: string; readonly first: number; readonly last: number }
  /** Appended in the same moment, as `Log.append` does it with a group; channels of the document's partition. */
  readonly drafts?: readonly Draft[]
  /** Channels whose entries are removed in the same moment, after the drafts. */
  readonly deletes?: readonly string[]
  /** Members of whom the answer says whether they are away. */
  readonly ask?: readonly string[]
  /** It ends something, and leaves less than there was: a store that is full takes it all the same. */
  readonly frees?: boolean
}

export interface Change extends Effect {
  /** What it was computed from. */
  readonly version: number
  /**
   * What the version is afterwards: one of `createVersions`. Whoever says it can send the next change
   * before this one is answered: that one fails with `conflict` if this one fails. Default: the store's.
   */
  readonly becomes?: number
}

export type Changed =
  | Applied
  /** The document is another one by now. Nothing was changed. */
  | { readonly kind: 'conflict' }
  /** A lease that was to be over isn't. Nothing was changed. */
  | { readonly kind: 'alive' }
  /** Messages before `first` are missing: `last` was the last one taken. Nothing was changed. */
  | { readonly kind: 'sequence'; readonly last: number }

export interface Applied {
  readonly kind: 'changed'
  readonly version: number
  /** One for each draft. */
  readonly receipts: readonly Receipt[]
  /** The partition's last position after the change: the document, as it is now, is true at it. */
  readonly position: Position
  /** Of those that were asked about. */
  readonly away: ReadonlySet<string>
}

export interface Renewal extends Lease {
  readonly name: string
  /**
   * Who says so. Whoever says of a member that it is here has it from then on, and that it is away counts
   * from nobody else: a connection that was replaced through another gateway ends after its successor is
   * there. Default: of one that is here nothing but that, and the word of one that is away counts anyway.
   */
  readonly by?: string
}

/** A member of a document. */
export interface Membership {
  readonly name: string
  readonly member: string
}

export interface Documents {
  read(name: string): Promise<Document>
  /**
   * Changes of one caller take effect in the order of the calls, but for those that free while the store is
   * full. Rejects as `Log.append` does where a draft is refused; nothing was changed then.
   */
  change(name: string, change: Change): Promise<Changed>
  /**
   * Signs of life; `lost`: there is no such lease any more. What can't be asked is answered `held`: nobody
   * removes a member there, either. Rejects where nothing can be asked.
   */
  renew(renewals: readonly Renewal[]): Promise<readonly ('held' | 'lost')[]>
  /**
   * Leases that are over, the oldest first, over all partitions; each is put off by `claimMs`, so that it
   * is found again only where whoever found it does nothing.
   */
  overdue(limit: number, claimMs: number): Promise<readonly Membership[]>
}
