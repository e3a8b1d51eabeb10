/** How much somebody may do in a time: rates, by subject and by channel. */
import { SluiceError } from '../wire/errors.js'
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
  /** Publishing a batch. Throws `rate_limited`. */
  publish(identity: Identity, address: string, batch: Batch): void | Promise<void>
  /** The same for a streamed body: waits rather than throws. */
  pace(identity: Identity, address: string, batch: Batch): void | Promise<void>
}

/** ms that a paced upload waits at a time: short enough to notice that its producer is gone. */
const LONGEST_PAUSE = 1_000

export function createSpending(
  { streamRate, publishRate, channelRate }: SpendingOptions,
  shared: Pick<Shared, 'take'>,
  now: () => number,
): Spending {
  const streams = createLimiter(shared, streamRate, { now, prefix: 'streams' })
  const subjects = createLimiter(shared, publishRate, { now, prefix: 'subject' })
  const channels = createLimiter(shared, channelRate, { now, prefix: 'channel' })

  /** What a batch costs. Of the subject first: what the channel refuses then stays paid. */
  function charges(payer: string, batch: Batch): Charge[] {
    const all: Charge[] = [[subjects, payer, batch.length]]
    for (const [channel, events] of countByChannel(batch)) all.push([channels, channel, events])
    return all
  }

  return {
    open(identity, address) {
      const payer = payerOf(identity, address)
      return payer === undefined ? undefined : pay([[streams, payer, 1]], 0, refuse)
    },
    publish(identity, address, batch) {
      const payer = payerOf(identity, address)
      return payer === undefined ? undefined : pay(charges(payer, batch), 0, refuse)
    },
    pace(identity, address, batch) {
      const payer = payerOf(identity, address)
      return payer === undefined ? undefined : pay(charges(payer, batch), 0, pause)
    },
  }
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

async function refuse(ms: number): Promise<never> {
  throw new SluiceError('rate_limited', { retryAfter: Math.max(1, Math.ceil(ms / 1000)) })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(ms, LONGEST_PAUSE)))
}

/** Whose bucket it is; undefined: not counted. A token without a subject is as nameless as none. */
function payerOf({ kind, subject }: Identity, address: string): string | undefined {
  if (kind === 'open' || kind === 'key') return undefined
  return subject === undefined ? `a ${address}` : `s ${subject}`
}

function countByChannel(batch: Batch): Iterable<[string, number]> {
  // Nearly always one event.
  if (batch.length === 1) return [[batch[0]!.channel, 1]]
  const counts = new Map<string, number>()
  for (const { channel } of batch) counts.set(channel, (counts.get(channel) ?? 0) + 1)
  return counts
}
