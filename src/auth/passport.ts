/** An identity as a text, for what other gateways must know of it: tickets, and tokens that were renewed. */
import type { Identity, IdentityKind } from './identity.js'
import { compileRights, type RightsClaim } from './rights.js'

interface Passport {
  readonly subject: string | undefined
  readonly claim: RightsClaim
  /** ms since the epoch; null: never. */
  readonly expires: number | null
  readonly jti: string | undefined
  readonly info?: string | undefined
}

export function writeIdentity({ subject, rights, expires, jti, info }: Identity): string {
  const finite = expires === Number.POSITIVE_INFINITY ? null : expires
  const passport: Passport = { subject, claim: rights.claim, expires: finite, jti, info }
  return JSON.stringify(passport)
}

export function readIdentity(text: string, kind: IdentityKind): Identity {
  const { subject, claim, expires, jti, info } = JSON.parse(text) as Passport
  return {
    kind,
    subject,
    // The subject was put in when the claim was first compiled.
    rights: compileRights(claim, undefined),
    expires: expires ?? Number.POSITIVE_INFINITY,
    jti,
    info,
  }
}
