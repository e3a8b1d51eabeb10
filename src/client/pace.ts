/** How long the connection waits for what, in milliseconds unless it says otherwise. */
import { MAX_ASKED } from './timing.js'

/** A moment that doesn't come. */
export const NEVER = Number.MAX_VALUE
/** Until the first frame, or an event of our own, must have come through; or four times the way there and back. */
export const FIRST_FRAME_MS = 2_000
/** What is believed of the way there and back: as much at once, and as much ever. */
export const MIN_RTT_MS = 1_500
export const MAX_RTT_MS = 5_000
/** Silence of a stream that hasn't caught up: a scanner on the way holds back what came last. */
export const LIVE_MS = 4_000
/** Silence of a live stream after which it is compared with the log, once. */
export const CHECK_MS = 3_000
/** Heartbeats that may fail to come, and a half for the way, before a connection counts as dead. */
export const PATIENCE = 2.5
/** By how much a heartbeat may be late where the page was hidden and is seen again. */
export const SPARE_MS = 2_000
/** Seconds that a poll waits for news: the longest that the gateway allows. */
export const POLL_WAIT_S = 25
/** Between the beginnings of two polls: a busy channel is not one request per event. */
export const POLL_SPACING_MS = 300
/** Until streaming is tried again, and as much again by chance. */
export const PROBE_MS = 120_000
/** Between two tries where the browser says that there is no network. */
export const OFFLINE_MS = 30_000

/** Where the random part of a wait begins, how fast it grows, and where it stops. */
const SPREAD_MS = 500
const GROWTH = 1.5
const SPREAD_MS_MAX = 30_000

/**
 * What the server asked for, and on top of it full jitter: a thousand clients that were cut off at one
 * moment don't come back at one moment. Grows slowly at first, for most outages are a restart.
 */
export function backoff(asked: number, failures: number, random: () => number): number {
  const spread = Math.min(SPREAD_MS_MAX, SPREAD_MS * GROWTH ** failures)
  return Math.round(Math.min(asked, MAX_ASKED) + random() * spread)
}
