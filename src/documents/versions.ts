/** Names for states of documents. */
import { randomInt } from 'node:crypto'

/** `randomInt` goes no further. */
const RANGE = 2 ** 48 - 1

/**
 * Versions that nobody else gives: counted from a random number out of 2^48. Rejected: one more each time.
 * A Redis that lost its newest changes, or all it had, would give a version to a second state, and a change
 * that was computed from the first one would hold. And nobody could say the next version but the store.
 */
export function createVersions(): () => number {
  let version = randomInt(1, RANGE)
  return () => {
    version = version === RANGE ? 1 : version + 1
    return version
  }
}
