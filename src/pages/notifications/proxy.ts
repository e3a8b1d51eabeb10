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

export function createBadProxy(events: ProxyEvents) {
  let badness: Badness = 'none'
  /** Told when the proxy changes. */
  const open = new Set<() => void>()

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
    const answer = await fetch(input, init)
    if (way === undefined || answer.body === null) return answer
    return new Response(pass(answer.body.getReader(), way, init?.signal), answer)
  }

  function pass(
    from: ReadableStreamDefaultReader<Uint8Array>,
    way: Way,
    signal: AbortSignal | null | undefined,
  ): ReadableStream<Uint8Array> {
    const held: Uint8Array[] = []
    let timer: ReturnType<typeof setTimeout>
    let over = false

    async function pump(to: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
      const end = (how: () => void) => {
        if (over) return
        over = true
        clearTimeout(timer)
        open.delete(suffer)
        how()
      }
      const cut = () =>
        end(() => {
          to.error(new TypeError('the connection was cut'))
          void from.cancel()
          events.onCut(way)
        })
      const suffer = () => {
        clearTimeout(timer)
        if (badness === 'cuts-idle') timer = setTimeout(cut, IDLE_MS)
        if (badness === 'answers-502') cut()
      }
      const release = (keep: number) => {
        while (held.length > keep) {
          to.enqueue(held.shift()!)
          events.onPassed(way)
        }
      }
      signal?.addEventListener('abort', () => end(() => events.onGivenUp(way)))
      open.add(suffer)
      suffer()
      try {
        for (;;) {
          const { done, value } = await from.read()
          if (over) return
          if (done) break
          held.push(value)
          release(
            badness === 'holds-body' ? Number.POSITIVE_INFINITY : Number(badness === 'holds-last'),
          )
          suffer()
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
