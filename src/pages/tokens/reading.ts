/**
 * What a reader knows of a run, as one value that each item of the run makes anew, however it came:
 *
 *     connecting ──▶ streaming ──▶ done | stopped | failed
 *         ▲              │
 *         └─ connection ─┘ lost
 */
import type { RunState } from './gateway.js'

export type Phase = 'idle' | 'connecting' | 'streaming' | 'done' | 'stopped' | 'failed'

/** Where another connection went on. */
export interface Seam {
  readonly why: 'cut' | 'reloaded' | 'hidden'
  /** Characters and tokens before it. */
  readonly at: number
  readonly tokens: number
  /** The last one before it. */
  readonly id: string
}

export interface Reading {
  readonly phase: Phase
  readonly question: string
  readonly text: string
  readonly tokens: number
  /** Id of the last event; empty before the first. */
  readonly lastId: string
  readonly seams: readonly Seam[]
  /** In a word or two, while it isn't connected: what it waits for. */
  readonly waiting?: string | undefined
  /** Why it failed. */
  readonly error?: string | undefined
}

export interface Item {
  readonly id: string
  readonly name: string
  readonly data: unknown
}

/** One way to read a run, until it is closed. */
export interface Reader {
  readonly reading: Reading
  close(): void
}

export const NOTHING: Reading = {
  phase: 'idle',
  question: '',
  text: '',
  tokens: 0,
  lastId: '',
  seams: [],
}

export function isOver({ phase }: Reading): boolean {
  return phase === 'done' || phase === 'stopped' || phase === 'failed'
}

/** The reading after one more item. */
export function take(reading: Reading, { id, name, data }: Item): Reading {
  const next: Reading = { ...reading, lastId: id, phase: 'streaming', waiting: undefined }
  const { question, token, done, error } = saidIn(data)
  if (name === 'aborted') return { ...next, phase: 'stopped' }
  if (name === 'error') return { ...next, phase: 'failed', error }
  if (done) return { ...next, phase: 'done' }
  return {
    ...next,
    question: question ?? reading.question,
    text: reading.text + (token ?? ''),
    tokens: reading.tokens + (token === undefined ? 0 : 1),
  }
}

/** What an item says, as far as the page shows it: whoever made the run may have written anything into it. */
function saidIn(data: unknown) {
  const { question, token, done, error } = membersOf(data)
  return {
    question: textOf(question),
    token: textOf(token),
    done: done === true,
    error: textOf(membersOf(error).message),
  }
}

/** What the gateway itself appends is text, as is all that an EventSource gets. */
function membersOf(data: unknown): Readonly<Record<string, unknown>> {
  try {
    return (typeof data === 'string' ? JSON.parse(data) : data) ?? {}
  } catch {
    return {}
  }
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined)

/** Another connection has gone on where the one before ended. */
export function resume(reading: Reading, why: Seam['why']): Reading {
  const { text, tokens, lastId } = reading
  if (lastId === '') return reading
  const seam = { why, at: text.length, tokens, id: lastId }
  return { ...reading, seams: [...reading.seams, seam] }
}

/** Nothing more comes, and the items didn't say why: the record of the run does. */
export function conclude(reading: Reading, record: RunState): Reading {
  if (record.state === 'aborted') return { ...reading, phase: 'stopped' }
  const error = record.error?.message ?? 'The stream has ended before the text'
  return { ...reading, phase: 'failed', error }
}
