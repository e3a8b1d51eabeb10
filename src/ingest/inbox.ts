/**
 * The inbox: a stream, `<prefix>:inbox`, in which publishers on Redis leave entries. One gateway at a
 * time reads it, from its beginning, and removes what the log has taken:
 *
 *     the first entries ─▶ each partition: append those newer than the last one taken ─▶ remove them
 *           ▲                                                                              │
 *           └──────────────────────────────────────────────────────────────────────────────┘
 *
 * A reader that dies in between, or one that slept and comes late, appends nothing twice: partitions
 * remember what they took, in the same step in which they took it. So the lease is only there to spare
 * work.
 */
import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Draft, Receipt } from '../log/log.js'
import { callFunction, isElsewhere, isReply } from '../log/redis/functions.js'
import type { Intake, IntakeLink } from '../log/redis/intake.js'
import type { Logger } from '../logger.js'
import { SluiceError } from '../wire/errors.js'
import { BLOCK, LEASE, RENEW, RETRY, TAKE_BYTES, TAKE_EVENTS } from './limits.js'
import { draftOfEntry } from './message.js'
import { isForbidden, isWrongType, messageOf } from './refusals.js'
import { createRejects, type Rejected } from './rejects.js'

export interface InboxOptions {
  readonly intake: Intake
  readonly logger: Logger
  /** Bytes of an event's data. */
  readonly maxEventBytes: number
  /** The log has taken an event. Default: nobody counts. */
  readonly appended?: (receipt: Receipt) => void
}

export interface Inbox {
  /** Resolves when nothing is under way. */
  stop(): Promise<void>
}

type Entry = [id: string, fields: string[]]
type Look = [wait: number, source?: string, newest?: string, entries?: Entry[]]
/** An entry that a partition has taken, of a source that claims that it never had one so new. */
interface Beyond {
  readonly source: string
  readonly id: string
}

const nonce = () => randomBytes(12).toString('base64url')

export function createInbox(options: InboxOptions): Inbox {
  const { intake, logger, maxEventBytes, appended = () => {} } = options
  const key = `${intake.prefix}:inbox`
  const token = nonce()
  const rejects = createRejects(intake, key, logger)
  let stopped = false
  let reading = false
  let blocked = false
  let running: Promise<void> = Promise.resolve()
  let wake: (() => void) | undefined

  const link: IntakeLink = intake.link(key, {
    async prepare() {},
    up(client) {
      running = run(client)
    },
    down(why) {
      logger.warn({ why }, 'inbox: connection lost')
      wake?.()
    },
  })

  const current = (client: Redis) => !stopped && client === link.client

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function run(client: Redis): Promise<void> {
    let beyond: Beyond | undefined
    let retry: number = RETRY.first
    let troubled = false
    while (current(client)) {
      try {
        const [wait, source = '', newest = '', entries = []] = await look(client, beyond)
        beyond = undefined
        troubled = false
        if (reading !== (wait === 0)) {
          reading = wait === 0
          logger.info({}, `inbox: ${reading ? 'this gateway reads it' : 'left to another gateway'}`)
        }
        if (wait > 0) await pause(Math.min(wait + 1, RENEW))
        else if (entries.length === 0) await news(client)
        else {
          const taken = await take(entries, source, newest)
          beyond = taken.beyond
          if (taken.done.length > 0) await client.xdel(key, ...taken.done)
          if (taken.waiting) {
            await pause(retry)
            retry = Math.min(retry * 2, RETRY.most)
          } else retry = RETRY.first
        }
      } catch (error) {
        if (!current(client)) return
        if (!isReply(error) || isElsewhere(error)) {
          link.drop(client, messageOf(error))
          return
        }
        if (isForbidden(error)) {
          forbid(error)
          return
        }
        // Not said each second: a Redis that is full, say, may be so for an hour.
        if (!troubled) {
          const advice = isWrongType(error) ? `; ${key} is not a stream: rename or delete it` : ''
          logger.warn({ reason: messageOf(error) }, `inbox: it can't be read${advice}`)
        }
        troubled = true
        await pause(RETRY.most)
      }
    }
  }

  /** Resolves when there may be an entry. */
  async function news(client: Redis): Promise<void> {
    if (stopped) return
    blocked = true
    try {
      await client.xread('COUNT', 1, 'BLOCK', BLOCK, 'STREAMS', key, '0-0')
    } finally {
      blocked = false
    }
  }

  async function look(client: Redis, beyond: Beyond | undefined): Promise<Look> {
    const args = [
      token,
      LEASE,
      nonce(),
      TAKE_EVENTS,
      TAKE_BYTES,
      beyond?.source ?? '',
      beyond?.id ?? '',
    ]
    return (await callFunction(client, 'inbox', key, args)) as Look
  }

  /** Gives entries to their partitions, in order. `done`: those that the inbox needn't keep. */
  async function take(entries: readonly Entry[], source: string, newest: string) {
    const parts = new Map<number, { id: string; draft: Draft; fields: readonly string[] }[]>()
    const rejected: Rejected[] = []
    const done: string[] = []
    let beyond: Beyond | undefined
    let waiting = false
    for (const [id, fields] of entries) {
      try {
        const draft = draftOfEntry(fields, maxEventBytes)
        const partition = intake.partitionOf(draft.channel)
        const part = parts.get(partition)
        if (part === undefined) parts.set(partition, [{ id, draft, fields }])
        else part.push({ id, draft, fields })
      } catch (error) {
        rejected.push({ id, fields, reason: reasonOf(error) })
      }
    }
    await Promise.all(
      Array.from(parts, async ([partition, part]) => {
        try {
          const taking = { source, newest, entries: part }
          const outcomes = await intake.appendOnce(partition, taking)
          if ('beyond' in outcomes) {
            beyond = { source, id: outcomes.beyond }
            return
          }
          outcomes.forEach((outcome, i) => {
            const { id, fields } = part[i]!
            if (outcome instanceof SluiceError) {
              rejected.push({ id, fields, reason: reasonOf(outcome) })
            } else {
              done.push(id)
              if (outcome !== 'taken') appended(outcome)
            }
          })
        } catch {
          // Overloaded or away: whatever it did, the same entries may be given to it again.
          waiting = true
        }
      }),
    )
    await rejects.put(rejected)
    for (const { id } of rejected) done.push(id)
    return { done, beyond, waiting }
  }

  /** Not tried again: rights don't change by themselves. */
  function forbid(error: unknown): void {
    logger.warn(
      { reason: messageOf(error) },
      `the inbox is off: the gateway's Redis user may not read and write the stream ${key}; grant it ` +
        `"~${key}" and "~{${key}}:reader" with +@read +@write, or set ingest to off`,
    )
    link.stop()
  }

  return {
    async stop() {
      const connected = link.client !== undefined
      stopped = true
      wake?.()
      // What is under way is taken and removed; only waiting for a new entry is broken off.
      if (blocked) link.stop()
      await running
      link.stop()
      if (!connected) return
      await intake
        .visit(key, (client) => callFunction(client, 'inbox_leave', key, [token]))
        .catch(() => {})
    },
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof SluiceError)) throw error
  return `${error.code}: ${error.message}`
}
