/** A hub on the log in memory, with sinks that a test can read, fill and drain. */
import { setImmediate as turn } from 'node:timers/promises'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { unchunk } from '../../src/hub/chunk.js'
import { createHub, type Hub, type HubOptions, type Opening } from '../../src/hub/hub.js'
import type { Sink, SinkOwner } from '../../src/hub/sink.js'
import type { Stream } from '../../src/hub/stream.js'
import type { Log } from '../../src/log/log.js'
import { createMemoryLog } from '../../src/log/memory.js'
import { parseCursor } from '../../src/wire/cursor.js'

/** A sink that keeps what it is given. */
export class TestSink implements Sink {
  owner: SinkOwner | undefined
  readonly writes: Buffer[] = []
  /** Takes no more, from the next write on. */
  stuck = false
  ended = false
  destroyed = false
  #corked = false

  write(chunks: Buffer): boolean {
    if (this.#corked && this.writes.length > 0) {
      this.writes.push(Buffer.concat([this.writes.pop()!, chunks]))
    } else this.writes.push(chunks)
    return !this.stuck
  }
  get buffered(): number {
    return this.stuck ? this.writes.reduce((sum, { length }) => sum + length, 0) : 0
  }
  cork(): void {
    this.#corked = true
  }
  uncork(): void {
    this.#corked = false
  }
  end(): void {
    this.ended = true
  }
  destroy(): void {
    this.destroyed = true
  }

  /** The socket has room again. */
  drain(): void {
    this.stuck = false
    this.owner?.drained()
  }

  /** Every event of the body so far, control events included. */
  get frames(): EventSourceMessage[] {
    const frames: EventSourceMessage[] = []
    const parser = createParser({ onEvent: (event) => frames.push(event) })
    for (const chunks of this.writes)
      for (const payload of unchunk(chunks)) parser.feed(payload.toString())
    return frames
  }

  /** Data of the application's events, as `channel=data`. */
  get events(): string[] {
    return this.frames
      .filter(({ event }) => event?.startsWith('stream.') !== true)
      .map(({ data }) => {
        const { channel, data: value } = JSON.parse(data) as { channel: string; data: unknown }
        return `${channel}=${value}`
      })
  }

  /** Names of the control events. */
  get control(): string[] {
    return this.frames.flatMap(({ event }) => (event?.startsWith('stream.') ? [event] : []))
  }

  /** Data of the control events of a name. */
  told(name: string): Record<string, unknown>[] {
    return this.frames
      .filter(({ event }) => event === name)
      .map(({ data }) => JSON.parse(data) as Record<string, unknown>)
  }

  get cursor(): string {
    return this.frames.findLast(({ id }) => id !== undefined)?.id ?? ''
  }
}

export interface Stage {
  readonly hub: Hub
  readonly log: Log
  /** Publishes strings, or numbers as strings. */
  publish(channel: string, ...values: (string | number)[]): Promise<void>
  /** Opens a stream; `after` a cursor, or `earliest`. */
  open(
    channels: string[],
    after?: string,
    more?: Partial<Opening>,
  ): Promise<TestSink & { stream: Stream }>
}

export async function stage(
  t: { teardown(fn: () => void): void },
  options: Partial<HubOptions> & {
    partitions?: number
    maxEvents?: number
    wrap?: (log: Log) => Log
  } = {},
): Promise<Stage> {
  const { partitions = 1, maxEvents = 1000, wrap = (log) => log, ...rest } = options
  const now = options.now ?? Date.now
  const retention = { maxEvents, maxAge: 3_600_000 }
  const log = wrap(createMemoryLog({ retentionFor: () => retention, partitions, now }))
  const defaults = { heartbeatMs: 15_000, maxAgeMs: 0, maxStreams: 10_000, random: () => 0.5 }
  const hub = createHub({ log, ...defaults, ...rest })
  await log.start(hub.listener)
  t.teardown(() => {
    hub.stop()
    void log.stop()
  })
  return {
    hub,
    log,
    async publish(channel, ...values) {
      await hub.publish(
        values.map((value) => ({ channel, name: 'message', data: JSON.stringify(String(value)) })),
      )
    },
    async open(channels, after, more = {}) {
      const cursor =
        after === undefined || after === 'earliest' ? undefined : parseCursor(after, partitions)!
      const from = cursor
        ? { cursor }
        : { from: after === 'earliest' ? ('earliest' as const) : ('latest' as const) }
      const opened = await hub.openStream({
        channels,
        from,
        format: 'envelope',
        presented: cursor && after,
        ...more,
      })
      if (opened.kind !== 'stream') throw new Error(`not opened: ${opened.kind}`)
      const sink = new TestSink()
      opened.stream.attach(sink)
      return Object.assign(sink, { stream: opened.stream })
    },
  }
}

/** Lets this turn of the event loop, and the hub's part of it, come to its end. */
export async function settled(turns = 3): Promise<void> {
  for (let i = 0; i < turns; i++) await turn()
}
