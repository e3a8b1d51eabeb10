/** The hub's numbers, each with the accident that it stops. */

/** Milliseconds a reader may take nothing at all before it is closed: a stuck tab, a dead peer. */
export const SLOW_MS = 60_000
/** Milliseconds a stream that has said goodbye may take to read it. */
export const LINGER_MS = 10_000
/** Milliseconds a channel stays followed after its last reader left: reconnects come in that time. */
export const IDLE_CHANNEL_MS = 30_000
/** Bytes of encoded frames kept for all channels of a node together. */
export const PAGE_BUDGET = 32 * 1024 * 1024
/** Milliseconds that clients wait before they open again, give or take half of it: a cut of many streams must not become a storm. */
export const RETRY_MS = 2_000
/** Milliseconds an opening waits for the log before the head leaves without it. */
export const OPENING_MS = 1_000
