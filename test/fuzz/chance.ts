/** What the fuzz asks of chance, beyond what all tests do. */
import { type Random, seeded } from '../support/random.js'

/** One of a list that isn't empty. */
export function one<T>(random: Random, from: readonly T[]): T {
  return from[random.between(0, from.length - 1)]!
}

/** True in so many of all cases, 0–1. */
export function sometimes(random: Random, share: number): boolean {
  return random.next() < share
}

export function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.between(0, 255)))
}

/** One of a list by weight; weights need no sum. */
export function weighted<T extends { readonly weight: number }>(
  random: Random,
  from: readonly T[],
): T {
  let rest = random.next() * from.reduce((sum, { weight }) => sum + weight, 0)
  return from.find(({ weight }) => {
    rest -= weight
    return rest < 0
  })!
}

/**
 * Chance for the n-th attack of a run: its own, so that what it sends doesn't depend on what others
 * found, and it can be sent again alone.
 */
export function chanceOf(seed: number, n: number): Random {
  const random = seeded(seed ^ Math.imul(n + 1, 0x9e3779b1))
  // The first numbers of neighbouring seeds are alike.
  random.next()
  return random
}
