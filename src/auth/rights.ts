/**
 * What somebody may do, and on which channels: the claim `sluice` of a token, or what the configuration
 * gives to nobody. Compiled once for each token; the same channel asked again is a look-up.
 */
import { compilePattern, isChannel } from '../wire/channel.js'
import { type RightsClaim, readClaim } from './claim.js'
import { BIT, type Grant, NOTHING, united, VERBS, type Verb, wordsOf } from './verbs.js'

export { parseGrants, type RightsClaim } from './claim.js'
export { RightsFault, VERBS, type Verb } from './verbs.js'

export interface Rights {
  /** Whether this may be done there. */
  may(verb: Verb, channel: string): boolean
  /**
   * ms since the epoch of the oldest event that may be read there; 0: all; Infinity: nothing from
   * before now, or nothing at all.
   */
  since(channel: string, now: number): number
  /** Whether `since` can be other than 0 where something may be read: spares the question. */
  readonly limitsHistory: boolean
  /** Whether the pattern `**` grants it: what rights without a channel, like revoking, ask for. */
  mayEverywhere(verb: Verb): boolean
  /** Whether it is granted on any channel at all. */
  mayAnywhere(verb: Verb): boolean
  /** Whether it is granted on any channel `kind:…` of two segments. */
  mayOnAny(verb: Verb, kind: string): boolean
  /** What means the same without the subject, to be kept with a ticket. */
  readonly claim: RightsClaim
}

/** Channels whose grant is remembered for each token; at the bound all are forgotten, for finding it anew is cheap. */
const REMEMBERED = 1024

/** For API keys, and where a gateway has no keys at all. */
export const ALL_RIGHTS: Rights = {
  may: () => true,
  since: () => 0,
  limitsHistory: false,
  mayEverywhere: () => true,
  mayAnywhere: () => true,
  mayOnAny: () => true,
  claim: { channels: { '**': VERBS.filter((verb) => verb !== 'history') } },
}

export const NO_RIGHTS: Rights = rightsOf(new Map())

/**
 * Compiles a claim for a subject. A claim that is undefined, as in a token without one, grants nothing.
 * What is not understood in it throws a RightsFault.
 */
export function compileRights(claim: unknown, subject: string | undefined): Rights {
  return rightsOf(readClaim(claim, subject))
}

/**
 * The rights on these channels only, and of these verbs at most: a ticket's. What may be read of the past
 * goes with `subscribe` as it does in a claim. A pattern among the channels grants nothing.
 */
export function narrowed(
  rights: Rights,
  channels: readonly string[],
  verbs: readonly Verb[],
): Rights {
  // From the claim rather than by asking `rights`: what results has a claim that holds both reaches.
  const find = finder(readClaim(rights.claim, undefined))
  const mask = verbs.reduce((bits, verb) => bits | BIT[verb], 0)
  const grants = new Map<string, Grant>()
  for (const channel of channels) {
    const whole = find(channel)
    const kept = whole.verbs & mask & ~BIT.history
    const reads = ((mask & BIT.history) | (kept & BIT.subscribe)) !== 0
    const left = reads
      ? { ...whole, verbs: kept | (whole.verbs & BIT.history) }
      : { ...NOTHING, verbs: kept }
    if (left.verbs !== 0) grants.set(channel, left)
  }
  return rightsOf(grants)
}

function fitsSome(pattern: string, kind: string): boolean {
  const [first, ...more] = pattern.split(':')
  return first === '**' || (more.length === 1 && (first === '*' || first === kind))
}

function rightsOf(grants: ReadonlyMap<string, Grant>): Rights {
  const find = finder(grants)
  const known = new Map<string, Grant>()

  function grantOn(channel: string): Grant {
    let grant = known.get(channel)
    if (grant === undefined) {
      grant = find(channel)
      if (known.size >= REMEMBERED) known.clear()
      known.set(channel, grant)
    }
    return grant
  }

  const everywhere = grants.get('**') ?? NOTHING
  const reads = BIT.subscribe | BIT.history
  return {
    may: (verb, channel) => (grantOn(channel).verbs & BIT[verb]) !== 0,
    since(channel, now) {
      const { since, ago } = grantOn(channel)
      return Math.max(0, Math.min(since, now - ago))
    },
    limitsHistory: [...grants.values()].some((it) => (it.verbs & reads) !== 0 && it.since !== 0),
    mayEverywhere: (verb) => (everywhere.verbs & BIT[verb]) !== 0,
    mayAnywhere: (verb) => [...grants.values()].some((it) => (it.verbs & BIT[verb]) !== 0),
    mayOnAny: (verb, kind) =>
      [...grants].some(([pattern, it]) => (it.verbs & BIT[verb]) !== 0 && fitsSome(pattern, kind)),
    claim: {
      channels: Object.fromEntries([...grants].map(([pattern, it]) => [pattern, wordsOf(it)])),
    },
  }
}

/** Which grant a channel has. Plain names, of which there may be hundreds, cost one look-up together. */
function finder(grants: ReadonlyMap<string, Grant>): (channel: string) => Grant {
  const wild = [...grants]
    .filter(([pattern]) => pattern.includes('*'))
    .map(([pattern, grant]) => ({ matches: compilePattern(pattern), grant }))
  return (channel) => {
    // `a:*` itself is no channel, though the pattern would match it.
    if (!isChannel(channel)) return NOTHING
    let found = grants.get(channel) ?? NOTHING
    for (const { matches, grant } of wild) if (matches(channel)) found = united(found, grant)
    return found
  }
}
