/** The body of an upstream's answer, as it comes: no faster than it is taken, no slower than is bearable. */
import type { IncomingMessage } from 'node:http'
import { UpstreamFault } from './faults.js'

/** Runs something in `ms`; what it returns prevents that. */
export type Later = (run: () => void, ms: number) => () => void

export interface BodyOptions {
  /** Longest silence, in ms. It counts only while somebody waits: a slow reader is no silent upstream. */
  readonly idleTimeoutMs: number
  readonly later: Later
  /** Gives the exchange up; the first reason counts. */
  giveUp(fault: UpstreamFault): void
  /** Why it was given up. */
  reason(): UpstreamFault | undefined
}

/** Bytes that may wait here; then the upstream's connection isn't read any more. */
const WAITING = 64 * 1024

/**
 * Parts of the body: what has come since the last, as one. Ends where the answer is complete, throws an
 * UpstreamFault where it isn't. Whoever stops reading gives the answer up.
 */
export function bodyOf(response: IncomingMessage, options: BodyOptions): AsyncIterable<Buffer> {
  // At once, not when somebody begins to read.
  return partsOf(response, collect(response), options)
}

async function* partsOf(
  response: IncomingMessage,
  waiting: Collected,
  { idleTimeoutMs, later, giveUp, reason }: BodyOptions,
): AsyncGenerator<Buffer> {
  const silence = () => giveUp(new UpstreamFault('idle_timeout'))
  try {
    for (;;) {
      if (!waiting.ready) {
        const cancel = later(silence, idleTimeoutMs)
        await waiting.news()
        cancel()
      }
      const fault = reason()
      if (fault !== undefined) throw fault
      const part = waiting.take()
      if (part !== undefined) yield part
      else if (response.complete) return
      else throw new UpstreamFault('broken', 'its answer broke off')
    }
  } finally {
    giveUp(new UpstreamFault('aborted'))
  }
}

interface Collected {
  /** Something is there, or nothing will be any more. */
  readonly ready: boolean
  /** Resolves when `ready`. For one at a time. */
  news(): Promise<void>
  take(): Buffer | undefined
}

/**
 * A response that breaks off forgets what it has not handed out, which may be the last words of a
 * generation. What is in here outlives it. A PassThrough would do, but it and the iterators of Node's
 * streams are a sixth of what a token costs.
 */
function collect(response: IncomingMessage): Collected {
  let parts: Buffer[] = []
  let bytes = 0
  let closed = false
  let tell = () => {}

  response.on('error', () => {})
  response.on('data', (part: Buffer) => {
    parts.push(part)
    bytes += part.length
    if (bytes >= WAITING) response.pause()
    tell()
  })
  // After a clean end as well as after a break.
  response.once('close', () => {
    closed = true
    tell()
  })

  return {
    get ready() {
      return closed || parts.length > 0
    },
    news: () => new Promise((resolve) => (tell = resolve)),
    take() {
      const part = parts.length > 1 ? Buffer.concat(parts) : parts[0]
      if (bytes >= WAITING) response.resume()
      parts = []
      bytes = 0
      return part
    },
  }
}
