/**
 * A gateway's sign of life to a partition, about every second, and its report as a witness: once for
 * each new epoch, on what the server that opened it lacks.
 *
 *     another epoch ─→ its history ─→ judge ─→ pending ─→ attend, 500 losses a call ─→ told
 */
import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Retention } from '../log.js'
import { ageOf, eventsOf } from './batch.js'
import { type History, lostAfter, readSnapshot, type Snapshot, sameEpoch } from './epochs.js'
import { type Argument, callFunction, isReply } from './functions.js'
import { REPORT_CHANNELS, WITNESS_TIME } from './limits.js'
import { readHistory } from './reader.js'
import { createWitness, type Loss, summarize } from './witness.js'

export interface AttendanceOptions {
  readonly base: string
  readonly layout: string
  /** ms between two signs of life. */
  readonly every: number
  /** ms that a new epoch waits for its witnesses. */
  readonly patience: number
  readonly retentionFor: (channel: string) => Retention
  /** The connection for commands, while there is one. */
  client(): Redis | undefined
  /** The connection doesn't answer. */
  drop(client: Redis, why: string): void
  /** The newest order that this gateway has heard of. */
  seen(): number
  /** How the partition stands. */
  learn(snapshot: Snapshot): void
  info(fields: object, message: string): void
}

export interface Attendance {
  /** A position was acknowledged or delivered. */
  note(channel: string, order: number, tag: number): void
  /** A connection before anything is acknowledged on it: tells what it lacks, and gives a sign of life. */
  begin(client: Redis): Promise<void>
  /** There is a connection: reports at once what is to be reported. */
  wake(): void
  /** Takes leave, so that nobody waits for this gateway's word. */
  stop(): Promise<void>
}

export function createAttendance(options: AttendanceOptions): Attendance {
  const { base, layout } = options
  const gateway = randomBytes(12).toString('base64url')
  const witness = createWitness()
  /** The epoch that was judged last. */
  let history: History | undefined
  /** What is still to be told of it, or to be told that there is nothing. */
  let pending: Loss[] | undefined
  let late = false
  let rotated = performance.now()
  let timer: NodeJS.Timeout | undefined
  let underway: Promise<void> | undefined
  let stopped = false

  async function ask(client: Redis, report: readonly Argument[]): Promise<Snapshot> {
    const args = [layout, options.seen(), gateway, options.patience, ...report]
    const snapshot = readSnapshot((await callFunction(client, 'attend', base, args)) as string[])
    options.learn(snapshot)
    return snapshot
  }

  /** Judges what is remembered where another process writes now, or the data were wiped. */
  async function examine(client: Redis): Promise<void> {
    const reply = await callFunction(client, 'epochs', base, [])
    const now = readHistory(reply as [string[], string[], string[]])
    // Nothing of before a wipe is known to anybody: `unknown` says so to each cursor.
    if (history !== undefined && history.snapshot.birth !== now.snapshot.birth) witness.clear()
    if (history === undefined || !sameEpoch(history.snapshot, now.snapshot) || late) {
      late = false
      pending = witness.judge(now)
      for (const { vague, ...fields } of summarize(pending)) {
        options.info(fields, `Redis: events were lost${vague ? ', also in channels unknown' : ''}`)
      }
    }
    history = now
  }

  function describe({ channel, order, end }: Loss): Argument[] {
    if (channel === undefined) return [order, end.order, end.tag, '', 0, 0]
    const retention = options.retentionFor(channel)
    return [order, end.order, end.tag, channel, eventsOf(retention), ageOf(retention)]
  }

  async function report(client: Redis, epoch: History, losses: readonly Loss[]): Promise<void> {
    const { start } = epoch.snapshot
    for (let from = 0; ; from += REPORT_CHANNELS) {
      const part = losses.slice(from, from + REPORT_CHANNELS)
      const done = from + REPORT_CHANNELS >= losses.length
      const now = await ask(client, [start, done ? 1 : 0, ...part.flatMap(describe)])
      // Judged by what another process has.
      if (!sameEpoch(now, epoch.snapshot)) return examine(client)
      // What was told can be lost as well: it is the newest of its channel now.
      for (const { channel } of part) witness.note(channel ?? '', now.last, now.tag)
      if (!done) continue
      witness.told(epoch)
      // Another loss may have been noted meanwhile.
      if (pending === losses) pending = undefined
      return
    }
  }

  async function attend(client: Redis): Promise<void> {
    if (history === undefined || late) await examine(client)
    if (pending !== undefined && history !== undefined) {
      await report(client, history, pending)
      return
    }
    const now = await ask(client, [0, 0])
    if (history === undefined || !sameEpoch(now, history.snapshot)) return examine(client)
    // Only while the master answers: what counts is what it may not have passed on yet.
    if (performance.now() - rotated >= WITNESS_TIME) {
      rotated = performance.now()
      witness.rotate()
    }
  }

  async function round(): Promise<void> {
    const client = options.client()
    if (client === undefined) return
    try {
      await attend(client)
    } catch (error) {
      // A refusal says nothing of the connection; it is asked again.
      if (!isReply(error)) options.drop(client, error instanceof Error ? error.message : 'silent')
    }
  }

  function wake(): void {
    if (stopped) return
    clearTimeout(timer)
    underway ??= round().finally(() => {
      underway = undefined
      if (stopped) return
      const soon = pending !== undefined && options.client() !== undefined
      timer = setTimeout(wake, soon ? Math.min(50, options.every) : options.every)
    })
  }

  return {
    note(channel, order, tag) {
      witness.note(channel, order, tag)
      // Heard of from a server that was left since.
      if (history !== undefined && !late) late = lostAfter(history, { order, tag }) !== undefined
    },
    async begin(client) {
      await examine(client)
      try {
        await attend(client)
      } catch (error) {
        // Where it takes no writes it acknowledges none.
        if (!isReply(error)) throw error
      }
    },
    wake,
    async stop() {
      stopped = true
      clearTimeout(timer)
      await underway
      const client = options.client()
      // Who has something left to tell is missed instead.
      if (client === undefined || pending !== undefined || late) return
      await callFunction(client, 'leave', base, [gateway]).catch(() => {})
    },
  }
}
