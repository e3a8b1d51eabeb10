/**
 * What was said about whom, each the last word: the memory of one gateway. Two memories that have heard
 * the same, in any order and however often, are the same; `verdicts.lua` goes by the same rule.
 */
import type { Revocation, RevocationKind } from './shared.js'

/** A revocation, or that it was taken back: remembered like it, so that an older word doesn't return. */
export interface Verdict extends Revocation {
  /** ms since the epoch up to which it is remembered: the latest `until` that was ever said of it. */
  readonly ends: number
}

export interface Verdicts {
  find(kind: RevocationKind, value: string): Verdict | undefined
  /** Answers whether anything is now otherwise than before. */
  hear(verdict: Verdict): boolean
  /** All that is to be remembered. */
  all(): Verdict[]
  /** Those that count. */
  standing(): Revocation[]
  /** Whether another one may be heard. */
  hasRoom(): boolean
}

export function createVerdicts(limit: number, now: () => number): Verdicts {
  const known = new Map<string, Verdict>()

  function all(): Verdict[] {
    const time = now()
    for (const [name, { ends }] of known) if (ends <= time) known.delete(name)
    return [...known.values()]
  }

  return {
    find: (kind, value) => known.get(nameOf(kind, value)),
    hear(verdict) {
      const name = nameOf(verdict.kind, verdict.value)
      const before = known.get(name)
      const ends = Math.max(verdict.ends, before?.ends ?? 0)
      if (ends <= now()) return false
      const counts = before === undefined || isLater(verdict, before) ? verdict : before
      if (counts === before && ends === before.ends) return false
      known.set(name, { ...counts, ends })
      return true
    },
    all,
    standing() {
      const time = now()
      return all()
        .filter(({ until }) => until > time)
        .map(({ kind, value, until, at }) => ({ kind, value, until, at }))
    },
    hasRoom: () => known.size < limit || all().length < limit,
  }
}

/** At the same time, by two masters at once: the stricter one, so that all gateways come to the same. */
function isLater(a: Verdict, b: Verdict): boolean {
  return a.at > b.at || (a.at === b.at && a.until > b.until)
}

/**
 * A name for whatever somebody may be called: a subject holds any characters, lone surrogates too, which
 * all become one character on their way to Redis.
 */
export function nameOf(kind: RevocationKind, value: string): string {
  return `${kind}:${JSON.stringify(value)}`
}

/** The other way; undefined where it is no such name. */
export function readName(name: string): Pick<Revocation, 'kind' | 'value'> | undefined {
  const [, kind, text] = /^(subject|session|jti):(".*")$/s.exec(name) ?? []
  if (kind === undefined || text === undefined) return undefined
  try {
    return { kind: kind as RevocationKind, value: JSON.parse(text) as string }
  } catch {
    return undefined
  }
}
