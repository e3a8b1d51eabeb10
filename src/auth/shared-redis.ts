/**
 * What gateways share, on Redis. Tickets, owners and buckets are on the partition that their name hashes
 * to, each question one function call, so that the masters of a cluster share the load; who is kept out
 * is at partition 0, and every gateway has a copy.
 */
import type { Argument, FunctionName } from '../log/redis/functions.js'
import type { Intake } from '../log/redis/intake.js'
import type { Logger } from '../logger.js'
import { SluiceError } from '../wire/errors.js'
import type { Shared, SharedListener } from './shared.js'
import { createBus } from './shared-bus.js'
import {
  LATEST,
  LONGEST_TICKET,
  LOOK_EVERY,
  RENEWAL_TIMEOUT,
  START_TIMEOUT,
  VERDICTS,
} from './shared-limits.js'
import { createSync } from './shared-sync.js'
import { createVerdicts, nameOf } from './verdicts.js'

export interface SharedRedisOptions {
  readonly logger: Logger
  /** ms since the epoch. Only makes durations of times. Default: the machine's clock. */
  readonly now?: () => number
  /** ms between two questions for revocations, beside the messages about them. Default 1000. */
  readonly lookEvery?: number
  /** ms that a renewal waits for a gateway that has the session. Default 300. */
  readonly renewalTimeout?: number
  /** ms that `start` waits for Redis. Default 5000. */
  readonly startTimeout?: number
}

/** Lone surrogates, which a subject may hold, would all become one character on their way. */
const quoted = (text: string) => JSON.stringify(text)

export function createSharedRedis(intake: Intake, options: SharedRedisOptions): Shared {
  const { logger, now = Date.now } = options
  let listener: SharedListener | undefined
  const verdicts = createVerdicts(VERDICTS, now)
  const tell = () => listener?.revocations(verdicts.standing())
  const bus = createBus({
    intake,
    logger,
    sync: createSync({ base: intake.base(0), verdicts, changed: tell }),
    lookEvery: options.lookEvery ?? LOOK_EVERY,
    renewalTimeout: options.renewalTimeout ?? RENEWAL_TIMEOUT,
    renewed: (session, renewal) => listener?.renewed(session, renewal) ?? false,
  })

  const ask = (id: string, name: FunctionName, ...args: readonly Argument[]) =>
    intake.call(intake.partitionOf(id), name, [id, ...args])

  return {
    async start(told) {
      listener = told
      await bus.start(options.startTimeout ?? START_TIMEOUT)
      tell()
    },
    async stop() {
      bus.stop()
      listener = undefined
    },
    fault() {
      const { trouble } = bus
      return trouble === undefined ? undefined : `revocations are not heard of: ${trouble}`
    },

    async issueTicket(id, record, redeemBy, expires) {
      const lasts = Math.min(Math.floor(expires - now()), LONGEST_TICKET)
      const patience = Math.min(Math.floor(redeemBy - now()), lasts)
      // Too late already: as if it had been issued and gone.
      if (patience <= 0) return
      await ask(id, 'issue', record, patience, lasts)
    },
    async redeemTicket(id, session) {
      const answer = (await ask(id, 'redeem', session)) as [number, string?] | null
      if (answer === null) return { kind: 'unknown' }
      const [, record] = answer
      return record === undefined ? { kind: 'taken' } : { kind: 'redeemed', record }
    },

    async claimSession(session, owner, ms) {
      const answer = await ask(session, 'claim', quoted(owner), Math.max(1, Math.ceil(ms)))
      return JSON.parse(answer as string) as string
    },
    async sessionOwner(session) {
      const answer = (await ask(session, 'owner')) as string | null
      return answer === null ? undefined : (JSON.parse(answer) as string)
    },

    async take(bucket, { amount, ms }, atLeast, atMost) {
      if (amount === 0) return { granted: Math.max(atLeast, atMost), retryMs: 0 }
      const answer = await ask(quoted(bucket), 'take', amount, ms, atLeast, atMost)
      const [granted, retryMs] = answer as [number, number]
      return { granted, retryMs }
    },

    async revoke({ kind, value, until: said }) {
      const until = Math.floor(Math.min(said, LATEST))
      // A master that took over with less than the one before must not stamp it earlier than that.
      const { at: known = 0, ends = 0 } = verdicts.find(kind, value) ?? {}
      const args = [VERDICTS, nameOf(kind, value), until, known, ends]
      const answer = (await intake.call(0, 'revoke', args)) as [string, string] | null
      if (answer === null) {
        throw new SluiceError('overloaded', { detail: `${VERDICTS} revocations are in force` })
      }
      const [at, last] = answer.map(Number) as [number, number]
      // Not left to the bus: whoever said it may rely on it here.
      if (verdicts.hear({ kind, value, until, at, ends: last })) tell()
    },
    renew: (session, renewal) => bus.renew(session, renewal),
  }
}
