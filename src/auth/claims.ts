/** What a verified token says, as far as the gateway reads it; what is wrong with one that isn't accepted. */
import { errors, type JWTPayload } from 'jose'
import { SluiceError } from '../wire/errors.js'
import { ALGORITHMS } from './keys.js'

export interface Claims {
  /** `sub`; undefined: nameless. */
  readonly subject: string | undefined
  /** `exp`, in ms since the epoch, without tolerance. */
  readonly expires: number
  /** `iat`, in ms since the epoch. */
  readonly issuedAt: number | undefined
  /** By which the token can be revoked. */
  readonly jti: string | undefined
  /** The claim that holds the rights, unread. Undefined: there is none. */
  readonly claim: unknown
  readonly all: Readonly<Record<string, unknown>>
}

/** ms since the epoch that a Date can hold (ECMA-262, 21.4.1.1): 1e999 is valid JSON, and Infinity. */
const MAX_TIME = 8.64e15

/**
 * `detail` never holds what stands in the token: it goes to whoever sent it, who may not be its owner.
 * Nor is jose's error kept as the cause, for it carries the whole payload, into whatever log.
 */
export function invalid(detail: string): SluiceError {
  return new SluiceError('token_invalid', { detail })
}

/** Reads a payload whose signature and times have been checked. `claim`: the name of that of the rights. */
export function readClaims(payload: JWTPayload, claim: string): Claims {
  const { sub, jti, exp, iat } = payload
  const expires = (exp ?? Number.NaN) * 1000
  if (!(Math.abs(expires) <= MAX_TIME)) throw invalid('Its exp is not a time')
  return {
    subject: name(sub, 'sub'),
    expires,
    issuedAt: iat === undefined ? undefined : iat * 1000,
    jti: name(jti, 'jti'),
    claim: Object.hasOwn(payload, claim) ? payload[claim] : undefined,
    all: payload,
  }
}

/** Empty ones are refused: that is what a backend sends whose variable wasn't set, for all its users. */
function name(value: unknown, claim: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw invalid(`Its ${claim} is not a string`)
  if (value === '') throw invalid(`Its ${claim} is empty`)
  return value
}

/** Why an algorithm isn't accepted: the names of those there are may be repeated, invented ones not. */
export function refusedAlgorithm(alg: unknown, accepted: ReadonlySet<string>): SluiceError {
  if (accepted.size === 0) return invalid('The gateway has no keys for tokens')
  if (alg === 'none') return invalid('It is not signed')
  const known = ALGORITHMS.find((name) => name === alg)
  if (known === undefined) return invalid('Its algorithm is none that is accepted here')
  return invalid(`It is signed with ${known}, which is not accepted here`)
}

/** What jose found wrong with a token whose signature it could judge. */
export function faultOf(error: unknown): SluiceError {
  if (error instanceof errors.JWTExpired) return new SluiceError('token_expired')
  if (error instanceof errors.JWTClaimValidationFailed) return invalid(claimFault(error))
  if (error instanceof errors.JWTInvalid) return invalid('Its payload is not a JSON object')
  if (error instanceof errors.JOSENotSupported) {
    return invalid('Its header asks for an extension that is not supported (crit)')
  }
  return invalid('It can’t be read as a signed token')
}

function claimFault({ claim, reason }: errors.JWTClaimValidationFailed): string {
  switch (claim) {
    case 'iss':
      return 'Its issuer (iss) is not the configured one'
    case 'aud':
      return 'Its audience (aud) is not the configured one'
    case 'nbf':
      return reason === 'invalid' ? 'Its nbf is not a number' : 'It is not valid yet (nbf)'
    case 'exp':
      return reason === 'missing' ? 'The token has no exp' : 'Its exp is not a number'
    default:
      return 'Its iat is not a number'
  }
}
