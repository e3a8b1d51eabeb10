/** A reading of any format: what has been noted by the one function that knows the format. */
import type { Reading, RunEvent } from '../format.js'
import type { RunFault, RunUsage } from '../run.js'
import { type Members, parse } from './peek.js'

/** Bytes of a run's text, as UTF-8. Beyond, there is no text rather than half of one. */
export const MAX_TEXT = 4 * 1024 * 1024
/** Pieces that are joined at once: a string that grows by `+=` is a tree of 32 bytes for each token. */
const JOINED = 256

/** What a stopped run's last event says, in formats that have no word for it. */
export const ABORTED: RunFault = { code: 'aborted', message: 'The generation was stopped' }

export interface Notes {
  /** More of the text; anything but a string is none. */
  text(piece: unknown): void
  /** Added to what was told before, or instead of it. */
  usage(told: RunUsage | undefined): void
  done(): void
  aborted(): void
  failed(fault: RunFault): void
}

/** `follow`: one event, with its data's members where it is JSON. */
export function readWith(follow: (event: RunEvent, json: Members, notes: Notes) => void): Reading {
  const text = createText()
  let usage: RunUsage | undefined
  let end: Reading['end']
  /** A failure counts after success too (a second step that failed), but nothing takes it back. */
  const over = (told: NonNullable<Reading['end']>) => {
    if (end === undefined || end.state === 'done') end = told
  }
  const notes: Notes = {
    text: text.add,
    usage(told) {
      if (told !== undefined) usage = { ...usage, ...told }
    },
    done: () => over({ state: 'done' }),
    aborted: () => over({ state: 'aborted' }),
    failed(fault) {
      // Our own words, not a code that others have, too: whoever takes the run over then doesn't hold it
      // for a failure.
      const ours = fault.code === ABORTED.code && fault.message === ABORTED.message
      over(ours ? { state: 'aborted' } : { state: 'error', error: fault })
    },
  }
  return {
    feed: (event) => follow(event, parse(event.data), notes),
    get text() {
      return text.whole()
    },
    get usage() {
      return usage
    },
    get end() {
      return end
    },
  }
}

function createText() {
  let blocks: string[] = []
  let pieces: string[] = []
  let bytes = 0
  return {
    add(piece: unknown): void {
      if (typeof piece !== 'string' || bytes > MAX_TEXT) return
      bytes += Buffer.byteLength(piece)
      pieces.push(piece)
      if (bytes > MAX_TEXT) {
        blocks = []
        pieces = []
      } else if (pieces.length === JOINED) {
        blocks.push(pieces.join(''))
        pieces = []
      }
    },
    whole: () => (bytes > MAX_TEXT ? undefined : blocks.join('') + pieces.join('')),
  }
}
