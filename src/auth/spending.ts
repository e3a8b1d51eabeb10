/** How much somebody may do in a time: rates, by subject and by channel. */
import { SluiceError } from '../wire/errors.js'
import { countedAs, isThisMachine } from './addresses.js'
import { createGenerations } from './generations.js'
import type { Identity } from './identity.js'
import { createLimiter, type Limiter } from './rates.js'
import type { Rate, Shared } from './shared.js'

export interface SpendingOptions {
  readonly streamRate: Rate
  readonly publishRate: Rate
  readonly channelRate: Rate
}

/** What events cost: how many of them on each channel. */
export type Batch = readonly { readonly channel: string }[]

export interface Spending {
  /** One opening: a stream, a poll, a ticket. Throws `rate_limited`. */
  open(identity: Identity, address: string): void | Promise<void>
  /**
   * Publishing a batch: of the subject's rate first; then `judge` is asked whether it may be, for a "no"
   * costs a backend as much as a "yes"; then of the channels', which what is refused must not use up.
   * Throws `rate_limited`, or, where it is a part of a streamed body (`paced`), waits.
   */
  publish(
    identity: Identity,
    address: string,
    batch: Batch,
    paced: boolean,
    judge: () => void | Promise<void>,
  ): void | Promise<void>
  /** Reading a large body, as so many events of the subject's. Throws `rate_limited`. */
  read(identity: Identity, address: string, events: number): void | Promise<void>
  /** Events that a streamed body is let in by at once: what comes together isn't owed for minutes. */
  stride(identity: Identity): number
  /** Throws `rate_limited` where an address has come with too many tickets that are none. */
  guess(address: string): void
  /** An address has come with one. */
  guessed(address: string): void
}

/** ms that a paced upload waits at a time: short enough to notice that its producer is gone. */
const LONGEST_PAUSE = 1_000
/** Addresses that are remembered for guessing tickets. */
const GUESSERS = 10_000

export function createSpending(
  { streamRate, publishRate, channelRate }: SpendingOptions,
  shared: Pick<Shared, 'take'>,
  now: () => number,
): Spending {
  const streams = createLimiter(shared, streamRate, { now, prefix: 'streams' })
  const subjects = createLimiter(shared, publishRate, { now, prefix: 'subject' })
  const channels = createLimiter(shared, channelRate, { now, prefix: 'channel' })

  const guesses = createLimiter(shared, streamRate, { now, prefix: 'guesses' })
  /** Addresses that have guessed too often, and until when. */
  const guessers = createGenerations<number>(GUESSERS)

  return {
    open(identity, address) {
      const payer = payerOf(identity, address)
      const onWait = refuse('streams', streamRate)
      return payer === undefined ? undefined : pay([[streams, payer, 1]], 0, onWait)
    },
    publish(identity, address, batch, paced, judge) {
      const payer = payerOf(identity, address)
      if (payer === undefined) return judge()
      const own = paced ? pause : refuse('events of one subject', publishRate)
      const shared = paced ? pause : refuse('events on one channel', channelRate)
      return inOrder([
        () => pay([[subjects, payer, batch.length]], 0, own),
        judge,
        () => pay(chargesOf(channels, batch), 0, shared),
      ])
    },
    read(identity, address, events) {
      const payer = payerOf(identity, address)
      if (payer === undefined) return undefined
      return pay([[subjects, payer, events]], 0, refuse('events of one subject', publishRate))
    },
    stride({ kind }) {
      if (kind === 'open' || kind === 'key') return Number.POSITIVE_INFINITY
      const amounts = [publishRate, channelRate].flatMap(({ amount }) => (amount > 0 ? amount : []))
      return Math.max(1, Math.ceil(Math.min(...amounts) / 4))
    },
    guess(address) {
      const until = guessers.get(countedAs(address))
      if (until === undefined || now() >= until) return
      throw limited('tickets', streamRate)(until - now())
    },
    guessed(address) {
      if (isThisMachine(address)) return
      const name = countedAs(address)
      Promise.resolve(guesses.take(name, 1)).then(
        (ms) => {
          if (ms > 0) guessers.set(name, now() + ms)
        },
        () => {},
      )
    },
  }
}

type Step = () => void | Promise<void>

/** One after the other; synchronous as long as they are. */
function inOrder(steps: readonly Step[]): void | Promise<void> {
  for (const [i, step] of steps.entries()) {
    const done = step()
    if (done !== undefined) return done.then(() => inOrder(steps.slice(i + 1)))
  }
}

function chargesOf(channels: Limiter, batch: Batch): Charge[] {
  // Nearly always one event.
  if (batch.length === 1) return [[channels, batch[0]!.channel, 1]]
  const counts = new Map<string, number>()
  for (const { channel } of batch) counts.set(channel, (counts.get(channel) ?? 0) + 1)
  return Array.from(counts, ([channel, events]) => [channels, channel, events] as const)
}

/** Units of a bucket. */
type Charge = readonly [limiter: Limiter, bucket: string, units: number]

/** Pays from the `from`th charge on; synchronous as long as every answer is known at once. */
function pay(
  charges: readonly Charge[],
  from: number,
  onWait: (ms: number) => Promise<void>,
): void | Promise<void> {
  for (let i = from; i < charges.length; i++) {
    const [limiter, bucket, units] = charges[i]!
    const wait = limiter.take(bucket, units)
    if (wait === 0) continue
    return Promise.resolve(wait)
      .then((ms) => (ms > 0 ? onWait(ms).then(() => i) : i + 1))
      .then((next) => pay(charges, next, onWait))
  }
}

function refuse(what: string, rate: Rate): (ms: number) => Promise<never> {
  const error = limited(what, rate)
  return async (ms) => {
    throw error(ms)
  }
}

/** Which limit it was, and when it is worth trying again. */
function limited(what: string, { amount, ms: period }: Rate): (ms: number) => SluiceError {
  const detail = `At most ${amount} ${what} in ${period / 1000} s`
  return (ms) => {
    return new SluiceError('rate_limited', {
      detail,
      retryAfter: Math.max(1, Math.ceil(ms / 1000)),
    })
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(ms, LONGEST_PAUSE)))
}

/** Whose bucket it is; undefined: not counted. A token without a subject is as nameless as none. */
function payerOf({ kind, subject }: Identity, address: string): string | undefined {
  if (kind === 'open' || kind === 'key') return undefined
  return subject === undefined ? `a ${countedAs(address)}` : `s ${subject}`
}
