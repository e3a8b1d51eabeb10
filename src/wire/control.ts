/** Control events: what a stream is told about itself. Named, so a page that doesn't listen never sees them. */

/** Why continuity of a channel can't be proved. */
export type GapReason =
  /** more events than the channel keeps */
  | 'trimmed'
  /** older than the channel keeps */
  | 'expired'
  /** removed on purpose, by DELETE */
  | 'deleted'
  /** the store lost it */
  | 'lost'
  /** a cursor that this store never gave out: from elsewhere, from the future, from before a wipe */
  | 'unknown'
  /** it is there, but the reader's rights don't reach back so far */
  | 'withheld'

export const LEAVE_REASONS = [
  /** its client took it away */
  'removed',
  /** its participant left the room … */
  'left',
  /** … was away for too long … */
  'timeout',
  /** … was sent away … */
  'kicked',
  /** … came in again, in another session … */
  'replaced',
  /** … or the room was closed */
  'closed',
] as const

/** Why a channel that was put on a session left it. */
export type LeaveReason = (typeof LEAVE_REASONS)[number]

export const BYE_REASONS = [
  'draining',
  'max_age',
  'slow',
  'token_expired',
  'revoked',
  /** the store has lost what it knew of the session */
  'lost',
  ...LEAVE_REASONS,
] as const

/** Why the server ends a stream; by a channel's reason, where that was the last one on it. */
export type ByeReason = (typeof BYE_REASONS)[number]

/** Data of each control event. */
export interface ControlData {
  /** First of all: from here the replay starts. */
  'stream.ready': {
    /** Public id of the session, or of this stream where the client named no session. */
    readonly session: string
    readonly cursor: string
    /** False: started from live. */
    readonly resumed: boolean
    /** Milliseconds between signs of life. */
    readonly heartbeat: number
    readonly channels: readonly string[]
  }
  /** All channels are read up to here. */
  'stream.live': { readonly cursor: string }
  /** Nothing new. */
  'stream.heartbeat': { readonly cursor: string }
  /** Events after `after` and before `next` may be missing; everything from `next` on follows. */
  'stream.gap': {
    readonly channel: string
    /** Position up to which the channel was read; null where the cursor said nothing about it. */
    readonly after: string | null
    /** Position of the first event that follows, or the place where it will follow. */
    readonly next: string
    readonly reason: GapReason
  }
  /** The channel was closed by its producer, or is this session's no more. */
  'stream.end': { readonly channel: string; readonly reason: string | null }
  /** The token counts for a little longer only: a fresh one keeps the stream open. */
  'stream.expiring': {
    /** When the stream ends, in milliseconds since the epoch. */
    readonly expires: number
  }
  /** The server ends the stream. */
  'stream.bye': {
    readonly reason: ByeReason
    /** False: opening again would be refused. */
    readonly reconnect: boolean
    /** Milliseconds to wait before opening again. */
    readonly retry: number
  }
}

export type ControlName = keyof ControlData

/** A control event in the form that a long poll carries it. */
export type Control = {
  [N in ControlName]: { readonly event: N; readonly data: ControlData[N] }
}[ControlName]
