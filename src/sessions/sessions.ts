/**
 * Which channels a session has, wherever its stream is: the seam between a stream and what puts channels
 * on it: its client (`PATCH /v1/sessions`), and rooms.
 */
import type { LeaveReason } from '../wire/control.js'
import type { Position } from '../wire/position.js'

/** A channel that is put on a session's stream. */
export interface Granted {
  readonly channel: string
  /** Where it begins: what comes after this position is the session's. */
  readonly at: Position
}

/** By what a session has a channel. */
export type Ground =
  /** Its token's rights, which are asked again at each opening. */
  | { readonly by: 'right' }
  /** It takes part in a room, as somebody, since a certain joining. */
  | {
      readonly by: 'room'
      readonly room: string
      readonly participant: string
      readonly incarnation: string
    }

export interface Sessions {
  /**
   * Puts channels on a session's stream and on those it reconnects with. Resolves once the stream that is
   * open has them (`live`), or it is known that none is. Rejects with `session_foreign` where the session is
   * another owner's; one that nobody has is claimed.
   */
  grant(
    session: string,
    owner: string,
    channels: readonly Granted[],
    ground: Ground,
  ): Promise<{ readonly live: boolean }>
  /**
   * Takes channels away that it has on this ground: the stream is told `stream.end` for each, with the
   * reason; where nothing is left on it, `stream.bye` with the same reason and a cursor that is answered 204.
   */
  withdraw(
    session: string,
    channels: readonly string[],
    reason: LeaveReason,
    ground: Ground,
  ): Promise<void>
}
