/** Numbers of members, with what they are weighed against. */

/**
 * ms that a member is believed to live without a sign of life, before its grace begins: what a gateway that
 * dies adds to it. A third of it is the time between two signs, so that two of them may be lost.
 */
export const LEASE_MS = 15_000
/** ms between two looks for members whose lease is over: how much later than its end they are gone. */
export const BEAT_MS = 1000
/** Members handed out by one look; where there are more, the next look follows at once. */
export const SWEEP_MEMBERS = 200
/** ms that whoever found a member has to remove it: two appends' time-outs, before another gateway tries. */
export const CLAIM_MS = 5000
