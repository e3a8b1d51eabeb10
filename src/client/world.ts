/** What a browser says about the network and the page. Elsewhere there is nothing to hear. */
import type { Happening } from './machine.js'

/** Calls `tell` until the answer is called. */
export function watchWorld(tell: (happening: Happening) => void): () => void {
  const stops: (() => void)[] = []
  const on = (target: EventTarget | undefined, name: string, listener: (event: Event) => void) => {
    if (typeof target?.addEventListener !== 'function') return
    target.addEventListener(name, listener)
    stops.push(() => target.removeEventListener(name, listener))
  }
  on(globalThis, 'online', () => tell({ type: 'online' }))
  on(globalThis, 'offline', () => tell({ type: 'offline' }))
  on(globalThis, 'pageshow', (event) => {
    if ((event as PageTransitionEvent).persisted) tell({ type: 'restored' })
  })
  const page = globalThis.document
  on(page, 'visibilitychange', () => {
    if (page.visibilityState === 'visible') tell({ type: 'visible' })
  })
  // A frozen page's timers stood still, and so did its watchdog.
  on(page, 'resume', () => tell({ type: 'visible' }))
  return () => {
    for (const stop of stops) stop()
  }
}

export function isOnline(): boolean {
  return globalThis.navigator?.onLine !== false
}
