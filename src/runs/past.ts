/** What a run's events have said, put together from the log: for a producer that comes later. */
import type { Log } from '../log/log.js'
import type { Reading } from './format.js'
import { detect, formatOf } from './formats.js'
import { PAGE } from './limits.js'
import { type RunFormat, runChannel } from './run.js'

export interface Past {
  /** As its first event shows it. */
  readonly format: RunFormat
  readonly reading: Reading
  readonly events: number
  /** The channel is closed: whoever ended it didn't come to write it down. */
  readonly closed: string | null | undefined
}

/** Reads a run from its first event that is kept. */
export async function readPast(
  log: Pick<Log, 'read' | 'partitionOf'>,
  id: string,
  recorded: RunFormat,
): Promise<Past> {
  const channel = runChannel(id)
  const partition = log.partitionOf(channel)
  let format = recorded
  let reading = formatOf(format).read()
  let after = 0
  let events = 0
  for (;;) {
    const { channels } = await log.read(partition, [{ channel, after }], PAGE)
    const { entries, complete, gap, closed } = channels[0]!
    for (const entry of entries) {
      if (entry.kind !== 'event') continue
      const data: unknown = JSON.parse(entry.data)
      const event = { name: entry.name, data: typeof data === 'string' ? data : entry.data }
      // Its producer may have died before it had written down what it found out.
      if (events++ === 0) {
        format = detect(event) ?? recorded
        reading = formatOf(format).read()
      }
      reading.feed(event)
    }
    after = Math.max(after, gap?.floor.order ?? 0, entries.at(-1)?.order ?? 0)
    if (complete || entries.length === 0) return { format, reading, events, closed: closed?.reason }
  }
}
