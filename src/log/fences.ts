/**
 * Who may append where one producer follows another. A producer that slept can't know that it was
 * replaced, so it isn't asked: its number is compared in the very call that appends.
 */
import { SluiceError } from '../wire/errors.js'

/**
 * How long a fence is remembered after it was raised, in ms. Nothing depends on it while the newest
 * producer is at work, whose next append raises it again; it is for one that sleeps until nobody is.
 */
export const FENCE_TTL_MS = 24 * 60 * 60 * 1000
/** Fences remembered at most in memory (some 150 MB of them): beyond it the oldest is forgotten early. */
const MAX_FENCES = 1_000_000

/** What an older producer hears. */
export function fencedOff(channel: string | undefined): SluiceError {
  return new SluiceError('fenced', { detail: `Channel "${channel}" has a newer producer` })
}

/** Fences of the log in memory. Apart from the channels, which are forgotten earlier. */
export interface Fences {
  /** The greatest that was given; 0 where none is known. */
  of(channel: string): number
  /** Remembers a greater one. */
  raise(channel: string, fence: number): void
  /** Forgets what is due. */
  sweep(): void
}

export function createFences(now: () => number): Fences {
  // Insertion order is order of expiry, for all live equally long.
  const fences = new Map<string, { readonly fence: number; readonly expires: number }>()

  function of(channel: string): number {
    const known = fences.get(channel)
    return known !== undefined && known.expires > now() ? known.fence : 0
  }

  return {
    of,
    raise(channel, fence) {
      if (fence <= of(channel)) return
      fences.delete(channel)
      fences.set(channel, { fence, expires: now() + FENCE_TTL_MS })
      if (fences.size > MAX_FENCES) fences.delete(fences.keys().next().value as string)
    },
    sweep() {
      for (const [channel, { expires }] of fences) {
        if (expires > now()) return
        fences.delete(channel)
      }
    },
  }
}
