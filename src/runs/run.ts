/**
 * A run: one generation, with a producer, a state and an end. Its events are those of the channel
 * `run:<id>`; what is known of it as a whole is its record, which outlives them.
 */

export type RunState = 'running' | 'done' | 'error' | 'aborted'

/** How a run's events are to be read. `plain`: nothing is known of them. */
export type RunFormat = 'openai.chat' | 'openai.responses' | 'anthropic' | 'ai-sdk' | 'plain'

/** Why a run failed: `code` is stable, `message` for people. Never holds what an upstream is called by. */
export interface RunFault {
  readonly code: string
  readonly message: string
}

/** Tokens, as far as the format tells them. */
export interface RunUsage {
  readonly input?: number
  readonly output?: number
  readonly total?: number
}

export interface Run {
  readonly id: string
  readonly state: RunState
  /** ms since the epoch. */
  readonly started: number
  /** ms since the epoch; null while it runs. */
  readonly ended: number | null
  readonly format: RunFormat
  /** Events appended, as of its end, or of its last sign of life. */
  readonly events: number
  /** Name of the upstream that it is relayed from. */
  readonly upstream?: string | undefined
  /** Who began it, and may produce it: as callers are told apart, not only by subjects. */
  readonly owner?: string | undefined
  /** The idempotency key that it was begun under, as `RunStore.keyed` knows it. */
  readonly key?: string | undefined
  /** It is yet to be seen whether it comes to be. Left out once it has. */
  readonly pending?: true | undefined
  readonly error?: RunFault | undefined
  /** All its text, once it has ended. */
  readonly text?: string | undefined
  readonly usage?: RunUsage | undefined
}

/** What is told of a run's end. */
export type RunEnd = Pick<Run, 'state' | 'events' | 'error' | 'text' | 'usage'> & {
  readonly state: Exclude<RunState, 'running'>
}

/** The channel of a run's events. */
export function runChannel(id: string): string {
  return `run:${id}`
}

export function isRunChannel(channel: string): boolean {
  return channel.startsWith('run:')
}

/** 1–150 characters of a channel’s name. `alice:x7` is alice’s to read by `run:{sub}:*`. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_\-.:@~=|+]{0,149}$/

export function isRunId(id: string): boolean {
  return ID.test(id)
}
