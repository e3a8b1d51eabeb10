/** Who is calling, and what they may do. */
import type { Rights } from './rights.js'

export type IdentityKind =
  /** The gateway has no keys: everybody is the same nameless caller, who may do everything. */
  | 'open'
  /** A backend with an API key: may do everything, and is not limited. */
  | 'key'
  /** A verified token, from a header or a cookie. */
  | 'token'
  /** A redeemed ticket: what its token granted, on the ticket's channels. */
  | 'ticket'
  /** Nobody, with the rights that the configuration gives to nobody. */
  | 'anonymous'

export interface Identity {
  readonly kind: IdentityKind
  /** Stamped on events as `sender`. Undefined: nameless. */
  readonly subject: string | undefined
  readonly rights: Rights
  /** ms since the epoch from which on it counts no more; Infinity: never. */
  readonly expires: number
  /** The token's own id, by which it can be revoked. */
  readonly jti: string | undefined
  /** What its token says of it to others; JSON text of an object. */
  readonly info?: string | undefined
}
