/**
 * Candidates that came before the description they belong to. What ties them is the ICE user fragment
 * (RFC 8839 § 5.4): each description names its own, each candidate the one it was gathered for. So
 * candidates of an offer that was ignored, or taken back, never reach the browser, whose only answer to
 * a stray one is an error.
 */

/** What a signal `candidates` says. */
export interface CandidateBatch {
  /** Connection of the sender. */
  readonly connection: string
  readonly ufrag: string
  /** A last null: there are no more. */
  readonly candidates: readonly (RTCIceCandidateInit | null)[]
}

/** Batches that may wait; the oldest gives way. */
const MAX_HELD = 50

/** User fragments in a description. */
export function ufragsOf(sdp: string): ReadonlySet<string> {
  return new Set([...sdp.matchAll(/^a=ice-ufrag:(\S+)/gm)].map(([, ufrag]) => ufrag!))
}

export interface HeldCandidates {
  /** What came; gives back what can be applied now. */
  take(batch: CandidateBatch): CandidateBatch[]
  /** The peer's description is now this one, of this connection; gives back what waited for it. */
  describe(connection: string, sdp: string): CandidateBatch[]
}

export function createHeldCandidates(): HeldCandidates {
  let connection: string | undefined
  let ufrags: ReadonlySet<string> = new Set()
  let held: CandidateBatch[] = []
  const fits = (batch: CandidateBatch) => batch.connection === connection && ufrags.has(batch.ufrag)

  return {
    take(batch) {
      if (fits(batch)) return [batch]
      held = [...held, batch].slice(-MAX_HELD)
      return []
    },
    describe(ofConnection, sdp) {
      connection = ofConnection
      ufrags = ufragsOf(sdp)
      const ready = held.filter(fits)
      // The rest belongs to offers that were ignored, or to a connection that is no more.
      held = []
      return ready
    },
  }
}
