/** Every number of the roads in over Redis, with the accident that it stops. */

/** ms that a lease lasts without a renewal. With one question more it is moved within 5 s. */
export const LEASE = 3500
/** ms between renewals, and between questions of those who don't hold it. */
export const RENEW = 1000
/** ms between questions while a holder that leaves hands over. */
export const HANDOVER_ASK = 30
/** ms that a holder which leaves is waited for, and that it waits itself. */
export const HANDOVER = 2000
/** Raw messages in one append: an operation can't be divided later. */
export const CHUNK_EVENTS = 256
/** Characters of data in one append, for the same reason. */
export const CHUNK_SIZE = 512 * 1024
/** Raw messages that may wait for the log: publishers over HTTP share its queue with them. */
export const WAITING_EVENTS = 10_000
/** Characters of data that may wait. */
export const WAITING_SIZE = 8 * 1024 * 1024
/** ms between two lines about what is dropped. */
export const DROPS_EVERY = 10_000
/** Entries of the inbox that are taken at one time. */
export const TAKE_EVENTS = 512
/** Bytes of them. */
export const TAKE_BYTES = 1024 * 1024
/** ms that an empty inbox is waited on: the lease must be renewed meanwhile. */
export const BLOCK = 1000
/** ms between attempts while the log takes nothing: first, and at most. */
export const RETRY = { first: 50, most: 1000 } as const
/** Rejected entries that are kept, about. */
export const REJECTED_KEPT = 1000
/** Characters of a rejected entry's fields that are kept. */
export const REJECTED_FIELD = 10_000
/** Rejected entries of one batch that get a line of their own. */
export const REJECTED_LINES = 10
