/**
 * Who is present on one channel, as this gateway has it, and the only place that changes it.
 *
 *     happenings, looks ──▶ waiting ──▶ batch ──▶ plan on what is known ──▶ change ──▶ state for all of it
 *                                         ▲                                   │
 *                                         └──── read, where others were first ┘
 *
 * What comes while a change is under way waits, and is one change, one diff and one state together: a
 * thousand who open at once are a few changes, and nobody reads for one alone.
 *
 * Rejected: `transact`, which has a change for each step. Here the diff is to be of all that happens.
 */
import { setImmediate as turnEnd } from 'node:timers/promises'
import type { Documents } from '../documents/documents.js'
import type { Draft } from '../log/log.js'
import { SluiceError } from '../wire/errors.js'
import type { Position } from '../wire/position.js'
import { presenceOf } from '../wire/presence.js'
import { ATTEMPTS, BATCH, BATCH_SIZE, TELL_MS } from './limits.js'
import { addUntold, occupancyDraft, untoldDrafts } from './occupancy.js'
import { type Happening, type Outcome, type Plan, plan, type Terms } from './plan.js'
import { Roster, UNTOLD } from './roster.js'
import { State } from './state.js'

export interface BoardOptions {
  readonly channel: string
  readonly documents: Documents
  readonly publish: (drafts: readonly Draft[]) => Promise<unknown>
  /** Whether the channel of occupancy lives in the partition of this one. */
  readonly tellsAtOnce: boolean
  readonly terms: () => Terms
}

/** What came of a happening. */
export interface Acted {
  readonly outcome: Outcome
  /** As it is with the happening. */
  readonly state: State
}

/** What is known of the document. */
interface Known {
  version: number
  readonly roster: Roster
}

interface Job {
  /** Undefined: just a look. */
  readonly happening: Happening | undefined
  readonly resolve: (acted: Acted) => void
  readonly reject: (error: unknown) => void
}

export class Board {
  /** When it was last asked something, in ms. */
  usedAt = 0

  readonly #options: BoardOptions
  readonly #name: string
  #known: Known | undefined
  #waiting: Job[] = []
  #working = false
  /** The members as JSON, at a version. */
  #members: { readonly version: number; readonly json: string } | undefined

  constructor(options: BoardOptions) {
    this.#options = options
    this.#name = presenceOf(options.channel)
  }

  /** Whether nothing is waiting or under way. */
  get idle(): boolean {
    return !this.#working
  }

  /** Rejects where the store can't be asked: what came of it isn't known then. */
  act(happening: Happening): Promise<Acted> {
    return this.#ask(happening)
  }

  /** Who is present now. */
  async look(): Promise<State> {
    return (await this.#ask(undefined)).state
  }

  /**
   * Tells what is untold of occupancy, under its keys: what somebody has told meanwhile isn't told again.
   * Rejects where it can't be told.
   */
  async tell(): Promise<void> {
    const { channel, documents, publish } = this.#options
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const known = this.#known ?? (await this.#read()).known
      const { version, roster } = known
      if (roster.untold !== undefined) await publish(untoldDrafts(channel, roster.untold))
      const told = new Map([[UNTOLD, null]])
      const leases = [{ member: UNTOLD, ms: 0 }]
      const set = Object.fromEntries(told)
      const changed = await documents.change(this.#name, { version, set, leases })
      if (changed.kind === 'changed') {
        this.#moveOn(known, told, changed.version)
        return
      }
      this.#known = undefined
    }
    throw new SluiceError('overloaded')
  }

  #ask(happening: Happening | undefined): Promise<Acted> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ happening, resolve, reject })
      if (!this.#working) void this.#work()
    })
  }

  async #work(): Promise<void> {
    this.#working = true
    // All that this turn of the event loop brings belongs together.
    await turnEnd()
    while (this.#waiting.length > 0) {
      const batch = this.#take()
      try {
        await this.#perform(batch)
      } catch (error) {
        // Whether it took effect isn't known.
        this.#known = undefined
        for (const { reject } of batch) reject(error)
      }
    }
    this.#working = false
  }

  /** The next batch: all looks, and as many happenings as one diff may hold. */
  #take(): Job[] {
    let size = 0
    let count = 0
    const end = this.#waiting.findIndex(({ happening }) => {
      if (happening === undefined) return false
      count++
      size += sizeOf(happening)
      return count > BATCH || (size > BATCH_SIZE && count > 1)
    })
    const batch = end < 0 ? this.#waiting : this.#waiting.slice(0, end)
    this.#waiting = end < 0 ? [] : this.#waiting.slice(end)
    return batch
  }

  async #perform(batch: readonly Job[]): Promise<void> {
    let jobs = batch
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const happenings = jobs.flatMap(({ happening }) => happening ?? [])
      // What is known may be old. A change finds that out, a look doesn't.
      const known = happenings.length > 0 ? this.#known : undefined
      const read = known === undefined ? await this.#read() : undefined
      const base = known ?? read!.known
      const planned = plan(base.roster, happenings, this.#options.terms())
      if (changesNothing(planned)) {
        if (read !== undefined) {
          settle(jobs, planned.outcomes, this.#stateAt(base, read.position))
          return
        }
        this.#known = undefined
        continue
      }
      const changed = await this.#change(base, planned)
      if (typeof changed !== 'string') {
        settle(jobs, planned.outcomes, changed)
        return
      }
      if (changed === 'conflict') this.#known = undefined
      else if (planned.overdue.length > 1) {
        await this.#performSingly(jobs)
        return
      } else {
        // It has come back: nothing is to be done about it.
        jobs = jobs.map((job) => (isOverdue(job) ? { ...job, happening: undefined } : job))
      }
    }
    throw new SluiceError('overloaded')
  }

  /** Of those whose time was over somebody has come back: which of them, only a change for each can tell. */
  async #performSingly(jobs: readonly Job[]): Promise<void> {
    await this.#perform(jobs.filter((job) => !isOverdue(job)))
    for (const job of jobs.filter(isOverdue)) await this.#perform([job])
  }

  async #read(): Promise<{ readonly known: Known; readonly position: Position }> {
    const { version, fields, position } = await this.#options.documents.read(this.#name)
    const known = { version, roster: new Roster(fields) }
    this.#known = known
    return { known, position }
  }

  /** Sends a plan; what is known moves on with it. */
  async #change(known: Known, planned: Plan): Promise<State | 'conflict' | 'alive'> {
    const { documents, channel, tellsAtOnce } = this.#options
    const { fields, leases, overdue, diff, turned } = planned
    const set = new Map(fields)
    const lasting = [...leases]
    const drafts: Draft[] = []
    if (diff !== undefined) drafts.push({ channel: this.#name, name: 'presence.diff', data: diff })
    if (turned !== undefined && tellsAtOnce) drafts.push(occupancyDraft(channel, turned))
    const later = turned !== undefined && !tellsAtOnce
    if (later) {
      set.set(UNTOLD, addUntold(known.roster.untold, turned))
      lasting.push({ member: UNTOLD, ms: TELL_MS })
    }
    const changed = await documents.change(this.#name, {
      version: known.version,
      leases: lasting,
      ...(set.size > 0 && { set: Object.fromEntries(set) }),
      ...(overdue.length > 0 && { overdue }),
      ...(onlyLeaves(fields) && { frees: true }),
      ...(drafts.length > 0 && { drafts }),
    })
    if (changed.kind === 'sequence') throw new Error('No member of a presence numbers anything')
    if (changed.kind !== 'changed') return changed.kind
    this.#moveOn(known, set, changed.version)
    const state = this.#stateAt(known, changed.position)
    // Before anything else happens here; where it fails, its lease sees to it.
    if (later) await this.tell().catch(() => {})
    return state
  }

  #moveOn(known: Known, fields: ReadonlyMap<string, string | null>, version: number): void {
    known.roster.apply(fields)
    known.version = version
  }

  #stateAt({ version, roster }: Known, position: Position): State {
    if (this.#members?.version !== version) this.#members = { version, json: roster.json() }
    return new State(this.#options.channel, position, this.#members.json)
  }
}

const isOverdue = ({ happening }: Job) => happening?.kind === 'overdue'

function changesNothing({ fields, leases, overdue }: Plan): boolean {
  return fields.size === 0 && leases.length === 0 && overdue.length === 0
}

function onlyLeaves(fields: ReadonlyMap<string, string | null>): boolean {
  return fields.size > 0 && [...fields.values()].every((text) => text === null)
}

function sizeOf(happening: Happening): number {
  if (happening.kind !== 'enter' && happening.kind !== 'update') return 100
  const info = happening.kind === 'enter' ? (happening.info ?? '') : ''
  return 100 + info.length + (happening.data ?? '').length
}

/** `outcomes`: of the happenings among the jobs, in their order. */
function settle(jobs: readonly Job[], outcomes: readonly Outcome[], state: State): void {
  let next = 0
  for (const { happening, resolve } of jobs) {
    const outcome = happening === undefined ? 'present' : outcomes[next++]!
    resolve({ outcome, state })
  }
}
