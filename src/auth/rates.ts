/**
 * Rates on the way of an event. What a bucket holds is decided by what all gateways share; here stands
 * what spares most of the questions:
 *
 *     take ──▶ in hand?  ── yes ──▶ 0, at once
 *                │ no
 *              refused a moment ago, and the time isn't over?  ── yes ──▶ the rest of it, at once
 *                │ no
 *              ask for what is wanted and some in advance; others wait in a row for the answer
 *
 * What was taken in advance counts as spent, so that over all gateways nobody gets more than the rate.
 * Everything here may be forgotten at any time: it costs a question, or a few units.
 */
import { createGenerations } from './generations.js'
import type { Rate, Shared, Taken } from './shared.js'

export interface Limiter {
  /**
   * 0: granted. Else nothing was taken, and the answer is the milliseconds until it is worth trying
   * again. Synchronous while what was taken in advance lasts. Rejects as `Shared.take` does.
   */
  take(bucket: string, units: number): number | Promise<number>
}

export interface LimiterOptions {
  /** ms of any clock. Default: the process's own. */
  readonly now?: () => number
  /** Stands before the names of the buckets: those of different limits must not meet. Default none. */
  readonly prefix?: string
  /** ms of the rate that a steady taker takes at once: so often it asks. Default 100. */
  readonly advance?: number
}

/** ms that units taken in advance are good for: what a taker that stops has lost is little. */
const HELD = 1000
/** Buckets that are remembered. Names come from outside. */
const BUCKETS = 100_000
const PERIODS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

/** `100/s`, `600/m`, `1000/h`; `0` or `off`: no limit. Throws an Error with words for the operator. */
export function parseRate(text: unknown): Rate {
  const plain = typeof text === 'string' || typeof text === 'number' ? String(text) : ''
  if (plain === '0' || plain === 'off') return { amount: 0, ms: 1000 }
  const [, amount, period] = /^([1-9]\d{0,9})\/([smh])$/.exec(plain) ?? []
  const rate = { amount: Number(amount), ms: PERIODS[period ?? ''] ?? 0 }
  if (rate.amount <= 1e9) return rate
  throw new Error('it is not a rate: an amount from 1 to 1000000000, then /s, /m or /h')
}

interface Waiter {
  readonly units: number
  resolve(ms: number): void
  reject(error: unknown): void
}

interface Bucket {
  /** Units taken in advance, and when. */
  inHand: number
  takenAt: number
  /** When it was refused, and for how many ms. */
  refusedAt: number
  refusedMs: number
  /** When it was asked last, and for how many units in advance. */
  askedAt: number
  chunk: number
  /** Whoever waits for the answer, in order; a question is under way while there is one. */
  readonly waiting: Waiter[]
}

const fresh = (): Bucket => ({
  inHand: 0,
  takenAt: 0,
  refusedAt: 0,
  refusedMs: 0,
  askedAt: Number.NEGATIVE_INFINITY,
  chunk: 1,
  waiting: [],
})

/** Whether a moment is less than `ms` ago. Not where it is yet to come: the clock was set back. */
const within = (ms: number, then: number, now: number) => now >= then && now - then < ms

/** The answer that needs no question; undefined: it does. */
function answer(bucket: Bucket, units: number, now: number): number | undefined {
  if (bucket.inHand >= units) {
    bucket.inHand -= units
    return 0
  }
  const { refusedAt, refusedMs } = bucket
  return within(refusedMs, refusedAt, now) ? Math.ceil(refusedMs - (now - refusedAt)) : undefined
}

/** Answers those that wait, in their order, as far as it can be done without another question. */
function serve(bucket: Bucket, now: number): void {
  let served = 0
  for (const { units, resolve } of bucket.waiting) {
    const ms = answer(bucket, units, now)
    if (ms === undefined) break
    resolve(ms)
    served++
  }
  bucket.waiting.splice(0, served)
}

export function createLimiter(
  shared: Pick<Shared, 'take'>,
  rate: Rate,
  { now = () => performance.now(), prefix, advance = 100 }: LimiterOptions = {},
): Limiter {
  if (rate.amount === 0) return { take: () => 0 }

  const buckets = createGenerations<Bucket>(BUCKETS)
  /** A quarter at most: several gateways must be able to have some in hand. */
  const largest = Math.floor(Math.min(rate.amount / 4, (rate.amount * advance) / rate.ms))
  const stored = prefix === undefined ? '' : `${prefix}:`

  function find(name: string): Bucket {
    let bucket = buckets.get(name)
    if (bucket === undefined) {
      bucket = fresh()
      buckets.set(name, bucket)
    }
    return bucket
  }

  /**
   * Units to take at once: twice as many as before whenever those did not last. A tenth of a second's
   * worth from the start would be simpler; but what somebody slow takes of it is dropped again and again
   * at each gateway, and twenty gateways would use up a rate of which little is used.
   */
  function nextChunk(bucket: Bucket): number {
    const time = now()
    if (within(advance, bucket.askedAt, time)) bucket.chunk = Math.min(largest, bucket.chunk * 2)
    else if (!within(HELD, bucket.askedAt, time)) bucket.chunk = 1
    bucket.askedAt = time
    return bucket.chunk
  }

  /** Asks for the first of those that wait, and for the others as far as it goes. */
  function inquire(name: string, bucket: Bucket, wanted: number, first: number) {
    const atLeast = first - bucket.inHand
    const atMost = Math.max(wanted - bucket.inHand, nextChunk(bucket))
    return shared.take(stored + name, rate, atLeast, atMost)
  }

  function credit(bucket: Bucket, { granted, retryMs }: Taken, time: number): void {
    if (granted > 0) {
      bucket.inHand += granted
      bucket.takenAt = time
    } else {
      bucket.refusedAt = time
      bucket.refusedMs = Math.max(1, retryMs)
    }
  }

  /** Asks until all that wait have their answer. One question may serve many; each serves the first. */
  async function ask(name: string, bucket: Bucket, asked: Promise<Taken>): Promise<void> {
    const { waiting } = bucket
    try {
      let taken = await asked
      for (;;) {
        const time = now()
        credit(bucket, taken, time)
        serve(bucket, time)
        if (waiting.length === 0) return
        const wanted = waiting.reduce((sum, { units }) => sum + units, 0)
        taken = await inquire(name, bucket, wanted, waiting[0]!.units)
      }
    } catch (error) {
      for (const { reject } of waiting.splice(0)) reject(error)
    }
  }

  return {
    take(name, units) {
      const bucket = find(name)
      const wait = () =>
        new Promise<number>((resolve, reject) => bucket.waiting.push({ units, resolve, reject }))
      // Whoever comes while others wait, waits behind them.
      if (bucket.waiting.length > 0) return wait()
      const time = now()
      if (!within(HELD, bucket.takenAt, time)) bucket.inHand = 0
      const known = answer(bucket, units, time)
      if (known !== undefined) return known
      const asked = inquire(name, bucket, units, units)
      if (asked instanceof Promise) {
        const answered = wait()
        void ask(name, bucket, asked)
        return answered
      }
      credit(bucket, asked, time)
      return answer(bucket, units, time) ?? bucket.refusedMs
    },
  }
}
