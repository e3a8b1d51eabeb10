/** One partition: its two connections, and what works on them. */
import type { Redis } from 'ioredis'
import { SluiceError } from '../../wire/errors.js'
import type { LogListener, Retention } from '../log.js'
import type { Node } from './address.js'
import { createAttendance } from './attendance.js'
import type { Moment, MomentOutcome } from './batch.js'
import { identify, meetMaster } from './contact.js'
import { createFollower, type Follower } from './follower.js'
import {
  type Argument,
  callFunction,
  type FunctionName,
  isElsewhere,
  isEmptyLog,
  isReadingOnly,
  isReply,
} from './functions.js'
import { checkLayout } from './layout.js'
import { SILENCE } from './limits.js'
import { createLink } from './link.js'
import { createReader, type Reader } from './reader.js'
import { createRefusal } from './refusal.js'
import { RefusedError } from './refused.js'
import { createReplicas } from './replicas.js'
import { createWriter, type Writer, type WriterOptions } from './writer.js'

/** What its connection is used for. */
export type Role = 'commands' | 'followers' | 'intake'

export interface RedisLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface PartitionOptions {
  readonly index: number
  readonly partitions: number
  /** Key that all keys of the partition begin with; holds the hash tag. */
  readonly base: string
  readonly listener: LogListener
  readonly retentionFor: (channel: string) => Retention
  readonly appendTimeout: number
  readonly checkEvery: number
  /** Replicas that must have an append before it is answered. */
  readonly minReplicas: number
  readonly attendEvery: number
  readonly witnessPatience: number
  readonly logger: RedisLogger
  /** Looks at a master before it is used; rejects with a RefusedError where it must not be. */
  examine(client: Redis): Promise<void>
  /** The master that has this partition, as it is known now. */
  find(): Promise<Node>
  /** A client for one connection to a node. */
  dial(node: Node, role: Role): Redis
}

export interface Partition extends Omit<Reader, 'learn' | 'forget'> {
  readonly writer: Writer
  /**
   * A change beside the log, in its turn among appends. What frees goes past those that wait for room where
   * Redis is full.
   */
  change(moment: Moment, frees: boolean): Promise<MomentOutcome>
  readonly follower: Follower
  /** A function on the partition. Rejects with `log_unavailable`. */
  call(name: FunctionName, args: readonly Argument[]): Promise<unknown>
  /** Resolves when both connections are up. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Compares heads, and tries whether Redis takes writes, now rather than at the next tick. */
  check(): Promise<void>
  fault(): string | undefined
  /** Asks where the master is, and leaves another one. */
  review(): Promise<void>
}

export function createPartition(options: PartitionOptions): Partition {
  const { index, base, listener, logger } = options
  const layout = `${options.partitions}:${index}`
  let seen = 0
  let stopped = false
  let checkTimer: NodeJS.Timeout | undefined
  let checkFault: string | undefined
  /** When the check under way was asked, in ms; 0 while there is none. */
  let asked = 0
  let started: { resolve(): void; reject(error: Error): void } | undefined
  const heard = (order: number) => {
    if (order > seen) seen = order
  }
  /** The server processes that the two links are connected to. */
  const runs: { [R in Role]?: string } = {}
  const refusal = createRefusal(logger, index)
  const replicas =
    options.minReplicas === 0
      ? undefined
      : createReplicas({
          wanted: options.minReplicas,
          // Well within the time of a command, for those behind it wait as well.
          patience: options.appendTimeout / 5,
          steady: 2 * options.checkEvery,
          partition: index,
          logger,
        })
  const where = (link: string) => `${link} connection of partition ${index}`

  /** Makes the partition where there is none, opens this Redis process's epoch, and checks that it is ours. */
  async function open(client: Redis): Promise<void> {
    const reply = await callFunction(client, 'open', base, [layout, seen])
    const [format, partitions] = (reply as string[]).slice(-2).map(Number) as [number, number]
    checkLayout(format, partitions, options.partitions)
  }

  const commands = createLink({
    find: options.find,
    dial: (node) => options.dial(node, 'commands'),
    async prepare(client) {
      try {
        runs.commands = (await meetMaster(client)).run
        await options.examine(client)
        await open(client)
      } catch (error) {
        if (error instanceof RefusedError) started?.reject(error)
        if (!isReadingOnly(error)) throw error
        // What is there can be read all the same; appends are refused one by one until it has room.
        refusal.refused(error)
        await callFunction(client, 'heads', base, []).catch(() => {
          throw error
        })
      }
      // Before anything is acknowledged by this server: what the one before it had acknowledged.
      await attendance.begin(client)
    },
    up(client) {
      logger.info({ partition: index }, 'Redis: ready for commands')
      // The followers' connection asks what only `open` can make.
      if (!followersOpened) {
        followersOpened = true
        followers.open()
      } else if (runs.followers !== runs.commands) {
        // It listens to a server that was replaced: nothing would come from there any more.
        followers.leave('the partition has another master')
      }
      attendance.wake()
      replicas?.probe(client).catch(() => {})
      writer.wake()
      relief.wake()
    },
    down(why) {
      logger.warn({ partition: index, why }, 'Redis: command connection lost')
      reader.forget()
    },
  })

  let followersOpened = false
  const followers = createLink({
    find: options.find,
    dial: (node) => options.dial(node, 'followers'),
    async prepare(client) {
      runs.followers = (await meetMaster(client)).run
      // So that no epoch begins later on a server that is followed already.
      await open(client).catch((error: unknown) => {
        if (!isReadingOnly(error)) throw error
      })
      await orOpen(() => follower.prepare(client))
    },
    up() {
      logger.info({ partition: index }, 'Redis: following')
      checkFault = undefined
      // The one that asked later where the master is knows better.
      if (runs.commands !== runs.followers) commands.leave('the partition has another master')
      follower.up()
      scheduleCheck()
      started?.resolve()
    },
    down(why) {
      logger.warn({ partition: index, why }, 'Redis: followers’ connection lost')
      clearTimeout(checkTimer)
      reader.forget()
      follower.down()
    },
  })

  /** Runs a question again after a wipe, once the partition is made anew. */
  async function orOpen<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      const client = commands.client
      if (!isEmptyLog(error) || client === undefined) throw error
      await open(client)
      return await ask()
    }
  }

  async function call(name: FunctionName, args: readonly Argument[]): Promise<unknown> {
    const { client } = commands
    if (client === undefined) throw new SluiceError('log_unavailable', { cause: commands.trouble })
    try {
      return await orOpen(() => callFunction(client, name, base, args))
    } catch (error) {
      // No answer in time: the connection is as good as dead for whatever would be asked next.
      if (!isReply(error) || isElsewhere(error)) commands.drop(client, (error as Error).message)
      throw new SluiceError('log_unavailable', { cause: error })
    }
  }

  const reader = createReader(call, options.retentionFor)
  const attendance = createAttendance({
    base,
    layout,
    every: options.attendEvery,
    patience: options.witnessPatience,
    retentionFor: options.retentionFor,
    client: () => commands.client,
    drop: commands.drop,
    seen: () => seen,
    learn: reader.learn,
    info: (fields, message) => logger.warn({ partition: index, ...fields }, message),
  })
  const writing: Omit<WriterOptions, 'called' | 'taken'> = {
    base,
    layout,
    timeout: options.appendTimeout,
    retentionFor: options.retentionFor,
    client: () => commands.client,
    drop: commands.drop,
    seen: () => seen,
    heard,
    acknowledged: (channel, { order, tag }) => attendance.note(channel, order, tag),
    fanOut: () => listener.fanOut ?? 0,
    refused: refusal.refused,
    replicas,
  }
  const writer = createWriter({ ...writing, called: 'write', taken: () => refusal.taken(true) })
  // What a full Redis takes. Only then: two queues keep no order, and a change is computed from the one
  // before it. That it takes these says nothing of appends.
  const relief = createWriter({ ...writing, called: 'write_full', taken() {} })
  const follower = createFollower({
    partition: index,
    base,
    listener,
    client: () => followers.client,
    drop(client, why) {
      checkFault = why
      followers.drop(client, why)
    },
    refused(why) {
      checkFault = why
    },
    heard,
    delivered: attendance.note,
    learn: reader.learn,
  })

  /** Without it a master that was made a replica would be listened to: it still answers questions. */
  async function stillMaster(client: Redis): Promise<void> {
    const { master, run } = await identify(client)
    if (master) return
    followers.drop(client, 'it was made a replica')
    if (runs.commands === run) commands.leave('it was made a replica')
  }

  /**
   * A write that changes nothing, so that a Redis that takes none is found before a publisher finds it,
   * and one that does again is found where `/readyz` keeps publishers away. A command connection that
   * answers nothing is given up.
   */
  async function probe(): Promise<void> {
    const { client } = commands
    if (client === undefined) return
    try {
      await open(client)
      refusal.taken(false)
      await replicas?.probe(client)
    } catch (error) {
      if (isReply(error) && !isElsewhere(error)) refusal.refused(error)
      else commands.drop(client, (error as Error).message)
    }
  }

  async function check(): Promise<void> {
    await Promise.all([follower.check(), probe()])
  }

  function scheduleCheck(): void {
    clearTimeout(checkTimer)
    if (stopped) return
    checkTimer = setTimeout(() => {
      asked = Date.now()
      void probe()
      // Where it isn't answered the other question isn't, either.
      if (followers.client !== undefined) stillMaster(followers.client).catch(() => {})
      void follower.check().then(() => {
        asked = 0
        if (followers.client !== undefined) scheduleCheck()
      })
    }, options.checkEvery)
  }

  return {
    writer,
    follower,
    change: (moment, frees) => (frees && refusal.full ? relief : writer).change(moment),
    call,
    check,
    read: reader.read,
    seek: reader.seek,
    locate: reader.locate,
    info: reader.info,
    start: () =>
      new Promise((resolve, reject) => {
        started = { resolve, reject }
        commands.open()
      }),
    async stop() {
      await Promise.all([writer.drain(), relief.drain()])
      await attendance.stop()
      stopped = true
      clearTimeout(checkTimer)
      writer.stop()
      relief.stop()
      follower.stop(new SluiceError('log_unavailable'))
      followers.stop()
      commands.stop()
    },
    async review() {
      const elsewhere = async () => {
        const master = await options.find()
        return [commands, followers].filter((link) => link.elsewhere(master))
      }
      try {
        // Asked twice: the first answer may be of somebody who hadn't heard of what a link knows.
        if ((await elsewhere()).length === 0) return
        for (const link of await elsewhere()) link.leave('the partition has another master')
      } catch {
        // Nobody says where: no reason to leave a connection that works.
      }
    },
    fault() {
      if (commands.client === undefined) return `${where('command')}: ${commands.trouble}`
      if (followers.client === undefined) return `${where('followers’')}: ${followers.trouble}`
      // Said long before the connection is given up: a load balancer needs to know now.
      if (asked !== 0 && Date.now() - asked > SILENCE) return 'Redis does not answer'
      if (refusal.reason !== undefined) return `Redis refuses appends: ${refusal.reason}`
      if (replicas?.fault !== undefined) return `partition ${index}: ${replicas.fault}`
      return checkFault
    },
  }
}
