/** From a verified token to an identity. */
import { MAX_SUBJECT_LENGTH } from '../limits.js'
import { SluiceError } from '../wire/errors.js'
import type { Identity } from './identity.js'
import { splitClaim } from './info.js'
import { compileRights, RightsFault } from './rights.js'
import type { Claims } from './tokens.js'

/** ms: an `exp` in milliseconds, taken for seconds, lies some 50,000 years ahead. */
const LONGEST_MS = 10 * 365 * 24 * 3_600_000

/** Throws `token_invalid` where its rights can't be understood: a typo must not pass for "nothing". */
export function identityOf({ subject, expires, jti, claim }: Claims): Identity {
  if (subject !== undefined && subject.length > MAX_SUBJECT_LENGTH) {
    const detail = `Its subject is longer than ${MAX_SUBJECT_LENGTH} characters`
    throw new SluiceError('token_invalid', { detail })
  }
  if (jti !== undefined && jti.length > MAX_SUBJECT_LENGTH) {
    const detail = `Its jti is longer than ${MAX_SUBJECT_LENGTH} characters, and could not be revoked`
    throw new SluiceError('token_invalid', { detail })
  }
  if (expires > Date.now() + LONGEST_MS) {
    const detail = 'Its exp lies more than ten years ahead: it is in seconds since the epoch'
    throw new SluiceError('token_invalid', { detail })
  }
  try {
    const { rights, info } = splitClaim(claim)
    return { kind: 'token', subject, rights: compileRights(rights, subject), expires, jti, info }
  } catch (error) {
    if (!(error instanceof RightsFault)) throw error
    throw new SluiceError('token_invalid', { detail: `Its rights can’t be read: ${error.message}` })
  }
}
