/** One token against all keys: those written down, and those fetched. Remembers nothing. */
import {
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose'
import { SluiceError } from '../wire/errors.js'
import { faultOf, invalid, refusedAlgorithm } from './claims.js'
import type { Jwks } from './jwks.js'
import { type Key, PUBLIC_KEY_ALGORITHMS } from './keys.js'

export interface SignaturesOptions {
  readonly keys: readonly Key[]
  readonly jwks: Jwks | undefined
  /** Algorithms. None of them is tried with a key that isn't of its family. */
  readonly accepted: ReadonlySet<string>
  /** Empty: any. */
  readonly issuers: readonly string[]
  /** Empty: any. */
  readonly audiences: readonly string[]
  readonly toleranceMs: number
  readonly now: () => number
}

/** Seconds: a provider that is away isn't back at once. */
const RETRY_AFTER = 5

type AnyKey = Parameters<typeof jwtVerify>[1]

/** Three parts of base64url. jose takes spaces as well, and one token would have any number of texts. */
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]*$/

/** What reads a token's payload once its signature, times, issuer and audience are found good. */
export function createSignatures(
  options: SignaturesOptions,
): (token: string) => Promise<JWTPayload> {
  const { keys, jwks, accepted, now } = options
  const checks: JWTVerifyOptions = {
    requiredClaims: ['exp'],
    clockTolerance: options.toleranceMs / 1000,
    ...(options.issuers.length > 0 && { issuer: [...options.issuers] }),
    ...(options.audiences.length > 0 && { audience: [...options.audiences] }),
  }

  /** The payload, if one of these keys signed it. */
  async function open(
    token: string,
    alg: string,
    candidates: readonly AnyKey[],
  ): Promise<JWTPayload | undefined> {
    const check = { ...checks, algorithms: [alg], currentDate: new Date(now()) }
    for (const key of candidates) {
      try {
        return (await jwtVerify(token, key, check)).payload
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue
        // It can't be read at all, or the key signed it and it is refused all the same.
        if (error instanceof errors.JOSEError) throw faultOf(error)
        // A key that was fetched and can't be used, an RSA key of 1024 bits for example.
      }
    }
    return undefined
  }

  type Header = ProtectedHeaderParameters & { readonly alg: string }

  async function openFetched(token: string, header: Header): Promise<JWTPayload | undefined> {
    const { alg, kid } = header
    // HS with a key that everybody can fetch: the confusion again.
    if (jwks === undefined || !PUBLIC_KEY_ALGORITHMS.includes(alg)) return undefined
    let payload = await open(token, alg, await jwks.find(header))
    if (payload !== undefined || jwks.knows(kid)) return payload
    if (await jwks.lookAgain()) payload = await open(token, alg, await jwks.find(header))
    if (payload === undefined && !jwks.knows(kid) && jwks.state !== 'up') {
      // It may be signed with a key that can't be fetched. A 401 would end a login that is good.
      throw new SluiceError('authorization_unavailable', { retryAfter: RETRY_AFTER })
    }
    return payload
  }

  return async (token) => {
    const header = readHeader(token)
    const { alg } = header
    if (alg === undefined || !accepted.has(alg)) throw refusedAlgorithm(alg, accepted)
    const own = keys.filter(({ algorithms }) => algorithms.includes(alg)).map(({ key }) => key)
    const payload = (await open(token, alg, own)) ?? (await openFetched(token, { ...header, alg }))
    if (payload === undefined) throw invalid('Its signature fits none of the keys')
    return payload
  }
}

function readHeader(token: string): ProtectedHeaderParameters {
  if (!SHAPE.test(token)) throw invalid('It is not three parts of base64url, joined by dots')
  try {
    return decodeProtectedHeader(token)
  } catch {
    throw invalid('Its header can’t be read')
  }
}
