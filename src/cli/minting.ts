/** Signs a token, and has it judged as the gateway would. */
import { SignJWT } from 'jose'
import type { Identity } from '../auth/identity.js'
import { readSecret } from '../auth/keys.js'
import type { RightsClaim } from '../auth/rights.js'
import { identityOf } from '../auth/token-identity.js'
import { createVerifier } from '../auth/tokens.js'
import { silentLogger } from '../logger.js'
import { SluiceError } from '../wire/errors.js'
import { UsageError } from './command.js'
import type { TokenSettings } from './token-settings.js'

export interface TokenContents {
  readonly subject: string | undefined
  readonly jti: string | undefined
  readonly rights: RightsClaim
  /** What it says of its bearer to others; JSON text. */
  readonly info?: string | undefined
  readonly ttlMs: number
}

export interface Minted {
  readonly token: string
  /** Who its bearer is to the gateway. */
  readonly identity: Identity
}

/** `now`: ms since the epoch. Throws a UsageError where the gateway would refuse the token. */
export async function mint(
  settings: TokenSettings,
  { subject, jti, rights, info, ttlMs }: TokenContents,
  now: number,
): Promise<Minted> {
  const { secret, algorithms, issuer, audience, claim } = settings
  const { key, algorithms: fitting } = readSecret(secret)
  const alg = fitting.find((name) => algorithms?.includes(name) ?? true) ?? 'HS256'
  const payload = {
    [claim]: { ...rights, ...(info !== undefined && { info: JSON.parse(info) as unknown }) },
    ...(subject !== undefined && { sub: subject }),
    ...(jti !== undefined && { jti }),
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience }),
    // Whole seconds, rounded up: it lasts for as long as was asked.
    ...{ iat: Math.floor(now / 1000), exp: Math.ceil((now + ttlMs) / 1000) },
  }
  const token = await new SignJWT(payload).setProtectedHeader({ alg, typ: 'JWT' }).sign(key)
  try {
    const verifier = createVerifier<Identity>({
      ...{ secrets: [secret], publicKeys: [], jwksUrl: undefined, algorithms, claim },
      issuers: issuer === undefined ? [] : [issuer],
      audiences: audience === undefined ? [] : [audience],
      toleranceMs: 0,
      identify: identityOf,
      logger: silentLogger,
      now: () => now,
    })
    const identity = await verifier.verify(token)
    verifier.stop()
    return { token, identity }
  } catch (error) {
    // Without its advice, which is for those who got a token from somebody else.
    const words = (error instanceof SluiceError && error.detail) || (error as Error).message
    throw new UsageError(`the gateway would refuse it: ${words}`)
  }
}
