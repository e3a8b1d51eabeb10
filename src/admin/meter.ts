/** Counts become rates: samples of what only grows. Time is an argument. */
import type { Past, Rates } from './report.js'

export interface Meter {
  /** What has been counted so far, at a time in ms. */
  sample(counts: Rates, now: number): void
  /** Of the last samples. */
  readonly rates: Rates
  readonly past: Past
}

interface Sample extends Rates {
  readonly at: number
}

/** Samples that a rate is the mean of, and samples that are kept to be drawn. */
const WINDOW = 5
const KEPT = 60

export function createMeter(every: number): Meter {
  const samples: Sample[] = []
  const published: number[] = []
  const delivered: number[] = []

  function between(name: keyof Rates, from: Sample | undefined): number {
    const to = samples.at(-1)
    if (from === undefined || to === undefined || to.at <= from.at) return 0
    return tenths(((to[name] - from[name]) * 1000) / (to.at - from.at))
  }

  return {
    sample({ published: inward, received, delivered: outward }, at) {
      const before = samples.at(-1)
      samples.push({ published: inward, received, delivered: outward, at })
      if (samples.length > WINDOW + 1) samples.shift()
      if (before === undefined) return
      for (const [kept, name] of [
        [published, 'published'],
        [delivered, 'delivered'],
      ] as const) {
        kept.push(between(name, before))
        if (kept.length > KEPT) kept.shift()
      }
    },
    get rates() {
      const from = samples[0]
      return {
        published: between('published', from),
        received: between('received', from),
        delivered: between('delivered', from),
      }
    },
    get past() {
      return { every, published: [...published], delivered: [...delivered] }
    },
  }
}

const tenths = (value: number) => Math.round(value * 10) / 10
