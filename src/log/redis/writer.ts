/**
 * The writing side of a partition: a bounded queue that leaves in batches, one call at a time.
 *
 *     append ───────┐
 *     close, fence ─┼→ queue ─→ batch n in flight ─→ answer n      next batch
 *     delete ───────┘               │   ▲
 *                       connection lost └─ again, the same number, until its deadline
 *
 * One call in flight makes batches grow with the load by themselves, keeps the order over a lost
 * connection, and makes sending again safe: Redis remembers the answer to the last number, and
 * refuses a smaller one, that is, a copy that was held up on a connection long given up.
 */
import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { SluiceError } from '../../wire/errors.js'
import type { Position } from '../../wire/position.js'
import type { Draft, EndEntry, Receipt, Retention } from '../log.js'
import {
  encodeOperations,
  type Held,
  type Moment,
  type MomentOutcome,
  type Operation,
  type Outcome,
  readEnd,
  readFence,
  readHeld,
  readMoment,
  readReceipts,
  readTaken,
  splitAnswer,
  type Taking,
} from './batch.js'
import { type Argument, callFunction, isElsewhere, isRefusedForNow, isReply } from './functions.js'
import {
  BATCH_BYTES,
  BATCH_EVENTS,
  LONG_FAN_OUT,
  QUEUE_BYTES,
  QUEUE_EVENTS,
  RETRY_DELAY,
} from './limits.js'
import type { Replicas } from './replicas.js'

export interface WriterOptions {
  /** `write_full`: a full Redis takes it. */
  readonly called: 'write' | 'write_full'
  readonly base: string
  /** Number of partitions and this one's index, as the functions take it. */
  readonly layout: string
  /** ms until an operation is given up. */
  readonly timeout: number
  readonly retentionFor: (channel: string) => Retention
  /** The connection, while there is one. */
  client(): Redis | undefined
  /** The connection doesn't answer. */
  drop(client: Redis, why: string): void
  /** The newest order that this gateway has heard of. */
  seen(): number
  heard(order: number): void
  /** From here on a position counts as stored. */
  acknowledged(channel: string, position: Position): void
  /** Sockets that the latest deliveries went to. */
  fanOut(): number
  /** Redis has answered with an error. */
  refused(error: unknown): void
  /** Redis has taken a batch. */
  taken(): void
  /** Present where replicas must have a batch before it counts as taken. */
  readonly replicas: Replicas | undefined
}

export interface Writer {
  append(drafts: readonly Draft[]): Promise<Receipt[]>
  close(channel: string, reason: string | null, fence?: number): Promise<EndEntry>
  fence(channel: string, fence: number): Promise<void>
  delete(channel: string): Promise<boolean>
  raw(messages: Held): Promise<Outcome[] | 'fenced'>
  inbox(taking: Taking): Promise<(Outcome | 'taken')[] | { readonly beyond: string }>
  change(moment: Moment): Promise<MomentOutcome>
  /** There is a connection (again). */
  wake(): void
  /** Refuses what is new; resolves when nothing is waiting or under way. */
  drain(): Promise<void>
  /** Fails what is left. */
  stop(): void
}

interface Job {
  readonly operation: Operation
  readonly events: number
  readonly bytes: number
  readonly deadline: number
  done(result: string, tag: number, channels: readonly string[]): void
  fail(error: Error): void
}

interface Batch {
  readonly jobs: readonly Job[]
  readonly number: number
  readonly channels: readonly string[]
  readonly args: readonly Argument[]
  readonly deadline: number
  sent: boolean
  /** Why it was refused last. */
  refused?: unknown
}

function sizeOf(drafts: readonly Draft[]): number {
  return drafts.reduce((sum, draft) => sum + draft.data.length + 100, 0)
}

export function createWriter(options: WriterOptions): Writer {
  const producer = randomBytes(12).toString('base64url')
  let number = 0
  let queue: Job[] = []
  let events = 0
  let bytes = 0
  let flying: Batch | undefined
  let scheduled = false
  let draining = false
  let watchdog: NodeJS.Timeout | undefined
  let idlers: (() => void)[] = []

  const unavailable = (cause?: unknown) => new SluiceError('log_unavailable', { cause })

  function enqueue(
    operation: Operation,
    size: { events: number; bytes: number },
    done: Job['done'],
    fail: Job['fail'],
  ): void {
    const full = events + size.events > QUEUE_EVENTS || bytes + size.bytes > QUEUE_BYTES
    if (draining || (full && queue.length > 0)) {
      fail(draining ? unavailable() : new SluiceError('overloaded'))
      return
    }
    events += size.events
    bytes += size.bytes
    queue.push({ operation, ...size, deadline: performance.now() + options.timeout, done, fail })
    schedule()
    watch()
  }

  /**
   * At the end of this turn, so that all that comes in it goes in one call. Where deliveries make turns
   * long, at the end of the next one, together with what comes while sockets are written. Else the
   * publishers fall into two halves, the one on its way while the other is being delivered, and stay so:
   * twice as many writes to sockets, of half as many events each.
   */
  function schedule(): void {
    if (scheduled || flying !== undefined) return
    scheduled = true
    const leave = () => {
      scheduled = false
      pump()
    }
    setImmediate(() => {
      if (options.fanOut() < LONG_FAN_OUT) leave()
      else setImmediate(leave)
    })
  }

  function take(): Job[] {
    let count = 0
    let batchEvents = 0
    let batchBytes = 0
    for (const job of queue) {
      if (
        count > 0 &&
        (batchEvents + job.events > BATCH_EVENTS || batchBytes + job.bytes > BATCH_BYTES)
      )
        break
      batchEvents += job.events
      batchBytes += job.bytes
      count++
    }
    events -= batchEvents
    bytes -= batchBytes
    const jobs = queue.slice(0, count)
    queue = queue.slice(count)
    return jobs
  }

  function pump(): void {
    // Without a connection things wait in the queue, which their deadlines reach one by one.
    if (flying === undefined && queue.length > 0 && options.client() !== undefined) {
      const jobs = take()
      const channels: string[] = []
      const operations = jobs.map((job) => job.operation)
      const args = encodeOperations(operations, channels, options.retentionFor)
      flying = { jobs, number: ++number, channels, args, deadline: jobs[0]!.deadline, sent: false }
    }
    const client = options.client()
    if (flying === undefined || flying.sent || client === undefined) return
    flying.sent = true
    void send(flying, client)
  }

  async function send(batch: Batch, client: Redis): Promise<void> {
    try {
      const args = [producer, batch.number, options.layout, options.seen(), ...batch.args]
      let confirmed: Promise<boolean> | undefined
      const confirm = () => {
        confirmed = options.replicas?.confirm(client, batch.deadline - performance.now())
        // Of no interest where the call itself failed.
        confirmed?.catch(() => {})
      }
      const answer = await callFunction(client, options.called, options.base, args, confirm)
      if (flying !== batch) return
      const { tag, last, results } = splitAnswer(answer as string)
      options.heard(last)
      options.taken()
      if (confirmed !== undefined) {
        const enough = await confirmed
        if (flying !== batch) return
        if (!enough) {
          // Written here and perhaps there: whoever repeats with a key is answered once it is.
          giveUp(batch, new Error(options.replicas?.fault ?? 'no time left for replicas'))
          return
        }
      }
      flying = undefined
      batch.jobs.forEach((job, i) => {
        job.done(results[i]!, tag, batch.channels)
      })
      next()
    } catch (error) {
      failed(batch, client, error)
    }
  }

  function failed(batch: Batch, client: Redis, error: unknown): void {
    if (flying !== batch) return
    if (!isReply(error) || isElsewhere(error)) {
      // Lost, silent, or to a node that isn't ours: the link's next connection wakes us.
      batch.sent = false
      options.drop(client, error instanceof Error ? error.message : String(error))
      if (options.client() !== undefined) pump()
      return
    }
    options.refused(error)
    if (isRefusedForNow(error)) {
      batch.refused = error
      setTimeout(() => {
        batch.sent = false
        if (flying === batch) pump()
      }, RETRY_DELAY)
    } else {
      giveUp(batch, error)
    }
  }

  /** A batch that was given up is never sent again: its number is spent. */
  function giveUp(batch: Batch, cause?: unknown): void {
    if (flying === batch) flying = undefined
    for (const job of batch.jobs) job.fail(unavailable(cause))
    next()
  }

  function next(): void {
    if (queue.length > 0) schedule()
    else if (flying === undefined) settleIdlers()
  }

  function settleIdlers(): void {
    const waiting = idlers
    idlers = []
    for (const resolve of waiting) resolve()
  }

  function acknowledge({ channel, position }: Receipt): void {
    if (position !== null) options.acknowledged(channel, position)
  }

  /** One timer for all deadlines: they fall due in the order of the queue. */
  function watch(): void {
    if (watchdog !== undefined) return
    const due = flying?.deadline ?? queue[0]?.deadline
    if (due === undefined) return
    watchdog = setTimeout(expire, Math.max(1, due - performance.now()))
  }

  function expire(): void {
    watchdog = undefined
    const now = performance.now()
    if (flying !== undefined && flying.deadline <= now) giveUp(flying, flying.refused)
    while (queue[0] !== undefined && queue[0].deadline <= now) {
      const job = queue.shift()!
      events -= job.events
      bytes -= job.bytes
      job.fail(unavailable())
    }
    if (queue.length === 0 && flying === undefined) settleIdlers()
    watch()
  }

  return {
    append: (drafts) =>
      new Promise((resolve, reject) => {
        const size = { events: drafts.length, bytes: sizeOf(drafts) }
        const done: Job['done'] = (result, tag, channels) => {
          const receipts = readReceipts(result, drafts, tag, channels)
          if (receipts instanceof SluiceError) return reject(receipts)
          for (const each of receipts) acknowledge(each)
          resolve(receipts)
        }
        enqueue({ do: 'append', drafts }, size, done, reject)
      }),
    close: (channel, reason, fence) =>
      new Promise((resolve, reject) => {
        const done = (result: string) => {
          const end = readEnd(result, channel)
          if (end instanceof SluiceError) return reject(end)
          options.acknowledged(channel, end)
          resolve(end)
        }
        enqueue({ do: 'close', channel, reason, fence }, { events: 1, bytes: 100 }, done, reject)
      }),
    fence: (channel, fence) =>
      new Promise((resolve, reject) => {
        const done = (result: string) => {
          const refusal = readFence(result, channel)
          if (refusal === undefined) resolve()
          else reject(refusal)
        }
        enqueue({ do: 'fence', channel, fence }, { events: 1, bytes: 100 }, done, reject)
      }),
    delete: (channel) =>
      new Promise((resolve, reject) => {
        const done = (result: string) => resolve(result === '1')
        enqueue({ do: 'delete', channel }, { events: 1, bytes: 100 }, done, reject)
      }),
    raw: (messages) =>
      new Promise((resolve, reject) => {
        const { drafts } = messages
        const size = { events: drafts.length, bytes: sizeOf(drafts) }
        const done: Job['done'] = (result, tag, channels) => {
          const held = readHeld(result, messages, tag, channels)
          if (Array.isArray(held)) {
            for (const each of held) if (!(each instanceof SluiceError)) acknowledge(each)
          }
          resolve(held)
        }
        enqueue({ do: 'raw', ...messages }, size, done, reject)
      }),
    inbox: (taking) =>
      new Promise((resolve, reject) => {
        const drafts = taking.entries.map(({ draft }) => draft)
        const size = { events: drafts.length, bytes: sizeOf(drafts) }
        const done: Job['done'] = (result, tag, channels) => {
          const taken = readTaken(result, taking, tag, channels)
          if (Array.isArray(taken)) {
            for (const each of taken) {
              if (each !== 'taken' && !(each instanceof SluiceError)) acknowledge(each)
            }
          }
          resolve(taken)
        }
        enqueue({ do: 'inbox', ...taking }, size, done, reject)
      }),
    change: (moment) =>
      new Promise((resolve, reject) => {
        const { change, drafts, deletes } = moment
        const beside = change.reduce<number>((sum, it) => sum + String(it).length, 0)
        const size = {
          events: drafts.length + deletes.length + 1,
          bytes: sizeOf(drafts) + beside,
        }
        const done: Job['done'] = (result, tag, channels) => {
          const outcome = readMoment(result, moment, tag, channels)
          if (outcome instanceof SluiceError) return reject(outcome)
          if (outcome.kind === 'changed') for (const each of outcome.receipts) acknowledge(each)
          resolve(outcome)
        }
        enqueue({ do: 'change', ...moment }, size, done, reject)
      }),
    wake: pump,
    drain: () =>
      new Promise((resolve) => {
        draining = true
        idlers.push(resolve)
        if (queue.length === 0 && flying === undefined) settleIdlers()
      }),
    stop() {
      draining = true
      clearTimeout(watchdog)
      const left = [...(flying?.jobs ?? []), ...queue]
      flying = undefined
      queue = []
      for (const job of left) job.fail(unavailable())
      settleIdlers()
    },
  }
}
