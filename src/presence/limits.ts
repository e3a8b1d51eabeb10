/** Presence's numbers, each with the accident that it stops. */

/** Happenings in one change of a document, and characters of what they say: one diff must not become a flood. */
export const BATCH = 500
export const BATCH_SIZE = 128 * 1024
/** Times that a change is tried where other gateways are first: with sixteen of them each has its turn. */
export const ATTEMPTS = 64
/** ms that what a gateway knows of a channel is kept after it was last asked. */
export const IDLE_MS = 30_000
/** ms in which whoever changed whether a channel is occupied tells it; then somebody else does. */
export const TELL_MS = 10_000
/** Turns that are remembered while they can't be told; of more the oldest pair is never told. */
export const MAX_UNTOLD = 8
/** ms until it is tried again to count somebody who was lost. */
export const AGAIN_MS = 2_000
