/** Idempotency keys of the log in memory. */
import { createHash } from 'node:crypto'
import type { Draft, Receipt } from './log.js'

/** How long a key is remembered, in ms. */
export const KEY_TTL_MS = 5 * 60 * 1000
/** Keys remembered at most (some 300 MB of them at worst): beyond it the oldest is forgotten early. */
const MAX_KEYS = 1_000_000

/** What makes two drafts the same: a hash, so that a remembered key costs the same for any data. */
export function fingerprint(draft: Draft): string {
  const hash = createHash('sha1').update(`${draft.ephemeral === true} ${draft.name}\n`)
  return hash.update(draft.data).digest('base64')
}

/** One publisher's key on one channel. Unambiguous: neither channels nor keys have spaces. */
export function keyName(draft: Draft, key: string): string {
  return `${draft.channel} ${key} ${draft.sender ?? ''}`
}

export interface Keyring {
  /** The receipt given for the key, where it is remembered. */
  find(draft: Draft, key: string): Receipt | undefined
  /** Whether the key is remembered for another event. */
  conflicts(draft: Draft, key: string): boolean
  remember(draft: Draft, key: string, receipt: Receipt): void
  /** Forgets what is due. */
  sweep(): void
}

export function createKeyring(now: () => number): Keyring {
  // Insertion order is order of expiry, for all live equally long.
  const keys = new Map<string, { fingerprint: string; receipt: Receipt; expires: number }>()

  function lookup(draft: Draft, key: string) {
    const known = keys.get(keyName(draft, key))
    return known !== undefined && known.expires > now() ? known : undefined
  }

  return {
    find: (draft, key) => lookup(draft, key)?.receipt,
    conflicts(draft, key) {
      const known = lookup(draft, key)
      return known !== undefined && known.fingerprint !== fingerprint(draft)
    },
    remember(draft, key, receipt) {
      const name = keyName(draft, key)
      keys.delete(name)
      const expires = now() + KEY_TTL_MS
      keys.set(name, { fingerprint: fingerprint(draft), receipt, expires })
      if (keys.size > MAX_KEYS) keys.delete(keys.keys().next().value as string)
    },
    sweep() {
      for (const [name, { expires }] of keys) {
        if (expires > now()) return
        keys.delete(name)
      }
    },
  }
}
