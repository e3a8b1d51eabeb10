/** Reads the claim `sluice` of a token: from patterns and words to grants. A typo in it must be heard. */
import { compilePattern } from '../wire/channel.js'
import { type Grant, NOTHING, quoted, RightsFault, readWords, united } from './verbs.js'

/** `{"channels": {"chat:*": ["subscribe", "publish"], "user:{sub}": ["subscribe"]}}` */
export interface RightsClaim {
  /** Words by pattern. None: no rights. */
  readonly channels?: Readonly<Record<string, readonly string[]>>
}

/**
 * Patterns with a star in a claim: each is tried on each new channel. Plain names cost nothing then, and
 * a ticket may have as many as a stream has channels.
 */
export const MAX_PATTERNS = 1000
/** A subject that is part of one segment. With `:` or `*` in it "bob:inbox" would own what is bob's. */
const SEGMENT = /^[A-Za-z0-9_\-.@~=|+]+$/
const EXAMPLE = '{"channels": {"chat:*": ["subscribe", "publish"]}}'

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The grants by pattern, the subject put in. A claim that is undefined, as in a token without one, grants
 * nothing. What is not understood throws a RightsFault.
 */
export function readClaim(claim: unknown, subject: string | undefined): Map<string, Grant> {
  const grants = new Map<string, Grant>()
  if (claim === undefined) return grants
  if (!isObject(claim)) throw new RightsFault(`rights are an object such as ${EXAMPLE}`)
  const odd = Object.keys(claim).find((key) => key !== 'channels')
  if (odd !== undefined) {
    throw new RightsFault(`rights have no member ${quoted(odd)}; write ${EXAMPLE}`)
  }
  const channels = claim.channels === undefined ? {} : claim.channels
  if (!isObject(channels)) throw new RightsFault(`"channels" is an object, as in ${EXAMPLE}`)
  const entries = Object.entries(channels)
  const wild = entries.filter(([pattern]) => pattern.includes('*')).length
  if (wild > MAX_PATTERNS) {
    throw new RightsFault(
      `${wild} patterns with a "*" are too many; at most ${MAX_PATTERNS} are read`,
    )
  }
  for (const [written, words] of entries) {
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) {
      throw new RightsFault(`${quoted(written)} needs a list of verbs, as in ${EXAMPLE}`)
    }
    const grant = readWords(wordsFor(written, words))
    const pattern = personal(written, subject)
    if (pattern !== undefined) grants.set(pattern, united(grants.get(pattern) ?? NOTHING, grant))
  }
  return grants
}

/**
 * Whoever runs everything may look into everything: `admin` on all channels reads them, too. On some it
 * doesn't, for who closes and deletes there needn't know what is said.
 */
function wordsFor(pattern: string, words: readonly string[]): readonly string[] {
  return pattern === '**' && words.includes('admin') ? [...words, 'subscribe'] : words
}

/** The pattern with the subject put in; undefined where the subject can't be part of a channel's name. */
function personal(written: string, subject: string | undefined): string | undefined {
  // Judged with any subject: a faulty pattern is told to the first who comes, whoever that is.
  if (!isPattern(written.replaceAll('{sub}', 'x'))) {
    throw new RightsFault(
      `${quoted(written)} is not a pattern; between ":" stands a name, "*", or "**" at the end, and {sub} for the token’s subject`,
    )
  }
  if (!written.includes('{sub}')) return written
  if (subject === undefined || !SEGMENT.test(subject)) return undefined
  const pattern = written.replaceAll('{sub}', () => subject)
  // Too long by the subject: there is no such channel.
  return isPattern(pattern) ? pattern : undefined
}

function isPattern(pattern: string): boolean {
  try {
    compilePattern(pattern)
    return true
  } catch {
    return false
  }
}

/**
 * The claim of `chat:*=subscribe,publish user:{sub}=subscribe`, for the command line and a variable:
 * entries are divided by blanks or `;`. Channels may hold `=`, so the last one divides. Throws a
 * RightsFault.
 */
export function parseGrants(text: string): RightsClaim {
  const channels = new Map<string, string[]>()
  for (const entry of text.split(/[\s;]+/).filter((part) => part !== '')) {
    const at = entry.lastIndexOf('=')
    if (at < 1) {
      throw new RightsFault(`${quoted(entry)} grants nothing; write e.g. chat:*=subscribe,publish`)
    }
    const pattern = entry.slice(0, at)
    const words = entry.slice(at + 1).split(',')
    channels.set(pattern, [...(channels.get(pattern) ?? []), ...words])
  }
  if (channels.size === 0) {
    throw new RightsFault('no channel is named; write e.g. chat:*=subscribe,publish')
  }
  const claim = { channels: Object.fromEntries(channels) }
  readClaim(claim, undefined)
  return claim
}
