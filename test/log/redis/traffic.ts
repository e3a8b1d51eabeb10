/**
 * A gateway's log in use while its servers change under it: publishers that repeat an event with its
 * key until it is accepted, and readers that are live or read the log again, as streams do.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Entry, Gap, LogListener } from '../../../src/log/log.js'
import { createRedisLog, type RedisLog, type RedisLogOptions } from '../../../src/log/redis.js'
import { retentionFor } from '../subject.js'

export interface Traffic {
  readonly log: RedisLog
  /** Events accepted so far. */
  readonly accepted: number
  /** Times that an append was refused. */
  readonly refused: number
  /** Resolves when that many more events were accepted. */
  more(events: number): Promise<void>
  /** No append is under way, and none begins until `go`. */
  hold(): Promise<void>
  go(): void
  /** Ends the publishers, and tries all promises: everything accepted, once, in order, no gap. */
  finish(): Promise<void>
}

export interface TrafficOptions extends Partial<RedisLogOptions> {
  readonly url: string
  /** Default 10. */
  readonly channels?: number
  /** Appends per second, all channels together. Default 200. */
  readonly rate?: number
}

interface Reader {
  readonly got: string[]
  readonly gaps: Gap[]
  entry(entry: Entry): void
  /** Reads the log again, from where it stands. */
  again(): void
}

function createReader(log: RedisLog, channel: string, from: number, told: () => void): Reader {
  const got: string[] = []
  const gaps: Gap[] = []
  let cursor = from
  let live = false
  let reading = false
  let disturbed = false
  let held: Entry[] = []

  function take(entry: Entry): void {
    cursor = entry.order
    if (entry.kind === 'event') got.push(entry.data)
    told()
  }

  async function readAgain(): Promise<void> {
    live = false
    disturbed = true
    if (reading) return
    reading = true
    while (!live) {
      held = []
      disturbed = false
      try {
        await log.follow(channel)
        const partition = log.partitionOf(channel)
        const { channels } = await log.read(partition, [{ channel, after: cursor }], 50)
        const [read] = channels
        if (read?.gap !== undefined) gaps.push(read.gap)
        for (const entry of read?.entries ?? []) take(entry)
        if (read?.complete !== true) continue
        const rest = held.filter(({ order }) => order > cursor)
        const joined = rest.every(({ prev }, i) => prev === (rest[i - 1]?.order ?? cursor))
        live = joined && !disturbed
        if (live) for (const entry of rest) take(entry)
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'log_unavailable') throw error
        // The hub has a clock for this as well.
        await pause(25)
      }
    }
    reading = false
  }

  return {
    got,
    gaps,
    entry(entry) {
      if (!live) held.push(entry)
      else if (entry.order > cursor) take(entry)
    },
    again: () => void readAgain(),
  }
}

export async function startTraffic(t: Test, options: TrafficOptions): Promise<Traffic> {
  const { channels = 10, rate = 200, ...rest } = options
  const names = Array.from({ length: channels }, (_, i) => `c${i}`)
  const readers = new Map<string, Reader>()
  const sent = new Map(names.map((name) => [name, 0]))
  const log = createRedisLog({ retentionFor, ...rest })
  let accepted = 0
  let refused = 0
  let waiting: { condition(): boolean; resolve(): void }[] = []
  let gate: { promise: Promise<void>; open(): void } | undefined
  let underWay = 0
  let ended = false

  const told = (): void => {
    const met = waiting.filter(({ condition }) => condition())
    waiting = waiting.filter((each) => !met.includes(each))
    for (const { resolve } of met) resolve()
  }
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      waiting.push({ condition, resolve })
      told()
    })

  const inPartition = (partition: number) =>
    names.filter((name) => log.partitionOf(name) === partition)
  const listener: LogListener = {
    entry: (entry) => readers.get(entry.channel)?.entry(entry),
    hole: (channel) => readers.get(channel)?.again(),
    interrupted(partition) {
      for (const name of inPartition(partition)) readers.get(name)?.again()
    },
    ephemeral() {},
    deleted() {},
    verified() {},
  }

  async function publish(channel: string): Promise<void> {
    while (!ended) {
      await gate?.promise
      const number = sent.get(channel)!
      const draft = { channel, name: 'message', data: String(number), key: `${channel}:${number}` }
      underWay++
      try {
        await log.append([draft])
        sent.set(channel, number + 1)
        accepted++
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'log_unavailable') throw error
        refused++
      }
      underWay--
      told()
      await pause((1000 * channels) / rate)
    }
  }

  await log.start(listener)
  t.teardown(() => log.stop())
  for (const name of names) {
    const { position } = await log.seek(log.partitionOf(name), [name], { from: 'latest' })
    const reader = createReader(log, name, position.order, told)
    readers.set(name, reader)
    reader.again()
  }
  const publishing = Promise.all(names.map(publish))
  // Said by `finish`; until then it is nobody's.
  publishing.catch(() => {})

  const open = (): void => {
    gate?.open()
    gate = undefined
  }

  return {
    log,
    get accepted() {
      return accepted
    },
    get refused() {
      return refused
    },
    async more(events) {
      const due = accepted + events
      await until(() => accepted >= due)
    },
    async hold() {
      let resolve!: () => void
      const promise = new Promise<void>((yes) => {
        resolve = yes
      })
      gate = { promise, open: resolve }
      await until(() => underWay === 0)
    },
    go: open,
    async finish() {
      ended = true
      open()
      await publishing
      for (const name of names) {
        const count = sent.get(name)!
        const reader = readers.get(name)!
        await until(() => reader.got.length >= count)
        t.strictSame(
          reader.got,
          Array.from({ length: count }, (_, i) => String(i)),
          `${name}: everything accepted, once, in order`,
        )
        t.strictSame(reader.gaps, [], `${name}: no gap`)
      }
    },
  }
}
