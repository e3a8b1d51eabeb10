/** The numbers of the store of runs, each with the accident that it stops. */

/** Ended runs kept in memory, the newest: without an upstream's events each is some 500 bytes. */
export const ENDED = 100_000
/** Characters of their texts kept in memory: 100,000 of the largest would be 100 GB. */
export const TEXTS = 32 * 1024 * 1024
/** Idempotency keys kept in memory, the newest. */
export const KEYS = 100_000
/** ms between two looks through all that is kept in memory for what may be forgotten: some 3 ms each. */
export const SWEEP_EVERY = 1000
/** Renewals in one call: each takes 10 to 20 µs of Redis's only thread, and appends wait behind them. */
export const RENEWALS_PAGE = 200
/** Stops in one answer, the newest: those that nobody obeys must not fill the wire four times a second. */
export const STOPS = 1000
/** ms between two looks for stops: a generation nobody wants any more is paid for by the token. */
export const LOOK_EVERY = 250
