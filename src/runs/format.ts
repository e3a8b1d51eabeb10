/**
 * What is known of a format of streamed generations. Events pass as they came; a format only reads along,
 * and says how an end looks that the producer itself didn't say.
 */
import type { RunFault, RunFormat, RunUsage } from './run.js'

/** An event as its producer wrote it. */
export interface RunEvent {
  /** `message` where it had none. */
  readonly name: string
  readonly data: string
}

/** Reads along, event by event. */
export interface Reading {
  feed(event: RunEvent): void
  /** The text put together so far; undefined for `plain`. */
  readonly text: string | undefined
  readonly usage: RunUsage | undefined
  /**
   * Whether the events have said that the generation is over: `done` or `error`; undefined while they
   * haven't. A body that ends before that has broken off.
   */
  readonly end: { readonly state: 'done' | 'error'; readonly error?: RunFault } | undefined
}

export interface Format {
  readonly name: RunFormat
  read(): Reading
  /** The events that end a run which its producer didn't end: readers of this format take them for its end. */
  broken(fault: RunFault): readonly RunEvent[]
  /** The same where somebody stopped it. */
  aborted(): readonly RunEvent[]
}
