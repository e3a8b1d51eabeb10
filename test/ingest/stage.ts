/** Gateways' halves that take what is published on Redis: a log and its ingest, without HTTP. */
import { EventEmitter, once } from 'node:events'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { type Ingest, startIngest } from '../../src/ingest/ingest.js'
import { createRedisLog, type RedisLog } from '../../src/log/redis.js'
import { createRecorder, type Recorder, retentionFor } from '../log/subject.js'

export const APPENDS = 'raw messages: this gateway appends them'
export const LISTENS = 'raw messages: listening'
export const LEFT = 'raw messages: left to another gateway'
export const READS = 'inbox: this gateway reads it'

export interface Line {
  readonly level: 'info' | 'warn' | 'error'
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

export interface Node {
  readonly log: RedisLog
  readonly ingest: Ingest
  readonly heard: Recorder
  readonly lines: readonly Line[]
  /** Resolves with the first line that fits, said already or still to come. */
  said(fits: (line: Line) => boolean): Promise<Line>
  stop(): Promise<void>
}

export interface NodeOptions {
  readonly url: string
  readonly prefix: string
  readonly partitions?: number
  readonly maxEventBytes?: number
}

export async function startNode(t: Test, options: NodeOptions): Promise<Node> {
  const { url, prefix, partitions = 1, maxEventBytes = 100_000 } = options
  const lines: Line[] = []
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const say = (level: Line['level']) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Line['fields'], message })
    told.emit('line')
  }
  async function said(fits: (line: Line) => boolean): Promise<Line> {
    for (let at = 0; ; ) {
      for (; at < lines.length; at++) if (fits(lines[at]!)) return lines[at]!
      await once(told, 'line')
    }
  }
  const logger = { debug() {}, info: say('info'), warn: say('warn'), error: say('error') }
  const heard = createRecorder()
  const log = createRedisLog({ url, prefix, partitions, retentionFor, logger })
  await log.start(heard)
  const ingest = startIngest({ intake: log.intake, logger, maxEventBytes })
  await Promise.race([
    said(({ message }) => message === LISTENS),
    said(({ message }) => message.startsWith('raw messages are off')),
  ])
  let stopped = false
  const node: Node = {
    log,
    ingest,
    heard,
    lines,
    said,
    async stop() {
      if (stopped) return
      stopped = true
      await ingest.stop()
      await log.stop()
    },
  }
  t.teardown(() => node.stop())
  return node
}

/** Resolves once one of the nodes appends the raw messages of a partition; answers which. */
export function holder(nodes: readonly Node[], partition = 0): Promise<Node> {
  return Promise.race(
    nodes.map(async (node) => {
      await node.said((line) => line.message === APPENDS && line.fields.partition === partition)
      return node
    }),
  )
}

/** A client for whoever publishes. */
export function plain(t: Test, url: string): Redis {
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  return client
}

/** `0`, `1`, `2` … */
export const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => String(from + i))
