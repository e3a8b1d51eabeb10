/** The numbers of rooms, each with the accident that it stops. */

/** Participants of a room at most, and where nobody has set less: a mesh of more helps nobody, and a document has an end. */
export const MAX_PARTICIPANTS = 1_000
/** Bytes of what a participant, or a room, says about itself: everybody who joins gets all of it. */
export const DATA_BYTES = 4 * 1024
/** Those whom a room names as moderators. */
export const MAX_MODERATORS = 100
/** Who is kept out of a room at one time; the oldest is let in again. */
export const MAX_BANS = 200
/** ms that somebody is kept out at most: as long as an empty room is remembered. */
export const MAX_BAN_MS = 24 * 3_600_000
/** ms that a room without participants is remembered whose rules somebody has set. */
export const KEEP_MS = 24 * 3_600_000
/** Signals in one request. */
export const MAX_SIGNALS = 100
/** Bytes of one signal's data. SDP of a call with many tracks has some tens of KiB. */
export const SIGNAL_BYTES = 64 * 1024
/** ICE candidates in one signal. */
export const MAX_CANDIDATES = 100
/** Characters of a message's id, and of a signal's type. */
export const MAX_MESSAGE_ID = 64
export const MAX_TYPE = 64
/** ms after which somebody else says goodbye for a gateway that has begun to and died. */
export const FAREWELL_MS = 10_000
/** ms that a socket may have been dead before its end was noticed: what was written to it then may not have arrived. */
export const HALF_OPEN_MS = 60_000
/** ms that a lease may be over before it is found: a claim of a gateway that died, a store that was away. */
export const LATE_MS = 120_000
/** ms for which a signal may still have been on its way when its addressee, whose stream was alive, left. */
export const ON_ITS_WAY_MS = 5_000
