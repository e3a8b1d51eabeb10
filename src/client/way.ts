/**
 * By which way a subscription is read: one stream, or finite answers one after the other where something
 * on the way holds streams back. Streaming is tried again now and then, for proxies come and go.
 */
import type { Mode } from './machine.js'
import { PROBE_MS } from './pace.js'
import type { Timer } from './timing.js'

export interface Way {
  /** The way of the next request. */
  next(): Mode
  /** A poll was answered, and nothing has failed since. */
  readonly polling: boolean
  /** A stream has begun. */
  onReady(): void
  /** A stream's beginning didn't come through. */
  onHeld(): void
  /** A poll was answered; true: the first in a row. */
  onPolled(): boolean
  /** A request of this way came to nothing, and a wait follows. */
  onFailed(mode: Mode): void
  close(): void
}

export function createWay(begin: Mode, timer: Timer, random: () => number): Way {
  let mode = begin
  /** A poll was answered since the mode was chosen. */
  let proven = false
  let polling = false
  let due = false
  let cancel = () => {}

  function probeLater(): void {
    due = false
    cancel()
    cancel = timer(PROBE_MS * (1 + random()), () => {
      due = true
    })
  }

  if (mode === 'poll') probeLater()
  return {
    next: () => (due ? 'stream' : mode),
    get polling() {
      return polling
    },
    onReady() {
      cancel()
      mode = 'stream'
      due = false
      proven = false
      polling = false
    },
    onHeld() {
      mode = 'poll'
      probeLater()
    },
    onPolled() {
      const first = !polling
      proven = true
      polling = true
      return first
    },
    onFailed(failed) {
      polling = false
      // A probe that failed says nothing against polls.
      if (due) probeLater()
      // Not even a poll was answered: it wasn't the streaming.
      else if (failed === 'poll' && !proven) mode = 'stream'
    },
    close: () => cancel(),
  }
}
