/** The body of an upstream's answer, as it comes: no faster than it is taken, no slower than is bearable. */
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
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
 * Parts of the body. Ends where the answer is complete, throws an UpstreamFault where it isn't. Whoever
 * stops reading gives the answer up.
 */
export function bodyOf(response: IncomingMessage, options: BodyOptions): AsyncIterable<Buffer> {
  // A response that breaks off forgets what it has not handed out, which may be the last words of a
  // generation. What is in here outlives it.
  const waiting = new PassThrough({ highWaterMark: WAITING })
  response.on('error', () => {})
  response.pipe(waiting)
  // After a clean end as well as after a break; `pipe` passes on the former only.
  response.once('close', () => waiting.end())
  return partsOf(response, waiting, options)
}

async function* partsOf(
  response: IncomingMessage,
  waiting: PassThrough,
  { idleTimeoutMs, later, giveUp, reason }: BodyOptions,
): AsyncGenerator<Buffer> {
  const parts = (waiting as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const silence = () => giveUp(new UpstreamFault('idle_timeout'))
  try {
    for (;;) {
      const cancel = later(silence, idleTimeoutMs)
      const next = await parts.next().finally(cancel)
      const fault = reason()
      if (fault !== undefined) throw fault
      if (next.done !== true) yield next.value
      else if (response.complete) return
      else throw new UpstreamFault('broken', 'its answer broke off')
    }
  } finally {
    giveUp(new UpstreamFault('aborted'))
  }
}
