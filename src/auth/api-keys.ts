/** The keys of backends. */
import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * Whether a text is one of the keys. Compared by their digests, which are of one length, and all of them
 * always: how long it takes says nothing about how near a guess was.
 */
export function createApiKeys(keys: readonly string[]): (text: string) => boolean {
  const digests = keys.map(digest)
  return (text) => {
    const given = digest(text)
    let found = false
    for (const known of digests) if (timingSafeEqual(known, given)) found = true
    return found
  }
}
