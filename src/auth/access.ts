/**
 * Who is calling, what they may do, and for how long: the parts of the gateway's door put together.
 * Routes ask here and nowhere else.
 *
 *     request ─▶ identify ─▶ may / admit ─▶ spend ─▶ (seat, audience) while it lasts
 *                who          what           how much
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Logger } from '../logger.js'
import { SluiceError } from '../wire/errors.js'
import { createApiKeys } from './api-keys.js'
import { type Audience, createAudience } from './audience.js'
import { checkCookieSender, credentialsOf } from './credentials.js'
import { createHook, type Hook } from './hook.js'
import type { Identity } from './identity.js'
import { readIdentity } from './passport.js'
import { readingOf } from './reading.js'
import { createRevocations, type Revocations } from './revocations.js'
import { ALL_RIGHTS, compileRights, NO_RIGHTS, type RightsClaim, type Verb } from './rights.js'
import { createSeats, type Seats } from './seats.js'
import type { Shared } from './shared.js'
import { createSpending, type Spending, type SpendingOptions } from './spending.js'
import { createTickets, type Tickets } from './tickets.js'
import { identityOf } from './token-identity.js'
import { createVerifier } from './tokens.js'

export interface Access {
  /** False: there are no keys, and everybody may do everything. */
  readonly locked: boolean
  readonly tickets: Tickets
  readonly revocations: Revocations
  readonly audience: Audience
  readonly seats: Seats
  readonly spending: Spending
  /**
   * Who is calling. Synchronous where the token was seen before. Somebody without credentials is
   * `anonymous`. Throws where there are some and they don't count: nobody is quietly made anonymous.
   */
  identify(method: string, headers: IncomingHttpHeaders): Identity | Promise<Identity>
  /** Throws where an identity doesn't count any more: revoked meanwhile, or expired. */
  confirm(identity: Identity): void
  /**
   * Throws `forbidden` where one of the channels is not granted, the same for one that exists and one
   * that doesn't; for the nameless `token_missing`, for they may be somebody. Asks the hook as well,
   * where there is one.
   */
  admit(
    identity: Identity,
    verb: 'subscribe' | 'publish',
    channels: readonly string[],
    address: string,
  ): void | Promise<void>
  /** The hook's part of `admit`, for whoever has been demanded the rest already. */
  consult(
    identity: Identity,
    verb: 'subscribe' | 'publish',
    channels: () => readonly string[],
    address: string,
  ): void | Promise<void>
  /** Throws as `admit`, for what no hook is asked. Without channels: a right on everything. */
  demand(identity: Identity, verb: Verb, channel?: string): void
  start(): Promise<void>
  stop(): Promise<void>
}

/** What the operator has to say about it; `config/types.ts` has the words for each. */
export interface AccessSettings extends SpendingOptions {
  readonly apiKeys: readonly string[]
  readonly jwtSecrets: readonly string[]
  readonly jwtPublicKeys: readonly string[]
  readonly jwksUrl: string | undefined
  readonly jwtAlgorithms: readonly string[] | undefined
  readonly jwtIssuers: readonly string[]
  readonly jwtAudiences: readonly string[]
  readonly jwtClaim: string
  readonly jwtToleranceMs: number
  readonly cookie: string
  readonly anonymous: RightsClaim | undefined
  readonly authorizeUrl: string | undefined
  readonly authorizeKey: string | undefined
  readonly authorizeCacheMs: number
  readonly authorizeTimeoutMs: number
  readonly maxStreamsPerSubject: number
  readonly maxStreamsPerAddress: number
}

export interface AccessOptions {
  readonly settings: AccessSettings
  /** Whether callers must say who they are. */
  readonly locked: boolean
  readonly shared: Shared
  readonly logger: Logger
  readonly now: () => number
}

const OPEN: Identity = {
  kind: 'open',
  subject: undefined,
  rights: ALL_RIGHTS,
  expires: Number.POSITIVE_INFINITY,
  jti: undefined,
}
/** What is sent for a key that was copied wrong, or a variable that isn't set. */
const NEITHER = 'It is neither an API key of this gateway nor a token (JWT)'
const BACKEND: Identity = { ...OPEN, kind: 'key' }

export function createAccess(options: AccessOptions): Access {
  const { settings, locked, shared, logger, now } = options
  const isApiKey = createApiKeys(settings.apiKeys)
  const revocations = createRevocations(now)
  const audience = createAudience(revocations, now)
  const { anonymous: granted } = settings
  const nobody: Identity = {
    ...OPEN,
    kind: 'anonymous',
    rights: granted === undefined ? NO_RIGHTS : compileRights(granted, undefined),
  }
  const verifier = createVerifier<Identity>({
    secrets: settings.jwtSecrets,
    publicKeys: settings.jwtPublicKeys,
    jwksUrl: settings.jwksUrl,
    algorithms: settings.jwtAlgorithms,
    issuers: settings.jwtIssuers,
    audiences: settings.jwtAudiences,
    claim: settings.jwtClaim,
    toleranceMs: settings.jwtToleranceMs,
    identify: identityOf,
    ...{ logger, now },
  })
  const hook = createConfiguredHook(settings, logger)

  function checked(identity: Identity): Identity {
    if (revocations.covers(identity)) throw new SluiceError('token_revoked')
    return identity
  }

  function identify(method: string, headers: IncomingHttpHeaders): Identity | Promise<Identity> {
    if (!locked) return OPEN
    const credentials = credentialsOf(headers, settings.cookie)
    if (credentials.kind === 'none') return nobody
    const { kind, token } = credentials
    if (kind === 'cookie') checkCookieSender(method, headers)
    // A cookie is a browser's, and a backend's key has no business there.
    else if (isBackend(token)) return BACKEND
    // The beginning of every JWT: `{"` in base64url.
    if (!token.startsWith('ey')) throw new SluiceError('token_invalid', { detail: NEITHER })
    const verified = verifier.verify(token)
    return verified instanceof Promise ? verified.then(checked) : checked(verified)
  }

  /** What looks like a token is none of our keys, and needn't be compared with them. */
  function isBackend(token: string): boolean {
    return settings.apiKeys.length > 0 && !/^ey[^.]*\.[^.]*\.[^.]*$/.test(token) && isApiKey(token)
  }

  /** The commonest reason has words of its own: rights under another name than the gateway looks for. */
  function whyNot({ kind, rights }: Identity): string {
    if (kind === 'anonymous') return 'is not granted to callers without credentials'
    if (kind === 'ticket') return 'is not granted by the ticket'
    const none = Object.keys(rights.claim.channels ?? {}).length === 0
    return none
      ? `is not granted: the token has no rights in its claim "${settings.jwtClaim}"`
      : 'is not granted by the token'
  }

  function demand(identity: Identity, verb: Verb, channel?: string): void {
    const { rights } = identity
    const may = channel === undefined ? rights.mayEverywhere(verb) : rights.may(verb, channel)
    if (!may) throw refusal(identity, verb, channel, whyNot(identity))
  }

  function consult(
    identity: Identity,
    verb: 'subscribe' | 'publish',
    channelsOf: () => readonly string[],
    address: string,
  ): void | Promise<void> {
    if (hook === undefined || identity.kind === 'key') return
    const channels = channelsOf()
    const refuse = (denied: readonly string[]) => {
      if (denied[0] === undefined) return
      throw refusal(identity, verb, denied[0], 'is refused by the backend that is asked')
    }
    const denied = hook.ask({ action: verb, subject: identity.subject, channels, address })
    return denied instanceof Promise ? denied.then(refuse) : refuse(denied)
  }

  return {
    locked,
    revocations,
    audience,
    identify,
    demand,
    confirm(identity) {
      checked(identity)
      if (identity.expires + settings.jwtToleranceMs > now()) return
      throw new SluiceError('token_expired')
    },
    tickets: createTickets(shared, now),
    seats: createSeats({
      perSubject: settings.maxStreamsPerSubject,
      perAddress: settings.maxStreamsPerAddress,
    }),
    spending: createSpending(settings, shared, now),
    admit(identity, verb, channels, address) {
      for (const channel of channels) {
        const right = verb === 'subscribe' ? readingOf(channel) : { verb, on: channel }
        demand(identity, right.verb, right.on)
      }
      return consult(identity, verb, () => channels, address)
    },
    consult,
    async start() {
      await Promise.all([
        verifier.start(),
        shared.start({
          revocations(all) {
            revocations.replace(all)
            audience.judge()
          },
          renewed: (session, passport) => audience.renew(session, readIdentity(passport, 'token')),
        }),
      ])
      audience.start()
    },
    async stop() {
      audience.stop()
      verifier.stop()
      hook?.stop()
      await shared.stop()
    },
  }
}

function refusal(
  { kind }: Identity,
  verb: Verb,
  channel: string | undefined,
  why: string,
): SluiceError {
  const where = channel === undefined ? 'everywhere' : `on ${channel}`
  const detail = `"${verb}" ${where} ${why}`
  const extensions = channel === undefined ? {} : { channel }
  return new SluiceError(kind === 'anonymous' ? 'token_missing' : 'forbidden', {
    ...{ detail, extensions },
  })
}

function createConfiguredHook(settings: AccessSettings, logger: Logger): Hook | undefined {
  const { authorizeUrl: url, authorizeKey: key } = settings
  if (url === undefined) return undefined
  const { authorizeCacheMs: cacheMs, authorizeTimeoutMs: timeoutMs } = settings
  return createHook({ url, key, cacheMs, timeoutMs, logger })
}
