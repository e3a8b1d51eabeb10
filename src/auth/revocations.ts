/** Who is kept out, as this gateway knows it. */
import { SluiceError } from '../wire/errors.js'
import type { Identity } from './identity.js'
import type { Revocation, RevocationKind } from './shared.js'

export interface Revocations {
  /** Takes in the whole list. */
  replace(all: readonly Revocation[]): void
  /** Whether an identity, in a session or in none, is kept out now. */
  covers(identity: Identity, session?: string): boolean
  /** Those that count now. */
  list(): readonly Revocation[]
}

export function createRevocations(now: () => number): Revocations {
  let all: readonly Revocation[] = []
  let known: Readonly<Record<RevocationKind, ReadonlyMap<string, number>>> = byKind([])

  const counts = (kind: RevocationKind, value: string | undefined) =>
    value !== undefined && (known[kind].get(value) ?? 0) > now()

  return {
    replace(revocations) {
      all = revocations
      known = byKind(revocations)
    },
    covers({ subject, jti }, session) {
      // Nearly always: nobody is.
      if (all.length === 0) return false
      return counts('subject', subject) || counts('jti', jti) || counts('session', session)
    },
    list: () => all.filter(({ until }) => until > now()),
  }
}

function byKind(revocations: readonly Revocation[]) {
  const maps = { subject: new Map(), session: new Map(), jti: new Map() }
  for (const { kind, value, until } of revocations) maps[kind].set(value, until)
  return maps as Record<RevocationKind, Map<string, number>>
}

/** Throws where an identity is kept out. */
export function checkRevoked(revocations: Revocations, identity: Identity, session?: string): void {
  if (revocations.covers(identity, session)) throw new SluiceError('token_revoked')
}
