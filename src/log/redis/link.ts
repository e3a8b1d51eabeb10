/**
 * One connection that comes back. Each attempt is a new client that never reconnects by itself: what
 * was sent on a lost connection is settled for good, nothing is sent again behind our back, and
 * whoever holds a client knows that it is one TCP connection.
 */
import type { Redis } from 'ioredis'
import { HANDSHAKE_TIMEOUT, RECONNECT_DELAYS } from './limits.js'

export interface LinkOptions {
  /** A client that connects when told to (lazyConnect), once (no retryStrategy). */
  connect(): Redis
  /** Connected: what must be done before the link counts as up. A rejection drops it. */
  prepare(client: Redis): Promise<void>
  /** The link is up. */
  up(client: Redis): void
  /** It was up and is no more. */
  down(why: string): void
}

export interface Link {
  /** While the link is up. */
  readonly client: Redis | undefined
  /** Why it isn't up; the last failure. */
  readonly trouble: string
  open(): void
  /** Gives a connection up that doesn't answer, and connects anew. Without effect for an older client. */
  drop(client: Redis, why: string): void
  stop(): void
}

/** Settled too late to wait for: a frozen peer never says goodbye, so the socket is destroyed. */
function discard(client: Redis): void {
  client.disconnect()
  client.stream?.destroy()
}

export function createLink({ connect, prepare, up, down }: LinkOptions): Link {
  let current: Redis | undefined
  let ready = false
  let stopped = false
  let delay: number = RECONNECT_DELAYS.first
  let timer: NodeJS.Timeout | undefined
  let trouble = 'not connected yet'

  function lose(client: Redis, why: string): void {
    if (client !== current) return
    current = undefined
    trouble = why
    clearTimeout(timer)
    discard(client)
    const was = ready
    ready = false
    if (!stopped) timer = setTimeout(attempt, delay)
    delay = Math.min(delay * 2, RECONNECT_DELAYS.most)
    if (was) down(why)
  }

  function attempt(): void {
    const client = connect()
    current = client
    let reason = 'connection closed'
    client.on('error', (error: Error) => {
      reason = error.message || error.name
    })
    client.once('close', () => lose(client, reason))
    client.once('ready', () => {
      prepare(client).then(
        () => {
          if (client !== current) return
          clearTimeout(timer)
          delay = RECONNECT_DELAYS.first
          ready = true
          up(client)
        },
        (error: Error) => lose(client, error.message),
      )
    })
    timer = setTimeout(() => lose(client, 'no answer while connecting'), HANDSHAKE_TIMEOUT)
    // Its failure comes as 'close', too.
    client.connect().catch(() => {})
  }

  return {
    get client() {
      return ready ? current : undefined
    },
    get trouble() {
      return trouble
    },
    open: attempt,
    drop: lose,
    stop() {
      stopped = true
      clearTimeout(timer)
      ready = false
      if (current !== undefined) discard(current)
      current = undefined
    },
  }
}
