/**
 * Which tab leads: the one that holds a lock. A tab that is closed or crashes loses it by itself. A frozen
 * one keeps it, so a tab that is seen and hears nothing takes it away, once in a while at most: all tabs
 * at once would only restart the stream again and again.
 */
import { BEAT_MS } from './hub.js'

/** Silence of the leader after which a visible tab takes over. */
const SILENCE_MS = 15_000
/** Tabs that have noticed at the same moment don't act at the same moment. */
const SPREAD_MS = 2_000

export interface Election {
  /** The leader was heard. */
  heard(): void
  stop(): void
}

/** `lead` is called when this tab leads; what it gives, when it does so no more. */
export function elect(name: string, lead: () => () => void): Election {
  let last = Date.now()
  let leading = false
  let stopped = false
  let release = () => {}
  let leave = new AbortController()

  /** In the queue behind the leader, or, with `steal`, in its place. */
  function stand(steal: boolean): void {
    leave.abort()
    leave = new AbortController()
    const options: LockOptions = steal ? { steal } : { signal: leave.signal }
    navigator.locks
      .request(name, options, () => {
        if (stopped) return undefined
        leading = true
        const end = lead()
        return new Promise<void>((resolve) => {
          release = resolve
        }).finally(() => {
          leading = false
          end()
        })
      })
      .catch(() => {
        // Taken away, for we were silent.
        if (!leading) return
        release()
        last = Date.now()
        if (!stopped) stand(false)
      })
  }

  const watch = setInterval(() => {
    if (leading || document.visibilityState !== 'visible') return
    if (Date.now() - last < SILENCE_MS) return
    last = Date.now() - SILENCE_MS + BEAT_MS
    setTimeout(() => {
      if (leading || stopped || Date.now() - last < BEAT_MS) return
      last = Date.now()
      stand(true)
    }, Math.random() * SPREAD_MS)
  }, BEAT_MS)

  const rest = () => {
    leave.abort()
    release()
  }
  const back = () => {
    last = Date.now()
    if (!leading && !stopped) stand(false)
  }
  // Who can't do anything any more lets others do it.
  const over = new AbortController()
  document.addEventListener('freeze', rest, over)
  document.addEventListener('resume', back, over)
  stand(false)

  return {
    heard() {
      last = Date.now()
    },
    stop() {
      stopped = true
      clearInterval(watch)
      over.abort()
      rest()
    },
  }
}
