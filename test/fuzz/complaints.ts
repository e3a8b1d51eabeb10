/** What was found, by kind: all are counted, the first of each are kept whole. */

export type ComplaintKind =
  /** The gateway's process ended. */
  | 'died'
  /** What came back isn't HTTP/1.1. */
  | 'malformed'
  /** An answer that the protocol doesn't know, or an error that isn't a problem document. */
  | 'answer'
  /** A request that was right got no answer. */
  | 'unanswered'
  /** A connection that kept its request back was not closed. */
  | 'not closed'
  /** A line of the log that is an error, a stack, or somebody's secret. */
  | 'logged'
  /** /healthz didn't answer in time, while or after. */
  | 'unhealthy'
  /** A well-behaved client missed something, was refused, or was cut. */
  | 'bystander'
  /** A request inside another one's body was taken for one. */
  | 'smuggled'
  /** Descriptors, streams or memory that didn't come back. */
  | 'descriptors'
  | 'streams'
  | 'memory'

export interface Complaint {
  readonly kind: ComplaintKind
  readonly what: string
}

export interface Complaints {
  readonly count: number
  /** How many of each kind. */
  readonly kinds: ReadonlyMap<ComplaintKind, number>
  readonly kept: readonly Complaint[]
  add(kind: ComplaintKind, what: string): void
}

/** Of each kind. */
const KEPT = 6

export function createComplaints(onFirst: (complaint: Complaint) => void): Complaints {
  const kinds = new Map<ComplaintKind, number>()
  const kept: Complaint[] = []
  let count = 0
  return {
    get count() {
      return count
    },
    kinds,
    kept,
    add(kind, what) {
      count++
      const so = (kinds.get(kind) ?? 0) + 1
      kinds.set(kind, so)
      if (so === 1) onFirst({ kind, what })
      if (so <= KEPT) kept.push({ kind, what })
    },
  }
}
