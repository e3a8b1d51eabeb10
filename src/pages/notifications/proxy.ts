/**
 * A proxy that is bad on purpose, between this page and its network: what `connect({ fetch })` is given.
 * It may turn bad while streams are open, and those then suffer, too.
 */

export type Badness = 'none' | 'holds-body' | 'holds-last' | 'cuts-idle' | 'answers-502'

/** A stream has no end; a poll is one finite answer. */
export type Way = 'stream' | 'poll'

/** Milliseconds without a byte that an idle cutter allows. Real ones: half a minute and more. */
export const IDLE_MS = 2_000

export interface ProxyEvents {
  /** The client asks for events. */
  onOpen(way: Way): void
  /** Bytes are let through to it. */
  onPassed(way: Way): void
  /** The proxy ends a connection that was idle. */
  onCut(way: Way): void
  /** The client ends one that has not come to its end. */
  onGivenUp(way: Way): void
}

/** `badness`: at first. */
export function createBadProxy(events: ProxyEvents, badness: Badness) {
  /** Told when the proxy changes. */
  const open = new Set<() => void>()

  /** Whatever is open suffers, from now on and until it is safe. */
  function expose(cut: () => void) {
    let timer: ReturnType<typeof setTimeout>
    const suffer = () => {
      clearTimeout(timer)
      if (badness === 'cuts-idle') timer = setTimeout(cut, IDLE_MS)
      if (badness === 'answers-502') cut()
    }
    open.add(suffer)
    suffer()
    return {
      /** Bytes have passed. */
      heard: suffer,
      safe(): void {
        clearTimeout(timer)
        open.delete(suffer)
      },
    }
  }

  /** Until an answer begins: a poll waits for what happens. */
  function begin(way: Way, ask: () => Promise<Response>): Promise<Response> {
    return new Promise((resolve, reject) => {
      const { safe } = expose(() => {
        safe()
        events.onCut(way)
        reject(new TypeError('the connection was cut'))
      })
      ask().finally(safe).then(resolve, reject)
    })
  }

  async function through(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const url = new URL(String(input), location.href)
    const reads = url.pathname.startsWith('/v1/events') && (init?.method ?? 'GET') === 'GET'
    const way = !reads ? undefined : url.searchParams.has('wait') ? 'poll' : 'stream'
    if (way) events.onOpen(way)
    if (badness === 'answers-502') {
      const headers = { 'content-type': 'text/html' }
      return new Response('<h1>Bad Gateway</h1>', {
        status: 502,
        statusText: 'Bad Gateway',
        headers,
      })
    }
    if (way === undefined) return fetch(input, init)
    const answer = await begin(way, () => fetch(input, init))
    if (answer.body === null) return answer
    return new Response(pass(answer.body.getReader(), way, init?.signal), answer)
  }

  function pass(
    from: ReadableStreamDefaultReader<Uint8Array>,
    way: Way,
    signal: AbortSignal | null | undefined,
  ): ReadableStream<Uint8Array> {
    const held: Uint8Array[] = []
    let over = false

    async function pump(to: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
      const end = (how: () => void) => {
        if (over) return
        over = true
        safe()
        how()
      }
      const cut = () =>
        end(() => {
          to.error(new TypeError('the connection was cut'))
          void from.cancel()
          events.onCut(way)
        })
      const release = (keep: number) => {
        while (held.length > keep) {
          to.enqueue(held.shift()!)
          events.onPassed(way)
        }
      }
      signal?.addEventListener('abort', () => end(() => events.onGivenUp(way)))
      const { heard, safe } = expose(cut)
      try {
        for (;;) {
          const { done, value } = await from.read()
          if (over) return
          if (done) break
          held.push(value)
          release(
            badness === 'holds-body' ? Number.POSITIVE_INFINITY : Number(badness === 'holds-last'),
          )
          heard()
        }
        release(0)
        end(() => to.close())
      } catch (error) {
        // Cut by the real network, or by the client.
        end(() => {})
        to.error(error)
      }
    }

    return new ReadableStream({
      start: (to) => void pump(to),
      cancel: (reason) => from.cancel(reason),
    })
  }

  return {
    fetch: through as typeof fetch,
    turn(now: Badness): void {
      badness = now
      for (const suffer of [...open]) suffer()
    },
  }
}
