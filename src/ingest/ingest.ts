/** Publishers that speak to Redis instead of HTTP: raw messages and the inbox. */
import type { Receipt } from '../log/log.js'
import type { Intake } from '../log/redis/intake.js'
import type { Logger } from '../logger.js'
import { createInbox } from './inbox.js'
import { createRaw } from './raw.js'

export interface IngestOptions {
  readonly intake: Intake
  readonly logger: Logger
  /** Bytes of an event's data. */
  readonly maxEventBytes: number
  /** The log has taken an event. Default: nobody counts. */
  readonly appended?: (receipt: Receipt) => void
}

export interface Ingest {
  /** Leaves both to other gateways. Resolves when nothing is under way: the log may stop then. */
  stop(): Promise<void>
}

/** Starts both. What they can't do they say in the log; the gateway works without them. */
export function startIngest(options: IngestOptions): Ingest {
  const raw = createRaw(options)
  const inbox = createInbox(options)
  return {
    async stop() {
      await Promise.all([raw.stop(), inbox.stop()])
    },
  }
}
