/** What a browser says about the network and the page. Elsewhere there is nothing to hear. */
import type { Happening } from './machine.js'

/** Calls `tell` until the answer is called. */
export function watchWorld(tell: (happening: Happening) => void): () => void {
  const over = new AbortController()
  const page = globalThis.document
  const on = (target: EventTarget, name: string, happening: Happening, when = (_: Event) => true) =>
    target?.addEventListener?.(name, (event) => when(event) && tell(happening), over)
  on(globalThis, 'online', { type: 'online' })
  on(globalThis, 'offline', { type: 'offline' })
  // It may come back: but an open stream keeps a page out of the back-forward cache in some browsers, and
  // what a page receives throws it out of there in others.
  on(globalThis, 'pagehide', { type: 'left' })
  on(
    globalThis,
    'pageshow',
    { type: 'restored' },
    (event) => (event as PageTransitionEvent).persisted,
  )
  on(page, 'visibilitychange', { type: 'visible' }, () => page.visibilityState === 'visible')
  // A frozen page's timers stood still, and so did its watchdog.
  on(page, 'resume', { type: 'visible' })
  return () => over.abort()
}

export function isOnline(): boolean {
  return globalThis.navigator?.onLine !== false
}
