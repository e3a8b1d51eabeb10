/** What this tab remembers over a reload. */
import { room } from '../shared/room.js'
import type { Badness } from './proxy.js'
import type { Sent } from './tally.js'

interface Kept {
  readonly badness: Badness
  /** Whether they keep coming. */
  readonly coming: boolean
  readonly sent: readonly Sent[]
}

interface Recalled extends Kept {
  /** The page was here before: what it had shown is shown again. */
  readonly again: boolean
}

const KEY = `sluice-notifications-${room}`

export function recall(): Recalled {
  const text = sessionStorage.getItem(KEY)
  if (text === null) return { badness: 'none', coming: false, sent: [], again: false }
  return { ...JSON.parse(text), again: true }
}

/** `now`: asked when the page is left. */
export function remember(now: () => Kept): void {
  addEventListener('pagehide', () => sessionStorage.setItem(KEY, JSON.stringify(now())))
}
