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

const KEY = `sluice-notifications-${room}`

export function recall(): Kept {
  const text = sessionStorage.getItem(KEY)
  return text === null ? { badness: 'none', coming: false, sent: [] } : JSON.parse(text)
}

/** `now`: asked when the page is left. */
export function remember(now: () => Kept): void {
  addEventListener('pagehide', () => sessionStorage.setItem(KEY, JSON.stringify(now())))
}
