/**
 * What is known of a format of streamed generations. Events pass as they came; a format only reads along,
 * and says how an end looks that the producer itself didn't say.
 */
import type { RunEnd, RunFault, RunFormat, RunUsage } from './run.js'

/** An event as its producer wrote it. */
export interface RunEvent {
  /** `message` where it had none. */
  readonly name: string
  readonly data: string
}

/** Reads along, event by event. */
export interface Reading {
  /** Never throws, whatever comes: what isn't understood says nothing. */
  feed(event: RunEvent): void
  /** The text put together so far; undefined for `plain`, and beyond `MAX_TEXT`. */
  readonly text: string | undefined
  /** As the producer told it last; what it didn't tell isn't reckoned. */
  readonly usage: RunUsage | undefined
  /**
   * Whether the events have said that the generation is over; undefined while they haven't. A body that
   * ends before that has broken off; only of `plain` nothing is known but that its body ended. Events
   * may follow (`[DONE]` after a `finish`), and pass like any.
   */
  readonly end: Pick<RunEnd, 'state' | 'error'> | undefined
}

export interface Format {
  readonly name: RunFormat
  read(): Reading
  /**
   * The events that end a run which its producer didn't end. Readers of this format take them for an
   * error, never for success. `events`: how many were before, for the format that numbers them.
   */
  broken(fault: RunFault, events?: number): readonly RunEvent[]
  /**
   * The same where somebody stopped it. `ai-sdk` has a word for it; in the others it is an error with the
   * code `aborted`, for their quiet ends are what a whole text ends with: whoever keeps what has come
   * would keep half a text. A page tells the two by the code.
   */
  aborted(events?: number): readonly RunEvent[]
}
