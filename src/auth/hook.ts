/**
 * The authorisation hook: an endpoint of the operator's backend that is asked on subscribe and publish,
 * after the token's rights, and can only take away. Where it fails, is late or answers what nobody
 * understands, the door stays closed.
 *
 *   POST {"action":"subscribe","subject":"alice","channels":["chat:7","chat:8"],"address":"203.0.113.7"}
 *   200  {"allow":true} | {"allow":false} | {"denied":["chat:8"]}         403: all are refused
 */
import type { Logger } from '../logger.js'
import { SluiceError } from '../wire/errors.js'
import { createGenerations } from './generations.js'
import { readVerdict, type Verdict } from './hook-answer.js'
import { type Ask, createOutgoing } from './outgoing.js'

export interface HookOptions {
  readonly url: string
  /** Sent as `Authorization: Bearer`, so that the endpoint knows who asks. */
  readonly key: string | undefined
  /**
   * ms for which an answer counts, from the question on. Default: 10,000; 0: each question is asked,
   * only equal ones that are under way at one time share an answer.
   */
  readonly cacheMs?: number
  /** ms for an answer. Default: 2,000. */
  readonly timeoutMs?: number
  readonly logger: Logger
  /** ms of a clock that never goes back. Default: performance.now. */
  readonly now?: () => number
  /** Default: connections of its own. */
  readonly ask?: Ask
}

export interface HookQuestion {
  readonly action: 'subscribe' | 'publish'
  /** Undefined: nameless. */
  readonly subject: string | undefined
  readonly channels: readonly string[]
  /** The client's. */
  readonly address: string
}

export interface Hook {
  /**
   * Those of the channels that are refused; none: all are allowed. Synchronous where all is remembered.
   * Rejects with `authorization_unavailable` where the endpoint gives no answer.
   */
  ask(question: HookQuestion): readonly string[] | Promise<readonly string[]>
  stop(): void
}

/** Answers remembered, one for each channel that somebody asked for. */
const REMEMBERED = 20_000
/** ms between two lines about an endpoint that fails. */
const SAY_EVERY = 10_000

export function createHook(options: HookOptions): Hook {
  const { cacheMs = 10_000, timeoutMs = 2_000, now = () => performance.now() } = options
  const known = createGenerations<{ readonly allowed: boolean; readonly until: number }>(REMEMBERED)
  /** By the same keys: the answers that are waited for. */
  const underWay = new Map<string, Promise<Verdict>>()
  let stopped = false
  const outgoing = createOutgoing()
  const ask = options.ask ?? outgoing.ask
  const failures = createFailures(options.url, options.logger, now)

  async function inquire(question: HookQuestion, channels: readonly string[]): Promise<Verdict> {
    const { action, subject, address } = question
    try {
      const answer = await ask(options.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(options.key !== undefined && { authorization: `Bearer ${options.key}` }),
        },
        body: JSON.stringify({ action, subject: subject ?? null, channels, address }),
        timeoutMs,
        repeatable: true,
      })
      return readVerdict(answer, channels)
    } catch (cause) {
      if (!stopped) failures.count((cause as Error).message)
      throw new SluiceError('authorization_unavailable', { cause })
    }
  }

  /** Asks for what nobody has asked for yet. */
  function begin(question: HookQuestion, missing: ReadonlyMap<string, string>): Promise<Verdict> {
    const until = now() + cacheMs
    const verdict = inquire(question, [...missing.values()])
    const forget = () => {
      for (const key of missing.keys()) underWay.delete(key)
    }
    verdict.then((allows) => {
      forget()
      if (cacheMs === 0) return
      for (const [key, channel] of missing) known.set(key, { allowed: allows(channel), until })
    }, forget)
    for (const key of missing.keys()) underWay.set(key, verdict)
    return verdict
  }

  return {
    ask(question) {
      const refused: string[] = []
      const waited = new Map<string, Promise<Verdict>>()
      const missing = new Map<string, string>()
      for (const channel of new Set(question.channels)) {
        const key = keyOf(question, channel)
        const met = known.get(key)
        const shared = underWay.get(key)
        if (met !== undefined && now() < met.until) {
          if (!met.allowed) refused.push(channel)
        } else if (shared !== undefined) waited.set(channel, shared)
        else missing.set(key, channel)
      }
      if (missing.size > 0) {
        const verdict = begin(question, missing)
        for (const channel of missing.values()) waited.set(channel, verdict)
      }
      return waited.size === 0 ? refused : withAnswers(refused, waited)
    },
    stop() {
      stopped = true
      outgoing.close()
    },
  }
}

async function withAnswers(
  refused: readonly string[],
  waited: ReadonlyMap<string, Promise<Verdict>>,
): Promise<readonly string[]> {
  const judged = [...waited].map(async ([channel, verdict]) =>
    (await verdict)(channel) ? [] : [channel],
  )
  return [...refused, ...(await Promise.all(judged)).flat()]
}

/**
 * JSON, so that no two are the same text whatever stands in them: joined by any character, `a_b` and `c`
 * would meet `a` and `b_c` somewhere. The address is a part: the endpoint may judge by it.
 */
function keyOf({ action, subject, address }: HookQuestion, channel: string): string {
  return JSON.stringify([action, subject ?? null, address, channel])
}

/** Says that the endpoint fails: at once, and then in sums. */
function createFailures(url: string, logger: Logger, now: () => number) {
  // Without its query, which may hold a key.
  const { origin, pathname } = new URL(url)
  let failures = 0
  let said = Number.NEGATIVE_INFINITY
  return {
    count(reason: string): void {
      failures++
      if (now() - said < SAY_EVERY) return
      logger.warn(
        { url: `${origin}${pathname}`, reason, failures },
        'the authorisation hook gives no answer',
      )
      said = now()
      failures = 0
    },
  }
}
