/** The numbers of runs, each with the accident that it stops. */

/** ms after its last sign of life at which a producer counts as gone. */
export const LEASE_MS = 15_000
/** ms between signs of life: two may be lost. */
export const RENEW_MS = 5_000
/** ms between two looks for runs whose producer is gone: with the lease, readers hear of it within 20 s. */
export const SWEEP_MS = 2_000
/** Runs that one look takes over, so that a node that comes back doesn't take a thousand at once. */
export const SWEEP_RUNS = 50
/** ms that a record outlives its run: a reader who comes a week later gets an end, not a spinner. */
export const KEEP_MS = 7 * 24 * 3_600_000
/** ms that an idempotency key stands for its run. */
export const KEYED_MS = 24 * 3_600_000
/** Events that are read at once where a run is put together from the log. */
export const PAGE = 500
/** ms that a producer has to end a run that somebody stopped; then whoever was asked ends it. */
export const STOP_MS = 700
/** ms between two tries to get hold of a run again after the log was away, and how long that goes on. */
export const REGAIN_MS = 250
export const REGAIN_FOR_MS = 60_000
