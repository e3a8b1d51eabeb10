/** The numbers of sessions, each with what it is for. */

/** ms until a session that couldn't be followed is tried again. */
export const RETRY_MS = 1_000
/** ms that a change waits for another gateway to say that the stream has it. */
export const APPLY_MS = 2_000
/** Channels beyond those of its newest URL that may be noted as taken away from a session. */
export const SPARE = 100
