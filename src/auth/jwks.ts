/**
 * Keys that an identity provider publishes (RFC 7517), at the URL that the operator configured; what a
 * token says of where its key is (`jku`, `x5u`, `jwk`, `iss`) is never looked at.
 *
 *                 fetched            every 10 minutes, and for an
 *   ┌──────┐ ───────────────▶ ┌────┐ unknown `kid` at most every 30 s
 *   │ none │                  │ up │ ──────────────────────────────┐
 *   └──────┘                  └────┘ ◀─────────────────────────────┘
 *     │  ▲ every 2 s        fetched ▲ │ not fetched: the old keys count on,
 *     └──┘                          │ ▼ asked again every 30 s
 *                                 ┌──────┐
 *                                 │ down │
 *                                 └──────┘
 */
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose'
import type { Logger } from '../logger.js'
import type { Ask } from './outgoing.js'

export type JwksState = 'none' | 'up' | 'down'

/** Runs something in `ms` milliseconds unless it is cancelled by what is answered. */
export type Later = (run: () => void, ms: number) => () => void

export const later: Later = (run, ms) => {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}

export interface JwksOptions {
  readonly url: string
  readonly ask: Ask
  readonly logger: Logger
  /** There are other keys than before: what the old ones have proved is to be proved again. */
  readonly changed: () => void
  readonly later?: Later
}

export interface Jwks {
  readonly state: JwksState
  /** Whether a key of the set has this `kid`; undefined, as some tokens have it, is never known. */
  knows(kid: unknown): boolean
  /** The keys that a token with this header may have been signed with. */
  find(header: JWSHeaderParameters): Promise<readonly CryptoKey[]>
  /** For a key that isn't there: fetches the set anew, or answers false where that was done just now. */
  lookAgain(): Promise<boolean>
  /** Resolves after the first attempt. */
  start(): Promise<void>
  stop(): void
}

/** ms between two fetches while all is well. */
const REFRESH = 10 * 60_000
/** ms between two fetches for unknown keys: anybody can invent a `kid`. */
const COOLDOWN = 30_000
/** ms until the next attempt while there are old keys, and while nobody with a token can come in. */
const RETRY = { known: 30_000, none: 2_000 } as const
/** ms for one fetch. */
const TIMEOUT = 5_000
/** Bytes; a provider has a handful of keys of some 500 bytes, or of 2 KB with certificates. */
const MAX_BYTES = 256 * 1024

interface KeySet {
  readonly resolve: ReturnType<typeof createLocalJWKSet>
  readonly kids: ReadonlySet<unknown>
  /** Equal for equal keys: some providers give them in another order each time. */
  readonly text: string
}

function readSet(body: Buffer): KeySet {
  const json = JSON.parse(body.toString()) as JSONWebKeySet
  // Throws where it isn't one.
  const resolve = createLocalJWKSet(json)
  const kids = json.keys.map(({ kid }) => kid).filter((kid) => typeof kid === 'string')
  const texts = json.keys.map((key) => JSON.stringify(key))
  return { resolve, kids: new Set(kids), text: texts.sort().join() }
}

export function createJwks(options: JwksOptions): Jwks {
  const { ask, logger } = options
  const soon = options.later ?? later
  // A URL may hold a password, or a key in its query.
  const { origin, pathname } = new URL(options.url)
  const shown = `${origin}${pathname}`
  let set: KeySet | undefined
  let down = false
  let stopped = false
  let fetching: Promise<void> | undefined
  let cancelNext = () => {}
  let cancelCooldown: (() => void) | undefined

  function refresh(): Promise<void> {
    cancelNext()
    fetching ??= attempt().finally(() => {
      fetching = undefined
      if (stopped) return
      const pause = !down ? REFRESH : set === undefined ? RETRY.none : RETRY.known
      cancelNext = soon(() => void refresh(), pause)
    })
    return fetching
  }

  async function attempt(): Promise<void> {
    try {
      const { status, body } = await ask(options.url, {
        headers: { accept: 'application/jwk-set+json, application/json' },
        timeoutMs: TIMEOUT,
        maxBytes: MAX_BYTES,
      })
      if (status !== 200) throw new Error(`the answer is ${status}`)
      take(readSet(body))
      if (down) logger.info({ url: shown }, 'keys for tokens can be fetched again')
      down = false
    } catch (error) {
      if (stopped) return
      const reason = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message
      const keys = set === undefined ? 'none' : 'old'
      if (!down) logger.warn({ url: shown, reason, keys }, 'keys for tokens can’t be fetched')
      down = true
    }
  }

  function take(fetched: KeySet): void {
    if (fetched.text === set?.text) return
    const first = set === undefined
    set = fetched
    options.changed()
    if (!first) logger.info({ url: shown, kids: [...fetched.kids] }, 'keys for tokens have changed')
  }

  return {
    get state() {
      return set === undefined ? 'none' : down ? 'down' : 'up'
    },
    knows: (kid) => set?.kids.has(kid) ?? false,
    async find(header) {
      try {
        return set === undefined ? [] : [await set.resolve(header)]
      } catch (error) {
        // No key fits, or only one that is none: private ones are refused, and those for encryption.
        if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return []
        const keys: CryptoKey[] = []
        for await (const key of error) keys.push(key)
        return keys
      }
    },
    async lookAgain() {
      if (fetching === undefined) {
        if (cancelCooldown !== undefined || stopped) return false
        cancelCooldown = soon(() => {
          cancelCooldown = undefined
        }, COOLDOWN)
      }
      await (fetching ?? refresh())
      return true
    },
    start: refresh,
    stop() {
      stopped = true
      cancelNext()
      cancelCooldown?.()
    },
  }
}
