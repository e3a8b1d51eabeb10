/**
 * Raw messages: what anybody publishes on `<prefix>:in:<channel>` with plain Pub/Sub.
 *
 *     PUBLISH sluice:in:chat:7 hello ──┬─▶ gateway A   holds the lease: appends
 *                                      ├─▶ gateway B   hears it, and lets it be
 *                                      └─▶ gateway C   as well
 *
 * All of them listen on one server, the one that has the key `<prefix>:in`, also in a cluster, where
 * any node would do: so they hear the same messages in the same order, on which the lease relies.
 */
import type { Redis } from 'ioredis'
import type { Draft, Receipt } from '../log/log.js'
import type { Intake, IntakeLink } from '../log/redis/intake.js'
import type { Logger } from '../logger.js'
import { SluiceError } from '../wire/errors.js'
import { createDrops } from './drops.js'
import { createLease, type Lease } from './lease.js'
import {
  CHUNK_EVENTS,
  CHUNK_SIZE,
  HANDOVER,
  RENEW,
  WAITING_EVENTS,
  WAITING_SIZE,
} from './limits.js'
import { draftOfMessage } from './message.js'
import { isForbidden, messageOf } from './refusals.js'

export interface RawOptions {
  readonly intake: Intake
  readonly logger: Logger
  /** Bytes of an event's data. */
  readonly maxEventBytes: number
  /** The log has taken an event. Default: nobody counts. */
  readonly appended?: (receipt: Receipt) => void
}

export interface Raw {
  /** Hands over to another gateway. Resolves when nothing is under way. */
  stop(): Promise<void>
}

interface Turn {
  readonly lease: Lease
  /** Heard and not yet given to the log. */
  queue: Draft[]
  /** Of the queue and what the log hasn't answered. */
  events: number
  size: number
  scheduled: boolean
}

export function createRaw(options: RawOptions): Raw {
  const { intake, logger, maxEventBytes, appended = () => {} } = options
  const prefix = `${intake.prefix}:in:`
  const drops = createDrops(logger)
  const flying = new Set<Promise<void>>()
  /** What this gateway says when it leaves, and what to do when that is heard. */
  let farewell: { readonly text: string; heard(): void } | undefined
  let left = false
  let pinger: NodeJS.Timeout | undefined

  const turns = Array.from({ length: intake.partitions }, (_, partition): Turn => {
    const lease = createLease({
      partition,
      intake,
      async caughtUp() {
        const { client } = link
        if (client === undefined) throw new Error('not connected')
        await ping(client)
      },
      gained(handedOver) {
        logger.info({ partition, handedOver }, 'raw messages: this gateway appends them')
        schedule(partition)
      },
      lost(held) {
        if (held) logger.info({ partition }, 'raw messages: left to another gateway')
        clear(turns[partition]!)
      },
    })
    return { lease, queue: [], events: 0, size: 0, scheduled: false }
  })

  function clear(turn: Turn): void {
    turn.events -= turn.queue.length
    for (const draft of turn.queue) turn.size -= draft.data.length
    turn.queue = []
  }

  const link: IntakeLink = intake.link(`${intake.prefix}:in`, {
    async prepare(client) {
      client.on('pmessage', onMessage)
      try {
        await client.psubscribe(`${prefix}*`)
      } catch (error) {
        if (!isForbidden(error)) throw error
        // Not tried again: rights don't change by themselves.
        logger.warn(
          { reason: messageOf(error) },
          `raw messages are off: the gateway's Redis user may not PSUBSCRIBE ${prefix}*; grant it ` +
            `"&${prefix}*", or set ingest to off`,
        )
        setImmediate(() => link.stop())
        throw error
      }
    },
    up() {
      logger.info({}, 'raw messages: listening')
      for (const { lease } of turns) lease.open()
      pinger = setInterval(() => {
        if (link.client !== undefined) ping(link.client).catch(() => {})
      }, RENEW)
    },
    down(why) {
      logger.warn({ why }, 'raw messages: connection lost')
      clearInterval(pinger)
      for (const { lease } of turns) lease.shut()
    },
  })

  /** Answered after all that was sent before it. A half-open connection is found by the silence. */
  async function ping(client: Redis): Promise<void> {
    try {
      await client.ping()
    } catch (error) {
      link.drop(client, messageOf(error))
      throw error
    }
    if (client !== link.client) throw new Error('another connection')
  }

  function onMessage(_pattern: string, name: string, payload: string): void {
    const channel = name.slice(prefix.length)
    if (channel === '') hear(payload)
    else if (!left) take(channel, payload)
  }

  function take(channel: string, payload: string): void {
    const partition = intake.partitionOf(channel)
    const turn = turns[partition]!
    // Nobody else would say what is wrong with a message that is the holder's.
    if (turn.lease.claim !== 'holding' && !turn.lease.expecting) return
    let draft: Draft
    try {
      draft = draftOfMessage(channel, payload, maxEventBytes)
    } catch (error) {
      drops.count(reasonOf(error), channel)
      return
    }
    if (turn.events >= WAITING_EVENTS || turn.size >= WAITING_SIZE) {
      drops.count('overloaded', channel)
      return
    }
    turn.queue.push(draft)
    turn.events++
    turn.size += draft.data.length
    schedule(partition)
  }

  /** At the end of the turn, so that all that came in it goes in one call. */
  function schedule(partition: number): void {
    const turn = turns[partition]!
    if (turn.scheduled || turn.lease.claim !== 'holding') return
    turn.scheduled = true
    setImmediate(() => {
      turn.scheduled = false
      flush(partition, turn)
    })
  }

  function flush(partition: number, turn: Turn): void {
    if (turn.lease.claim !== 'holding') return
    const { token } = turn.lease
    const { queue } = turn
    turn.queue = []
    for (let from = 0; from < queue.length; ) {
      let size = 0
      let to = from
      while (to < queue.length && to - from < CHUNK_EVENTS && size < CHUNK_SIZE) {
        size += queue[to]!.data.length
        to++
      }
      const drafts = queue.slice(from, to)
      const sent = append(partition, turn, token, drafts).finally(() => {
        flying.delete(sent)
        turn.events -= drafts.length
        turn.size -= size
      })
      flying.add(sent)
      from = to
    }
  }

  async function append(
    partition: number,
    { lease }: Turn,
    token: string,
    drafts: readonly Draft[],
  ): Promise<void> {
    try {
      const outcomes = await intake.appendHeld(partition, { token, drafts })
      if (outcomes === 'fenced') {
        lease.fenced(token)
        return
      }
      outcomes.forEach((outcome, i) => {
        if (outcome instanceof SluiceError) drops.count(outcome.code, drafts[i]!.channel)
        else appended(outcome)
      })
    } catch (error) {
      drops.count(reasonOf(error), drafts[0]!.channel, drafts.length)
    }
  }

  /** Somebody's farewell: which leases it holds, each with its token. */
  function hear(payload: string): void {
    if (payload === farewell?.text) {
      // At once: the next message may have come with this one, and is somebody else's.
      left = true
      farewell.heard()
      return
    }
    if (left) return
    for (const [partition, token] of readFarewell(payload)) {
      turns[partition]?.lease.handover(token)
    }
  }

  /** Says goodbye among the messages. Resolves once all before it have been heard. */
  async function sayFarewell(client: Redis): Promise<void> {
    const held = turns.flatMap(({ lease }, i) =>
      lease.claim === 'holding' ? [[i, lease.token] as const] : [],
    )
    if (held.length === 0) return
    const text = JSON.stringify(held)
    const heard = new Promise<void>((resolve) => {
      farewell = { text, heard: resolve }
      setTimeout(resolve, HANDOVER).unref()
    })
    await client.publish(prefix, text)
    await heard
  }

  return {
    async stop() {
      const { client } = link
      // A user who may not PUBLISH leaves without a word; the others find out by themselves.
      if (client !== undefined) await sayFarewell(client).catch(() => {})
      left = true
      for (const [partition, turn] of turns.entries()) flush(partition, turn)
      await Promise.all(flying)
      await Promise.all(turns.map(({ lease }) => lease.release()))
      clearInterval(pinger)
      link.stop()
      drops.stop()
    },
  }
}

function reasonOf(error: unknown): string {
  return error instanceof SluiceError ? error.code : messageOf(error)
}

function readFarewell(payload: string): [partition: number, token: string][] {
  try {
    const value = JSON.parse(payload) as unknown
    if (!Array.isArray(value)) return []
    return value.filter(
      (it): it is [number, string] =>
        Array.isArray(it) && typeof it[0] === 'number' && typeof it[1] === 'string',
    )
  } catch {
    return []
  }
}
