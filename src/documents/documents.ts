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
 * All times are the store's own; durations are whole ms and at least 1. Everything rejects with
 * `log_unavailable` where the store can't be asked: whether a change had its effect is not known then.
 */
import type { Draft, Receipt } from '../log/log.js'
import type { Position } from '../wire/position.js'

export interface Document {
  /** 0: there is none. Grows with each change, and never names two states of one name. */
  readonly version: number
  /** The store doesn't look at values. */
  readonly fields: ReadonlyMap<string, string>
  /** Members whose connection is gone, and whose grace runs. */
  readonly away: ReadonlySet<string>
  /** The partition's last position at the moment of reading: the document is true at it. */
  readonly position: Position
}

/** More time for a member; `ms` 0 ends its lease. */
export interface Lease {
  readonly member: string
  /** From now on. */
  readonly ms: number
  /** Its connection is gone: this is its grace. Default false. */
  readonly away?: boolean
}

export interface Change {
  /** What it was computed from. */
  readonly version: number
  /** Fields by name; null removes one. A document without fields is none. Without `set` the version stays. */
  readonly set?: Readonly<Record<string, string | null>>
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
}

export type Changed =
  | {
      readonly kind: 'changed'
      readonly version: number
      /** One for each draft. */
      readonly receipts: readonly Receipt[]
      /** The partition's last position after the change. */
      readonly position: Position
      /** Of those that were asked about. */
      readonly away: ReadonlySet<string>
    }
  /** The document is another one by now. Nothing was changed. */
  | { readonly kind: 'conflict' }
  /** A lease that was to be over isn't. Nothing was changed. */
  | { readonly kind: 'alive' }
  /** Messages before `first` are missing: `last` was the last one taken. Nothing was changed. */
  | { readonly kind: 'sequence'; readonly last: number }

export interface Renewal extends Lease {
  readonly name: string
}

export interface Documents {
  read(name: string): Promise<Document>
  /** Rejects as `Log.append` does where a draft is refused; nothing was changed then. */
  change(name: string, change: Change): Promise<Changed>
  /** Signs of life; `lost`: there is no such lease any more. */
  renew(renewals: readonly Renewal[]): Promise<readonly ('held' | 'lost')[]>
  /**
   * Leases that are over, the oldest first, over all partitions; each is put off by `claimMs`, so that it
   * is found again only where whoever found it does nothing.
   */
  overdue(
    limit: number,
    claimMs: number,
  ): Promise<readonly { readonly name: string; readonly member: string }[]>
}
