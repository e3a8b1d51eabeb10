/** The words of a grant: what may be done, and how far back may be read. */

/** Their order is that in which a grant is written down. */
export const VERBS = [
  'subscribe',
  'publish',
  'history',
  'presence',
  'signal',
  'generate',
  'stop',
  'admin',
] as const

export type Verb = (typeof VERBS)[number]

/** Each verb's bit in `Grant.verbs`. */
export const BIT: Readonly<Record<Verb, number>> = {
  subscribe: 1,
  publish: 2,
  history: 4,
  presence: 8,
  signal: 16,
  generate: 32,
  stop: 64,
  admin: 128,
}

/**
 * What is granted. The reach is two numbers, for of "since Monday" and "the last hour" each is the wider
 * one at its time: the oldest event that may be read at `now` is of `min(since, now - ago)`.
 */
export interface Grant {
  /** Bits of verbs. That of `history` says that the past may be read at all. */
  readonly verbs: number
  /** ms since the epoch; 0: everything; Infinity: nothing. */
  readonly since: number
  /** ms back from now; -Infinity: nothing. */
  readonly ago: number
}

export const NOTHING: Grant = { verbs: 0, since: Number.POSITIVE_INFINITY, ago: -Infinity }

/** Rights that can't be read. The message says what is wrong and what to write; it has no full stop. */
export class RightsFault extends Error {
  override readonly name = 'RightsFault'
}

/** Longest duration, as for retention: more than that is "all". */
const MAX_AGO = 3650 * 86_400_000
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A stranger's text in a message: quoted, and not longer than it is of use. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

/** The grants together: verbs add up, and the widest reach counts. */
export function united(a: Grant, b: Grant): Grant {
  return {
    verbs: a.verbs | b.verbs,
    since: Math.min(a.since, b.since),
    ago: Math.max(a.ago, b.ago),
  }
}

/**
 * The grant of a list of words. `subscribe` without a word about history reaches back to everything:
 * to go on without a gap is what a stream is for, so "none" has to be said.
 */
export function readWords(words: readonly string[]): Grant {
  let grant = NOTHING
  for (const word of words) grant = united(grant, readWord(word))
  const silent = !words.some((word) => /^history(:|$)/.test(word))
  return silent && (grant.verbs & BIT.subscribe) !== 0 ? united(grant, readWord('history')) : grant
}

function readWord(word: string): Grant {
  if (word.startsWith('history:')) return readReach(word, word.slice('history:'.length))
  const verb = VERBS.find((known) => known === word)
  if (verb === undefined) {
    throw new RightsFault(`${quoted(word)} is not a verb; the verbs are ${VERBS.join(', ')}`)
  }
  return { ...NOTHING, verbs: BIT[verb], ...(verb === 'history' && { since: 0 }) }
}

function readReach(word: string, reach: string): Grant {
  const some = { ...NOTHING, verbs: BIT.history }
  if (reach === 'all') return { ...some, since: 0 }
  if (reach === 'none') return NOTHING
  // Ten digits or eleven, 2001 to 5138. A forgotten unit (history:15) would be all since 1970, and a
  // time in milliseconds nothing ever: neither is what was meant.
  if (/^[1-9]\d{9,10}$/.test(reach)) return { ...some, since: Number(reach) * 1000 }
  const [, amount, unit] = /^([1-9]\d{0,8})([smhd])$/.exec(reach) ?? []
  const ago = Number(amount) * (UNITS[unit ?? ''] ?? Number.NaN)
  if (ago <= MAX_AGO) return { ...some, ago }
  throw new RightsFault(
    `${quoted(word)} is not a reach; write history, history:none, history:15m (s, m, h or d, at most 3650d) or history:1767225600 (seconds since 1970)`,
  )
}

/** The shortest list of words that means the grant. */
export function wordsOf({ verbs, since, ago }: Grant): string[] {
  const words: string[] = VERBS.filter((verb) => verb !== 'history' && (verbs & BIT[verb]) !== 0)
  const subscribes = (verbs & BIT.subscribe) !== 0
  if (since === 0) return subscribes ? words : [...words, 'history']
  if (since !== Number.POSITIVE_INFINITY) words.push(`history:${since / 1000}`)
  if (ago > 0) words.push(`history:${ago / 1000}s`)
  if (subscribes && (verbs & BIT.history) === 0) words.push('history:none')
  return words
}
