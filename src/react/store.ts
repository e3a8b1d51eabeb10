/** What a hook shows: a snapshot that is the same object until something changes, as React wants it. */

/** Between two renderings, in milliseconds: a token stream is one a frame, not one a token. */
const FRAME_MS = 16

export interface Store<S> {
  subscribe(listener: () => void): () => void
  getSnapshot(): S
}

/**
 * `read` makes a snapshot; `open` begins to listen, says when there is something new, and gives back what
 * ends it. Nothing is opened before somebody subscribes, so a rendering that React throws away costs nothing.
 */
export function createStore<S>(read: () => S, open: (changed: () => void) => () => void): Store<S> {
  const listeners = new Set<() => void>()
  let snapshot = read()
  let close: (() => void) | undefined
  let frame: ReturnType<typeof setTimeout> | undefined

  /** Rejected: requestAnimationFrame, which a hidden tab doesn't get, though its title may count what is unread. */
  function changed(): void {
    frame ??= setTimeout(() => {
      frame = undefined
      snapshot = read()
      for (const listener of [...listeners]) listener()
    }, FRAME_MS)
  }

  function release(): void {
    if (listeners.size > 0 || close === undefined) return
    close()
    close = undefined
    clearTimeout(frame)
    frame = undefined
  }

  return {
    subscribe(listener) {
      listeners.add(listener)
      close ??= open(changed)
      return () => {
        listeners.delete(listener)
        // Not at once: StrictMode comes back in the same breath, and where the channel changes the next
        // one is on the stream before this one is off it, so that the stream stays.
        queueMicrotask(release)
      }
    },
    getSnapshot: () => snapshot,
  }
}
