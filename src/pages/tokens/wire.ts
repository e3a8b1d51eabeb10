/**
 * A connection that can be cut from within its page: `fetch`, as it is without a network. A page can
 * close its connections, but then nobody tries again; here it looks like somebody else's doing.
 */
export interface Wire {
  readonly fetch: typeof globalThis.fetch
  /** Breaks what is open, and whatever is tried within `ms`. */
  cut(ms: number): void
}

export function createWire(): Wire {
  const open = new Set<AbortController>()
  let cutUntil = 0

  return {
    async fetch(input, init) {
      if (performance.now() < cutUntil) throw broken()
      const own = new AbortController()
      const asked = init?.signal
      open.add(own)
      asked?.addEventListener('abort', () => {
        open.delete(own)
        own.abort(asked.reason)
      })
      return fetch(input, { ...init, signal: own.signal })
    },
    cut(ms) {
      cutUntil = performance.now() + ms
      for (const each of open) each.abort(broken())
      open.clear()
    },
  }
}

/** What `fetch` fails with where there is no network. */
function broken(): TypeError {
  return new TypeError('the wire is cut')
}
