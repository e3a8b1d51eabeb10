/**
 * What the gateways of a deployment have to agree on beside the log: tickets, who owns a session, how
 * much somebody has used, who is kept out. The seam: `shared-memory.ts` for one process,
 * `shared-redis.ts` for many; `test/auth/shared-contract.ts` holds both to what stands here.
 *
 * Everything rejects with `log_unavailable` where the store can't be asked: a door that can't be judged
 * stays closed. Nothing is kept until it is back: whoever waits holds a request in memory.
 *
 * Ids of tickets and sessions are hashes, written in base64url. All other strings may hold any
 * characters, and no two different ones mean the same.
 */

/**
 * A rate: `amount` at once, and as many again in `ms`, refilled evenly. Both are whole numbers. `amount`
 * 0: no limit.
 */
export interface Rate {
  readonly amount: number
  /** Milliseconds in which the whole amount comes back. */
  readonly ms: number
}

/** What is kept out. */
export type RevocationKind = 'subject' | 'session' | 'jti'

export interface Revocation {
  readonly kind: RevocationKind
  /** A subject, the public id of a session, or the id of a token. */
  readonly value: string
  /** Until when, in ms since the epoch. 0: it was taken back. */
  readonly until: number
  /**
   * When it was said, in ms since the epoch: of two about the same the later one counts. The store sets
   * it, later than that of any earlier one about the same, for gateways' clocks differ.
   */
  readonly at: number
}

/** What a bucket gave. */
export interface Taken {
  /** Units given; 0 where the bucket is empty. Never between 0 and what was asked for as a minimum. */
  readonly granted: number
  /** Where nothing was given: milliseconds until it is worth asking again. */
  readonly retryMs: number
}

export type Redeemed =
  | { readonly kind: 'redeemed'; readonly record: string }
  /** Never issued, expired, or not redeemed in time. */
  | { readonly kind: 'unknown' }
  /** Another session has redeemed it. */
  | { readonly kind: 'taken' }

export interface SharedListener {
  /**
   * All revocations that count now (`until` in the future), whenever one was added or taken back. That
   * one has ended isn't told.
   */
  revocations(all: readonly Revocation[]): void
  /** A session's token was renewed somewhere. Whether this gateway has a live stream of the session. */
  renewed(session: string, renewal: string): boolean
}

export interface Shared {
  /**
   * Once, after the log's own start, and before anything else is asked. The listener hears of the
   * revocations there are before it resolves.
   */
  start(listener: SharedListener): Promise<void>
  stop(): Promise<void>
  /** Undefined while it can be asked and revocations are heard of; else what is wrong. */
  fault(): string | undefined

  /**
   * Keeps a ticket. `id`: a hash of it, so that the store never holds what opens a stream. Not redeemed
   * by `redeemBy` it is gone; redeemed, it lives until `expires`, 30 days at the most. Both in ms since
   * the epoch, by the clock of this gateway. Issued again under the same id it is a new one, which
   * nobody has redeemed.
   */
  issueTicket(id: string, record: string, redeemBy: number, expires: number): Promise<void>
  /** Binds a ticket to the first session that comes with it; the same session may come again. */
  redeemTicket(id: string, session: string): Promise<Redeemed>

  /**
   * Makes `owner` the owner of a session that has none, and keeps it for `ms` from now on. Answers the
   * owner: somebody else's where it had one.
   */
  claimSession(session: string, owner: string, ms: number): Promise<string>
  /** Undefined where nobody has claimed it, or it was forgotten. */
  sessionOwner(session: string): Promise<string | undefined>

  /**
   * Takes units from a bucket that starts full. Where at least one whole unit is there, `atLeast` are
   * given, even if the bucket goes below zero by that (the next ones wait for longer: over time nobody
   * gets more than the rate), and up to `atMost` as far as it has them. Else nothing is. Both are whole
   * and at least 1. A bucket belongs to its rate: with another one it is another, and full.
   */
  take(bucket: string, rate: Rate, atLeast: number, atMost: number): Taken | Promise<Taken>

  /**
   * Its `at` isn't looked at. Resolves once the listener of this gateway has heard of it, and the others
   * that can be reached have been told; one that can't hears of it when it is back. Rejects with
   * `overloaded` where too many are in force.
   */
  revoke(revocation: Omit<Revocation, 'at'>): Promise<void>
  /**
   * Tells every gateway of a fresh token; whether one of them has a live stream of the session. It is
   * false as well where none has answered within 300 ms.
   */
  renew(session: string, renewal: string): Promise<boolean>
}
