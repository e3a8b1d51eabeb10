/** What a run's events have said, put together from the log: for a producer that comes later. */
import type { EventEntry, Log } from '../log/log.js'
import type { Reading, RunEvent } from './format.js'
import { detect, formatOf } from './formats.js'
import { PAGE } from './limits.js'
import { type Run, type RunFormat, runChannel } from './run.js'

/** What is known of a run up to a place in its channel. */
export interface Known {
  readonly format: RunFormat
  readonly reading: Reading
  readonly events: number
  /** Of its last event; 0 before the first. */
  readonly order: number
}

export interface Past extends Known {
  /** The channel is closed: whoever ended it didn't come to write it down. */
  readonly closed: string | null | undefined
}

interface Page extends Past {
  /** Events are missing that were before what is kept. */
  readonly cut: boolean
}

/**
 * Reads a run on from what is known of it. What the log says counts: where it has lost some of that, or
 * nothing is known, the run is read from its first event that is kept. Without its beginning there is no
 * text rather than half of one, and the record says how many events there were at least.
 */
export async function readPast(
  log: Pick<Log, 'read' | 'partitionOf'>,
  run: Run,
  known?: Known,
): Promise<Past> {
  const { cut, ...past } = await readOn(log, run, known)
  if (cut && known !== undefined) return readPast(log, run)
  // The record is some seconds old where its producer is gone, but never ahead.
  if (!cut && (known !== undefined || past.events >= run.events)) return past
  return {
    ...past,
    reading: endOnly(past.reading),
    events: Math.max(past.events, run.events),
  }
}

async function readOn(
  log: Pick<Log, 'read' | 'partitionOf'>,
  run: Run,
  known: Known | undefined,
): Promise<Page> {
  const channel = runChannel(run.id)
  const partition = log.partitionOf(channel)
  let format = known?.format ?? run.format
  let reading = known?.reading ?? formatOf(format).read()
  let events = known?.events ?? 0
  let order = known?.order ?? 0
  let after = order
  let cut = false
  // A read that fails half-way leaves what is known as it was. Without, there is nothing to spoil, but a
  // whole run to hold.
  const unread: RunEvent[] = []
  for (;;) {
    const { channels } = await log.read(partition, [{ channel, after }], PAGE)
    const { entries, complete, gap, closed } = channels[0]!
    // In front of a first event there may be a gap as well: it is known there that nothing was before it.
    if (gap !== undefined && gap.reason !== 'deleted') {
      cut ||= after > 0 || (entries[0]?.prev ?? 0) > 0
    }
    for (const entry of entries) {
      if (entry.kind !== 'event') continue
      const event = eventOf(entry)
      // Its producer may have died before it had written down what it found out.
      if (events++ === 0) {
        format = detect(event) ?? format
        reading = formatOf(format).read()
      }
      if (known === undefined) reading.feed(event)
      else unread.push(event)
      order = entry.order
    }
    after = Math.max(after, gap?.floor.order ?? 0, entries.at(-1)?.order ?? 0)
    if (complete || entries.length === 0) {
      for (const event of unread) reading.feed(event)
      return { format, reading, events, order, cut, closed: closed?.reason }
    }
  }
}

function eventOf({ name, data: json }: EventEntry): RunEvent {
  const data: unknown = JSON.parse(json)
  return { name, data: typeof data === 'string' ? data : json }
}

/** Reads along without the beginning: of a whole it knows only how it ends. */
function endOnly(reading: Reading): Reading {
  return {
    feed: (event) => reading.feed(event),
    text: undefined,
    usage: undefined,
    get end() {
      return reading.end
    },
  }
}
