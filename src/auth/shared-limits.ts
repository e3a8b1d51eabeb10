/** Every number of what gateways share, with the accident that it stops. */

/** Tickets kept in memory: an operator's own pages have some thousands. */
export const TICKETS = 100_000
/** Bytes of all of them, some of what one takes beside its record: a flood costs no more. */
export const TICKET_BYTES = 64 * 1024 * 1024
export const TICKET_OVERHEAD = 300
/** Owners of sessions kept in memory. */
export const SESSIONS = 100_000
/** Buckets kept in memory: a name is somebody's subject or address, so anybody makes new ones. */
export const BUCKETS = 100_000
/** ms between two looks through all that is kept for what may be forgotten: some 3 ms each. */
export const SWEEP_EVERY = 1000
/** Verdicts remembered, in Redis and in memory: every gateway holds all of them. */
export const VERDICTS = 100_000
/** ms that a ticket without an end lasts: one of a caller that never expires must not stay for ever. */
export const LONGEST_TICKET = 30 * 24 * 3600 * 1000
/** Latest time that there is, in ms: an infinite one is no number to Redis. */
export const LATEST = 8.64e15
/** Verdicts in one call: reading one takes some 3 µs of Redis's only thread, being reminded of it 10. */
export const VERDICTS_PAGE = 500
/** ms between two questions for news about verdicts: how long a lost message can stay unnoticed. */
export const LOOK_EVERY = 1000
/** ms that a renewal waits for a gateway that has the session: a round trip, and a stall of a busy one. */
export const RENEWAL_TIMEOUT = 300
/** ms that a start waits for Redis, which the log has just reached. */
export const START_TIMEOUT = 5000
