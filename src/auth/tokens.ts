/**
 * Tokens (RFC 7519), verified. jose does it asynchronously, in some 100 µs; a backend sends the same token
 * with each request, so what was verified is remembered by the token's text, and asking again is a
 * look-up in a map. Failures are not remembered: whoever guesses never sends the same one twice, and
 * would only push out those that count.
 */
import { MAX_TOKEN_LENGTH } from '../limits.js'
import type { Logger } from '../logger.js'
import { SluiceError } from '../wire/errors.js'
import { type Claims, invalid, readClaims } from './claims.js'
import { createGenerations } from './generations.js'
import { createJwks, type Later } from './jwks.js'
import { acceptedAlgorithms, PUBLIC_KEY_ALGORITHMS, readPublicKey, readSecret } from './keys.js'
import { type Ask, createOutgoing } from './outgoing.js'
import { createSignatures } from './signatures.js'

export type { Claims } from './claims.js'

export interface VerifierOptions<T> {
  /** For HS256, HS384 and HS512; several at once, so that one can follow the other. */
  readonly secrets: readonly string[]
  /** PEM, each a public key (SPKI) or a certificate (X.509): for RS, PS, ES and EdDSA. */
  readonly publicKeys: readonly string[]
  /** Where more such keys are published. */
  readonly jwksUrl: string | undefined
  /** Undefined: those that fit the keys. */
  readonly algorithms: readonly string[] | undefined
  /** One of them must be the token's `iss`. Empty: any. */
  readonly issuers: readonly string[]
  /** One of them must be in the token's `aud`. Empty: any. */
  readonly audiences: readonly string[]
  /** The name of the claim that holds the rights. */
  readonly claim: string
  /** How far the clock of whoever signs may be off, in ms. */
  readonly toleranceMs: number
  /** What a token stands for; remembered with it. May throw a SluiceError. */
  readonly identify: (claims: Claims) => T
  readonly logger: Logger
  /** ms since the epoch. Default: Date.now. */
  readonly now?: () => number
  /** Default: connections of its own. */
  readonly ask?: Ask
  /** Default: timers that don't keep the process alive. */
  readonly later?: Later
}

export interface Verifier<T> {
  /**
   * What the token stands for; synchronous where it is known. Throws or rejects with `token_invalid`,
   * `token_expired`, or, where the keys couldn't be fetched, `authorization_unavailable`.
   */
  verify(token: string): T | Promise<T>
  /** Resolves after the first attempt to fetch keys. A failure is logged, and it goes on trying. */
  start(): Promise<void>
  stop(): void
}

/** Tokens remembered: with 500 characters each some 10 MB. */
const REMEMBERED = 10_000

/** Throws an Error that names the fault where a key can't be used, or the algorithms fit no key. */
export function createVerifier<T>(options: VerifierOptions<T>): Verifier<T> {
  const { jwksUrl, toleranceMs, now = Date.now } = options
  const known = createGenerations<{ readonly value: T; readonly until: number }>(REMEMBERED)
  const underWay = new Map<string, Promise<T>>()
  /** Counts the sets of fetched keys. */
  let sets = 0

  const keys = [...options.secrets.map(readSecret), ...options.publicKeys.map(readPublicKey)]
  const fitting = keys.flatMap(({ algorithms }) => algorithms)
  if (jwksUrl !== undefined) fitting.push(...PUBLIC_KEY_ALGORITHMS)
  const accepted = acceptedAlgorithms([...new Set(fitting)], options.algorithms)
  const outgoing = createOutgoing()
  const jwks =
    jwksUrl === undefined
      ? undefined
      : createJwks({
          url: jwksUrl,
          ask: options.ask ?? outgoing.ask,
          logger: options.logger,
          ...(options.later && { later: options.later }),
          changed() {
            sets++
            known.clear()
          },
        })
  const open = createSignatures({ ...options, keys, jwks, accepted, now })

  async function examine(token: string): Promise<T> {
    const before = sets
    const payload = await open(token)
    // What opened it may be a key that is gone meanwhile.
    if (sets !== before) return examine(token)
    const claims = readClaims(payload, options.claim)
    const value = options.identify(claims)
    known.set(token, { value, until: claims.expires + toleranceMs })
    return value
  }

  return {
    verify(token) {
      const met = known.get(token)
      if (met !== undefined) {
        if (now() < met.until) return met.value
        known.delete(token)
        throw new SluiceError('token_expired')
      }
      if (token.length > MAX_TOKEN_LENGTH) {
        throw invalid(`It is longer than ${MAX_TOKEN_LENGTH} characters`)
      }
      const shared = underWay.get(token)
      if (shared !== undefined) return shared
      const examined = examine(token).finally(() => underWay.delete(token))
      underWay.set(token, examined)
      return examined
    },
    async start() {
      await jwks?.start()
    },
    stop() {
      jwks?.stop()
      outgoing.close()
      known.clear()
    },
  }
}
