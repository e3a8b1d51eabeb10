/**
 * One connection that comes back, to whichever node is the right one then. Each attempt is a new
 * client that never reconnects by itself: what was sent on a lost connection is settled for good,
 * nothing is sent again behind our back, and whoever holds a client knows that it is one TCP
 * connection to one process.
 *
 *     find ─→ connect ─→ prepare ─→ up        any failure, `drop` or `moved`: from the beginning
 */
import type { Redis } from 'ioredis'
import { type Node, nodeName, sameNode } from './address.js'
import { HANDSHAKE_TIMEOUT, RECONNECT_DELAYS, STEADY } from './limits.js'

export interface LinkOptions {
  /** Where to connect: asked anew for each attempt. */
  find(): Promise<Node>
  /** A client for that node that connects when told to (lazyConnect), once (no retryStrategy). */
  dial(node: Node): Redis
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
  /** Whether the link is to another node than this one, or on its way there. */
  elsewhere(node: Node): boolean
  /** Leaves whatever node it is connected to, and finds the right one anew. */
  leave(why: string): void
  stop(): void
}

interface Attempt {
  node?: Node
  client?: Redis
  /** performance.now of the moment since which the link is up. */
  since?: number
}

/** Settled too late to wait for: a frozen peer never says goodbye, so the socket is destroyed. */
function discard(client: Redis | undefined): void {
  client?.disconnect()
  client?.stream?.destroy()
}

export function createLink({ find, dial, prepare, up, down }: LinkOptions): Link {
  let current: Attempt | undefined
  let stopped = false
  let delay: number = RECONNECT_DELAYS.first
  let timer: NodeJS.Timeout | undefined
  let trouble = 'not connected yet'

  function lose(attempt: Attempt, why: string): void {
    if (attempt !== current) return
    current = undefined
    const { node, since } = attempt
    trouble = node === undefined ? why : `${nodeName(node)}: ${why}`
    clearTimeout(timer)
    discard(attempt.client)
    // A link that comes up only to be lost again is no reason to try at a greater rate.
    if (since !== undefined && performance.now() - since > STEADY) delay = RECONNECT_DELAYS.first
    if (!stopped) timer = setTimeout(begin, delay)
    delay = Math.min(delay * 2, RECONNECT_DELAYS.most)
    if (since !== undefined) down(trouble)
  }

  function begin(): void {
    const attempt: Attempt = {}
    current = attempt
    timer = setTimeout(() => {
      lose(
        attempt,
        attempt.node === undefined ? 'nobody says where it is' : 'no answer while connecting',
      )
    }, HANDSHAKE_TIMEOUT)
    find().then(
      (node) => {
        if (attempt === current) connect(attempt, node)
      },
      (error: Error) => lose(attempt, error.message),
    )
  }

  function connect(attempt: Attempt, node: Node): void {
    const client = dial(node)
    attempt.node = node
    attempt.client = client
    let reason = 'connection closed'
    client.on('error', (error: Error) => {
      reason = error.message || error.name
    })
    client.once('close', () => lose(attempt, reason))
    client.once('ready', () => {
      prepare(client).then(
        () => {
          if (attempt !== current) return
          clearTimeout(timer)
          attempt.since = performance.now()
          up(client)
        },
        (error: Error) => lose(attempt, error.message),
      )
    })
    // Its failure comes as 'close', too.
    client.connect().catch(() => {})
  }

  return {
    get client() {
      return current?.since === undefined ? undefined : current.client
    },
    get trouble() {
      return trouble
    },
    open: begin,
    drop(client, why) {
      if (current?.client === client) lose(current, why)
    },
    elsewhere: (node) => current?.node !== undefined && !sameNode(current.node, node),
    leave(why) {
      if (current?.client !== undefined) lose(current, why)
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      discard(current?.client)
      current = undefined
    },
  }
}
