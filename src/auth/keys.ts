/**
 * The keys that the operator wrote down, and the algorithms that each is good for. A key is only ever
 * tried with its own family: a public key is no secret, so a token "signed" by HS256 with it would be
 * anybody's (the confusion of HS and RS).
 */
import { createPublicKey, type KeyObject } from 'node:crypto'

const SECRET = ['HS256', 'HS384', 'HS512']
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const CURVES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
}
/** Two names of the same (RFC 8037, RFC 9864). */
const EDWARDS = ['EdDSA', 'Ed25519']
/** RFC 7518, section 3.3: shorter ones MUST NOT be used, and jose doesn't. */
const MIN_RSA_BITS = 2048

/** Those of public keys. */
export const PUBLIC_KEY_ALGORITHMS: readonly string[] = [
  ...RSA,
  ...Object.values(CURVES).flat(),
  ...EDWARDS,
]
/** All that can be accepted; `none` is not among them. */
export const ALGORITHMS: readonly string[] = [...SECRET, ...PUBLIC_KEY_ALGORITHMS]

/** A key, as jose takes it. */
export interface Key {
  readonly key: Uint8Array | KeyObject
  readonly algorithms: readonly string[]
}

/** The bytes of a secret are those of its text in UTF-8. */
export function readSecret(secret: string): Key {
  if (secret === '') throw new Error('an empty secret is anybody’s')
  return { key: new TextEncoder().encode(secret), algorithms: SECRET }
}

/** Reads one public key or certificate in PEM. Throws an Error that says what is wrong with it. */
export function readPublicKey(pem: string): Key {
  // Node would take the public half of it. Whoever verifies has no business with the other one.
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw new Error('it is a private key; the gateway needs the public one')
  }
  // Node would read the first and say nothing of the others.
  if (pem.split('-----BEGIN ').length > 2) throw new Error('it holds several keys; name each alone')
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch (cause) {
    throw new Error('it is neither a public key nor a certificate in PEM', { cause })
  }
  return { key, algorithms: algorithmsOf(key) }
}

function algorithmsOf(key: KeyObject): readonly string[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0
    if (bits < MIN_RSA_BITS) throw new Error(`it has ${bits} bits; ${MIN_RSA_BITS} are needed`)
    return RSA
  }
  if (type === 'ed25519') return EDWARDS
  const algorithms = type === 'ec' ? CURVES[details?.namedCurve ?? ''] : undefined
  if (algorithms === undefined) {
    throw new Error('keys for tokens are of RSA, Ed25519, or the curves P-256, P-384 and P-521')
  }
  return algorithms
}

/** What is accepted: all that fits a key, or of that what the operator names. */
export function acceptedAlgorithms(
  fitting: readonly string[],
  named: readonly string[] | undefined,
): ReadonlySet<string> {
  if (named === undefined) return new Set(fitting)
  const unknown = named.find((name) => !ALGORITHMS.includes(name))
  if (unknown !== undefined) throw new Error(`"${unknown}" is not one of ${ALGORITHMS.join(', ')}`)
  const accepted = named.filter((name) => fitting.includes(name))
  if (accepted.length === 0 && fitting.length > 0) {
    throw new Error(`no key is good for ${named.join(', ')}; they are for ${fitting.join(', ')}`)
  }
  return new Set(accepted)
}
