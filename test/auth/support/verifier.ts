/** Verifiers on a clock of the test's own, and tokens for them. */
import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type CryptoKey, type JWTPayload, SignJWT } from 'jose'
import type { Test } from 'tap'
import { type Claims, createVerifier, type VerifierOptions } from '../../../src/auth/tokens.js'
import type { ErrorCode } from '../../../src/wire/errors.js'
import { createClock } from './clock.js'
import { createLog } from './log.js'

export const SECRET = 'a secret of at least thirty-two bytes'

/** A verifier that answers the claims, a new object for each token that it examines. */
export function verifier(t: Test, options: Partial<VerifierOptions<Claims>> = {}) {
  const clock = createClock()
  const log = createLog()
  const made = createVerifier<Claims>({
    secrets: [],
    publicKeys: [],
    jwksUrl: undefined,
    algorithms: undefined,
    issuers: [],
    audiences: [],
    claim: 'sluice',
    toleranceMs: 30_000,
    identify: (claims) => claims,
    logger: log,
    now: clock.now,
    later: clock.later,
    ...options,
  })
  t.teardown(() => made.stop())
  return {
    clock,
    log,
    start: made.start,
    stop: made.stop,
    /** As it is: perhaps synchronous. */
    raw: made.verify,
    /** Always asynchronous. */
    verify: async (token: string) => made.verify(token),
    /** Claims that count for an hour, with these changed; undefined leaves one out. */
    claims: (changes: object = {}): JWTPayload => {
      const now = clock.now() / 1000
      return { sub: 'alice', iat: now, exp: now + 3600, ...changes }
    },
  }
}

export type SigningKey = CryptoKey | KeyObject | Uint8Array

export const secretKey = (secret: string) => createSecretKey(secret, 'utf8')

/** A token, signed with whatever key and header one likes. */
export function sign(
  claims: JWTPayload,
  key: SigningKey | string = SECRET,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const signer = new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header })
  return signer.sign(typeof key === 'string' ? secretKey(key) : key)
}

/** A part of a token. */
export const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** What a refusal looks like; `detail` is a part of its text. */
export const refusal = (code: ErrorCode, detail?: RegExp) =>
  detail === undefined
    ? { name: 'SluiceError', code }
    : { name: 'SluiceError', code, message: detail }

export interface Pair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  readonly pem: string
}

function pair({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): Pair {
  return { publicKey, privateKey, pem: publicKey.export({ type: 'spki', format: 'pem' }) as string }
}

export const rsa = (modulusLength = 2048) => pair(generateKeyPairSync('rsa', { modulusLength }))
export const ec = (namedCurve = 'P-256') => pair(generateKeyPairSync('ec', { namedCurve }))
export const ed25519 = () => pair(generateKeyPairSync('ed25519'))

/** A key as a provider publishes it. */
export const jwk = ({ publicKey }: Pair, kid?: string, more: object = {}) => ({
  ...publicKey.export({ format: 'jwk' }),
  ...(kid !== undefined && { kid }),
  ...more,
})
