/** What a log writes for its operators, line by line. */
import { EventEmitter, once } from 'node:events'
import type { RedisLogger } from '../../src/log/redis/partition.js'

export interface Journal extends RedisLogger {
  readonly lines: readonly string[]
  /** Lines so far that match. */
  count(pattern: RegExp): number
  /** Resolves once there is a line that matches, from `from` on. */
  line(pattern: RegExp, from?: number): Promise<void>
}

export function createJournal(): Journal {
  const lines: string[] = []
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const write = (fields: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(fields)}`)
    told.emit('line')
  }
  return {
    lines,
    info: write,
    warn: write,
    error: write,
    count: (pattern) => lines.filter((line) => pattern.test(line)).length,
    async line(pattern, from = 0) {
      while (!lines.slice(from).some((line) => pattern.test(line))) await once(told, 'line')
    },
  }
}
