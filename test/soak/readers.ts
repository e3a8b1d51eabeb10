/** Streams that resume by themselves, whatever is done to them, and a record of what each saw. */
import type { ReaderRecord } from '../support/checker.js'
import type { Random } from '../support/random.js'
import { type Reader, type Seen, startReader } from '../support/sse-reader.js'
import type { Sabotage } from './options.js'
import { createEventTable, createRecording, type Recording } from './record.js'
import { sabotaged } from './sabotage.js'

export interface SoakReader {
  readonly name: string
  readonly channels: readonly string[]
  readonly record: Recording
  readonly reader: Reader
}

export interface Readers {
  readonly all: readonly SoakReader[]
  readonly deliveries: number
  readonly reconnects: number
  /** Resolves when every stream has been live. */
  live(): Promise<void>
  /**
   * Resolves when every reader has seen the given event on each of its channels, or after `timeout`
   * ms without any delivery of these, with what is still owed: by name, the channels.
   */
  seen(ids: ReadonlyMap<string, string>, timeout: number): Promise<Map<string, string[]>>
  /** For the checker. */
  records(): ReaderRecord[]
  stop(): Promise<void>
}

export interface ReadersOptions {
  readonly url: string
  readonly count: number
  readonly channels: readonly string[]
  readonly channelsEach: number
  readonly random: Random
  readonly clock: () => number
  readonly sabotage: Sabotage | undefined
  /** Told of each gap as it comes. */
  readonly onGap: (reader: string, seen: Seen) => void
}

export function startReaders(options: ReadersOptions): Readers {
  const { random, clock } = options
  const table = createEventTable()
  /** What each reader is still waited for. */
  const owed = new Map<string, Map<string, string>>()
  const heard = new Map<string, Map<string, string>>()

  const all = Array.from({ length: options.count }, (_, i): SoakReader => {
    const name = `reader ${i}`
    const channels = random.choose(options.channels, options.channelsEach)
    const record = createRecording(table, clock)
    const newest = new Map<string, string>()
    heard.set(name, newest)
    const note = i === 0 ? sabotaged(options.sabotage, (seen) => record.note(seen)) : record.note
    const keep = (seen: Seen): void => {
      note(seen)
      if (seen.kind === 'event' && seen.id !== null) {
        newest.set(seen.channel, seen.id)
        if (owed.get(name)?.get(seen.channel) === seen.id) owed.get(name)!.delete(seen.channel)
      } else if (seen.kind === 'control' && seen.name === 'stream.gap') options.onGap(name, seen)
    }
    const pause = () => random.between(50, 300)
    const reader = startReader({ url: options.url, channels, keep, pause })
    return { name, channels, record, reader }
  })

  const sum = (of: (reader: SoakReader) => number) => all.reduce((n, each) => n + of(each), 0)
  return {
    all,
    get deliveries() {
      return sum(({ record }) => record.deliveries)
    },
    get reconnects() {
      return sum(({ reader }) => reader.connections - 1)
    },
    async live() {
      await Promise.all(
        all.map(({ reader, record }) =>
          reader.until(() => {
            for (const it of record.seen()) {
              if (it.kind === 'control' && it.name === 'stream.live') return true
            }
            return false
          }),
        ),
      )
    },
    async seen(ids, timeout) {
      for (const { name, channels } of all) {
        const mine = channels.filter(
          (channel) => heard.get(name)!.get(channel) !== ids.get(channel),
        )
        owed.set(name, new Map(mine.map((channel) => [channel, ids.get(channel)!])))
      }
      const left = () => [...owed.values()].reduce((n, each) => n + each.size, 0)
      let least = left()
      let since = clock()
      while (least > 0 && clock() - since < timeout) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (left() < least) {
          least = left()
          since = clock()
        }
      }
      const rest = [...owed].filter(([, channels]) => channels.size > 0)
      return new Map(rest.map(([name, channels]) => [name, [...channels.keys()]]))
    },
    records: () =>
      all.map(({ name, channels, record }) => ({ name, channels, seen: record.seen() })),
    async stop() {
      await Promise.all(all.map(({ reader }) => reader.stop()))
    },
  }
}
