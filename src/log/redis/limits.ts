/** Every number of the log on Redis, with the accident that it stops. */

/** Events in one call: a call holds Redis's only thread, some 10 µs an event. */
export const BATCH_EVENTS = 512
/** Bytes of one call, for the same reason. A single group may be larger, for it can't be divided. */
export const BATCH_BYTES = 1024 * 1024
/** Events waiting to be sent: more than Redis takes in the two seconds that they may wait. */
export const QUEUE_EVENTS = 50_000
/** Bytes waiting to be sent: what a gateway's memory may lose to a Redis that is away. */
export const QUEUE_BYTES = 32 * 1024 * 1024
/** Sockets whose writing makes a turn long: some 7 µs each, together about a millisecond. */
export const LONG_FAN_OUT = 128
/** Channels in one SUBSCRIBE: one giant command of a reconnect would hold up everything behind it. */
export const SUBSCRIBE_BATCH = 512
/** Heads in one answer of the regular check. */
export const HEADS_PAGE = 1000
/** ms between two checks: how long a lost last message can stay unnoticed. */
export const CHECK_EVERY = 1000
/**
 * ms until an unanswered check is a dead connection. With the time between two checks it stays below
 * the 5 s in which a deaf gateway is to find out; longer than Redis's usual stalls of up to 3 s, which
 * need no new connections.
 */
export const CHECK_TIMEOUT = 3500
/** ms that a check may go unanswered before the log calls itself out of order. */
export const SILENCE = 1000
/** ms until an append is given up: the seam promises an answer within 2 s, and it has a way to go. */
export const APPEND_TIMEOUT = 1800
/** ms between attempts to connect: first, and at most. Short, for an append waits 2 s at the most. */
export const RECONNECT_DELAYS = { first: 50, most: 500 } as const
/** ms after which a connection has proved itself: those lost sooner are made anew at a slowing rate. */
export const STEADY = 250
/** ms between two questions where the masters are: how long one that was replaced but answers is used. */
export const FIND_EVERY = 1000
/** ms until a node or sentinel that doesn't say where the masters are is given up. */
export const FIND_TIMEOUT = 700
/** ms until a subscription that was refused for now is tried again. */
export const SUBSCRIBE_RETRY = 250
/** ms between sendings of a batch that Redis refuses for now (loading, out of memory, moving). */
export const RETRY_DELAY = 50
/** ms between two lines of the log about appends that are refused. */
export const QUIET = 10_000
/** ms from TCP to ready. A frozen process still accepts connections: its kernel does. */
export const HANDSHAKE_TIMEOUT = 1500
/** ms that a start waits for Redis. */
export const START_TIMEOUT = 5000
/** Longest age in ms, where a rule says "for ever": a hundred years keep orders exact. */
export const MAX_AGE = 100 * 365 * 24 * 3600 * 1000
/** Bytes that Redis should hold for a follower: at 20 MB/s its default is a stall of 1.6 s. */
export const FOLLOWER_BUFFER = 256 * 1024 * 1024
/** Bytes of replication that a master should remember: its default of 1 MiB is less than a busy second. */
export const REPLICATION_BACKLOG = 16 * 1024 * 1024
/** Channels that a gateway remembers the newest position of, for the time that replication may lag. */
export const WITNESSED_CHANNELS = 50_000
/** ms after which half of that memory goes. */
export const WITNESS_TIME = 15_000
/** ms between a gateway's signs of life. */
export const ATTEND_EVERY = 1000
/** ms that a new epoch waits for those who may know what it lacks. */
export const WITNESS_PATIENCE = 10_000
/** Losses in one report: some 20 µs each of Redis's only thread. */
export const REPORT_CHANNELS = 500
/** ms that an append refused for a missing right counts for, where only questions were answered since. */
export const FORBIDDEN = 30_000
/** Channels with a loss that a line of the log names: a failover may take from thousands. */
export const NAMED_LOSSES = 5
