/** What the contract is held against: a started log, and somebody who writes down what it tells. */
import { EventEmitter, once } from 'node:events'
import type { Draft, Entry, Log, LogListener, Retention } from '../../src/log/log.js'
import type { EphemeralEvent } from '../../src/wire/event.js'

export interface Subject {
  readonly log: Log
  readonly heard: Recorder
  /** Lets time pass, by the clock that the log goes by. */
  elapse(ms: number): Promise<void>
  stop(): Promise<void>
}

export interface LogOptions {
  readonly partitions?: number
}

export type CreateSubject = (options?: LogOptions) => Promise<Subject>

/** Age of channels beginning with `short:`, in ms. */
export const SHORT_AGE = 1000
/** Events of channels beginning with `few:`. A log may keep some more. */
export const FEW = 10

/** Retention of all channels in these tests. */
export function retentionFor(channel: string): Retention {
  if (channel.startsWith('short:')) return { maxEvents: 1000, maxAge: SHORT_AGE }
  if (channel.startsWith('few:')) return { maxEvents: FEW, maxAge: 3_600_000 }
  return { maxEvents: 10_000, maxAge: 3_600_000 }
}

export interface Recorder extends LogListener {
  readonly entries: Entry[]
  readonly ephemerals: EphemeralEvent[]
  readonly deletions: { readonly channel: string; readonly upTo: number }[]
  readonly holes: { readonly channel: string; readonly seen: number }[]
  readonly interruptions: number[]
  entriesOf(channel: string): Entry[]
  /** Resolves once the condition holds; it is looked at whenever the log has told something. */
  until(condition: () => boolean): Promise<void>
}

export function createRecorder(): Recorder {
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const recorder: Recorder = {
    entries: [],
    ephemerals: [],
    deletions: [],
    holes: [],
    interruptions: [],
    entry(entry) {
      recorder.entries.push(entry)
      told.emit('told')
    },
    ephemeral(event) {
      recorder.ephemerals.push(event)
      told.emit('told')
    },
    deleted(channel, upTo) {
      recorder.deletions.push({ channel, upTo })
      told.emit('told')
    },
    hole(channel, seen) {
      recorder.holes.push({ channel, seen })
      told.emit('told')
    },
    interrupted(partition) {
      recorder.interruptions.push(partition)
      told.emit('told')
    },
    verified() {
      told.emit('told')
    },
    entriesOf: (channel) => recorder.entries.filter((entry) => entry.channel === channel),
    async until(condition) {
      while (!condition()) await once(told, 'told')
    },
  }
  return recorder
}

/** Drafts of one channel with the data 0, 1, 2 … */
export function drafts(channel: string, count: number, from = 0): Draft[] {
  return Array.from({ length: count }, (_, i) => ({
    channel,
    name: 'message',
    data: String(from + i),
  }))
}

/** The data of entries, `end` for the end. */
export function dataOf(entries: readonly Entry[]): string[] {
  return entries.map((entry) => (entry.kind === 'event' ? entry.data : 'end'))
}

/** Reads one channel to its end, page by page. */
export async function readAll(log: Log, channel: string, after: number, limit = 1000) {
  const entries: Entry[] = []
  const gaps = []
  let from = after
  for (;;) {
    const result = await log.read(log.partitionOf(channel), [{ channel, after: from }], limit)
    const [read] = result.channels
    if (read === undefined) throw new Error('no answer for the channel')
    if (read.gap !== undefined) gaps.push(read.gap)
    entries.push(...read.entries)
    if (read.complete) return { entries, gaps, closed: read.closed, snapshot: result.snapshot }
    from = read.entries.at(-1)!.order
  }
}

/** Where reading a channel begins so that all of it that is kept follows. */
export async function earliest(log: Log, channel: string): Promise<number> {
  const found = await log.seek(log.partitionOf(channel), [channel], { from: 'earliest' })
  return found.starts[0]!
}

/** All of a channel that is kept. */
export async function everything(log: Log, channel: string) {
  return readAll(log, channel, await earliest(log, channel))
}
