/**
 * What others that are made of Redis itself (src/ingest, src/auth, src/documents) need of the log: connections of their
 * own beside the partitions', functions, and appends that a repetition or a late comer can't double.
 */
import type { Redis } from 'ioredis'
import { partitionOf } from '../partition.js'
import type { Node } from './address.js'
import type { Held, Moment, MomentOutcome, Outcome, Taking } from './batch.js'
import { meetMaster } from './contact.js'
import type { Argument, FunctionName } from './functions.js'
import { createLink, type Link } from './link.js'
import type { Partition } from './partition.js'
import { hashTag, slotOf } from './slots.js'

export interface Intake {
  /** What all names in Redis begin with. */
  readonly prefix: string
  readonly partitions: number
  partitionOf(channel: string): number
  /** What all keys of a partition begin with. */
  base(partition: number): string
  /** A function on a partition, on its own connection. Rejects with `log_unavailable`. */
  call(partition: number, name: FunctionName, args: readonly Argument[]): Promise<unknown>
  /** A connection to the master that has the key, found anew when that is another. */
  link(key: string, use: LinkUse): IntakeLink
  /** A connection for one errand to the master that has the key. */
  visit<T>(key: string, errand: (client: Redis) => Promise<T>): Promise<T>
  /** Asks for the lease of a partition's raw messages, or for more time. */
  lease(partition: number, ask: LeaseAsk): Promise<LeaseAnswer>
  /** Gives the lease back. */
  release(partition: number, token: string): Promise<void>
  /** Appends raw messages, each one alone. Rejects as `append` does. */
  appendHeld(partition: number, messages: Held): Promise<Outcome[] | 'fenced'>
  /** Appends entries of the inbox that are newer than the last one taken. Rejects as `append` does. */
  appendOnce(
    partition: number,
    taking: Taking,
  ): Promise<(Outcome | 'taken')[] | { readonly beyond: string }>
  /**
   * Changes what is beside the log together with appends. Rejects as `append` does. `frees`: it leaves less
   * than there was, so a full Redis takes it, past what waits for room.
   */
  change(partition: number, moment: Moment, frees: boolean): Promise<MomentOutcome>
}

export interface LinkUse {
  /** Connected: what must be done before the link counts as up. A rejection drops it. */
  prepare(client: Redis): Promise<void>
  up(client: Redis): void
  down(why: string): void
}

export type IntakeLink = Pick<Link, 'client' | 'trouble' | 'drop' | 'stop'>

export interface LeaseAsk {
  /** The token held; empty: none. */
  readonly held: string
  /** The token of an acquisition. Used once only. */
  readonly fresh: string
  /** How long the lease lasts. */
  readonly ms: number
}

export interface LeaseAnswer {
  /** `held` or `fresh`; empty where somebody else has the lease. */
  readonly token: string
  /** Where `fresh` was acquired: the token before it. Where somebody else has the lease: theirs. */
  readonly other: string
  /** How long theirs lasts without a renewal. */
  readonly ms: number
}

export interface IntakeOptions {
  readonly prefix: string
  readonly count: number
  /** ms between two questions where a key's master is; 0: it can't move. */
  readonly findEvery: () => number
  partition(index: number): Partition
  find(slot: number): Promise<Node>
  dial(node: Node): Redis
}

export function createIntake(options: IntakeOptions): Intake {
  const { prefix, count, partition, dial } = options

  function link(key: string, use: LinkUse): IntakeLink {
    const find = () => options.find(slotOf(key))
    const inner = createLink({
      find,
      dial,
      async prepare(client) {
        await meetMaster(client)
        await use.prepare(client)
      },
      up: use.up,
      down: use.down,
    })
    let timer: NodeJS.Timeout | undefined
    let stopped = false
    /** A master that was replaced may go on to answer. */
    function review(): void {
      const every = options.findEvery()
      if (stopped || every === 0) return
      timer = setTimeout(async () => {
        try {
          // Twice: the first answer may be of somebody who hadn't heard of what the link knows.
          if (inner.elsewhere(await find()) && inner.elsewhere(await find())) {
            inner.leave('another master has it')
          }
        } catch {
          // Nobody says where: no reason to leave a connection that works.
        }
        review()
      }, every)
    }
    inner.open()
    review()
    return {
      get client() {
        return inner.client
      },
      get trouble() {
        return inner.trouble
      },
      drop: inner.drop,
      stop() {
        stopped = true
        clearTimeout(timer)
        inner.stop()
      },
    }
  }

  return {
    prefix,
    partitions: count,
    partitionOf: (channel) => partitionOf(channel, count),
    base: (index) => `${prefix}:{${hashTag(index, count)}}`,
    call: (index, name, args) => partition(index).call(name, args),
    link,
    async visit(key, errand) {
      const client = dial(await options.find(slotOf(key)))
      client.on('error', () => {})
      try {
        await client.connect()
        return await errand(client)
      } finally {
        client.disconnect()
        client.stream?.destroy()
      }
    },
    async lease(index, { held, fresh, ms }) {
      const reply = await partition(index).call('lease', [held, fresh, ms])
      const [token, other, left] = reply as [string, string, number]
      return { token, other, ms: left }
    },
    async release(index, token) {
      await partition(index).call('release', [token])
    },
    appendHeld: (index, messages) => partition(index).writer.raw(messages),
    appendOnce: (index, taking) => partition(index).writer.inbox(taking),
    change: (index, moment, frees) => partition(index).change(moment, frees),
  }
}
