/** From a verified token to an identity. */
import { MAX_SUBJECT_LENGTH } from '../limits.js'
import { SluiceError } from '../wire/errors.js'
import type { Identity } from './identity.js'
import { compileRights, RightsFault } from './rights.js'
import type { Claims } from './tokens.js'

/** Throws `token_invalid` where its rights can't be understood: a typo must not pass for "nothing". */
export function identityOf({ subject, expires, jti, claim }: Claims): Identity {
  if (subject !== undefined && subject.length > MAX_SUBJECT_LENGTH) {
    const detail = `Its subject is longer than ${MAX_SUBJECT_LENGTH} characters`
    throw new SluiceError('token_invalid', { detail })
  }
  try {
    return { kind: 'token', subject, rights: compileRights(claim, subject), expires, jti }
  } catch (error) {
    if (!(error instanceof RightsFault)) throw error
    throw new SluiceError('token_invalid', { detail: `Its rights can’t be read: ${error.message}` })
  }
}
