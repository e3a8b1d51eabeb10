/**
 * Changes to a document by steps: functions from what it is to what is to become of it.
 *
 *     waiting ──▶ step(newest state) ──▶ change, sent at once ──▶ changed: what the step makes of it
 *        ▲                │                     │
 *        │                │ end                 └ conflict: the state is another; once nothing is
 *        │                ▼                       under way it is read, and the step taken again
 *        └── on a state that is older than the question: read first
 *
 * Steps of one document are taken one after another, each on what the one before it leaves, without
 * waiting for the answer: it says which version it makes, and if it fails, so do those that were computed
 * from it. So five hundred that come at once are two or three writes, not five hundred conflicts.
 */
import { SluiceError } from '../wire/errors.js'
import type { Applied, Change, Changed, Document, Documents, Effect } from './documents.js'
import { createVersions } from './versions.js'

/** What a step wants. */
export type Step<T> =
  /** Nothing: this is the result. It is no older than the question. */
  | { readonly end: T }
  | {
      readonly change: Effect
      /** Makes the result of what came of it. `alive` and `sequence`: nothing was changed. */
      readonly answer: (outcome: Outcome) => T
    }

export type Outcome = Exclude<Changed, { readonly kind: 'conflict' }>

export interface Transactions {
  /**
   * `step` has no effects of its own: it may be called several times, the last one counts. What it is given
   * stays as it is. `away` may be old in it: `ask` tells how it was at the change. Rejects as
   * `Documents.change` does, with what `step` or `answer` throws, and with `overloaded` where others were
   * first again and again.
   */
  transact<T>(name: string, step: (document: Document) => Step<T>): Promise<T>
}

/** Times that a step is taken: each time others were first, so with sixteen gateways each has its turn. */
const ATTEMPTS = 32
/** Documents whose newest state is remembered without anything under way. */
const IDLE = 256
/** Characters of theirs. */
const IDLE_SIZE = 16 * 1024 * 1024

interface Job {
  readonly step: (document: Document) => Step<unknown>
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  /** When it was asked for. */
  readonly asked: number
  attempts: number
}

/** One document, as this gateway has it. */
interface Lane {
  readonly name: string
  waiting: Job[]
  /** Jobs whose step is to be taken once nothing is under way, in their order. */
  again: Job[]
  flying: number
  reading: boolean
  /** What the last step leaves; undefined where it must be read. */
  state: Document | undefined
  /** The state was the store's at this time or later, unless something under way fails. */
  known: number
  /** The state is not what it was thought to be. */
  astray: boolean
}

/** The document after a change that the store takes. */
function after(document: Document, effect: Effect, version: number): Document {
  const { set, leases = [] } = effect
  const fields = new Map(document.fields)
  for (const [field, value] of Object.entries(set ?? {})) {
    if (value === null) fields.delete(field)
    else fields.set(field, value)
  }
  if (fields.size === 0) return { ...document, version: 0, fields, away: new Set() }
  const away = new Set(document.away)
  for (const lease of leases) {
    if (lease.away === true && lease.ms > 0) away.add(lease.member)
    else away.delete(lease.member)
  }
  return { ...document, version, fields, away }
}

function sizeOf({ fields }: Document): number {
  let size = 100
  for (const [field, value] of fields) size += field.length + value.length + 50
  return size
}

export function createTransactions(documents: Documents): Transactions {
  const lanes = new Map<string, Lane>()
  /** Insertion order is order of last use. */
  const idle = new Map<string, { readonly lane: Lane; readonly size: number }>()
  let idleSize = 0
  const newVersion = createVersions()
  /** Counts what happens, so that one can say what was before what. */
  let time = 0

  function laneOf(name: string): Lane {
    let lane = lanes.get(name)
    if (lane === undefined) {
      lane = {
        ...{ name, waiting: [], again: [], flying: 0, reading: false },
        ...{ state: undefined, known: 0, astray: false },
      }
      lanes.set(name, lane)
    }
    wake(name)
    return lane
  }

  function wake(name: string): void {
    idleSize -= idle.get(name)?.size ?? 0
    idle.delete(name)
  }

  /** Remembers the newest state for a while: the next step spares a reading then. */
  function rest(lane: Lane): void {
    const { name, state } = lane
    wake(name)
    if (state === undefined || state.version === 0) {
      lanes.delete(name)
      return
    }
    const size = sizeOf(state)
    idle.set(name, { lane, size })
    idleSize += size
    for (const oldest of idle.keys()) {
      if (idle.size <= IDLE && idleSize <= IDLE_SIZE) return
      wake(oldest)
      lanes.delete(oldest)
    }
  }

  async function read(lane: Lane): Promise<void> {
    lane.reading = true
    const begun = ++time
    try {
      lane.state = await documents.read(lane.name)
      lane.known = begun
    } catch (error) {
      for (const job of lane.waiting.splice(0)) job.reject(error)
    }
    lane.reading = false
    run(lane)
  }

  /** Takes the steps that can be taken. */
  function run(lane: Lane): void {
    if (lane.reading) return
    if (lane.flying === 0) {
      if (lane.astray) lane.state = undefined
      lane.astray = false
      lane.waiting = [...lane.again.splice(0), ...lane.waiting]
    }
    // Whoever waits for what is under way would else wait for ever where more and more is sent.
    while (lane.waiting.length > 0 && !lane.astray && (lane.flying === 0 || !lane.again.length)) {
      if (lane.state === undefined) {
        void read(lane)
        return
      }
      take(lane, lane.state, lane.waiting.shift()!)
    }
    if (lane.flying > 0) return
    if (lane.again.length > 0) run(lane)
    else rest(lane)
  }

  function take(lane: Lane, state: Document, job: Job): void {
    let step: Step<unknown>
    try {
      step = job.step(state)
    } catch (error) {
      decide(lane, job, () => job.reject(error))
      return
    }
    if ('end' in step) {
      const { end } = step
      decide(lane, job, () => job.resolve(end))
    } else {
      void send(lane, state, job, step.change, step.answer)
    }
  }

  /** An end is believed where the state is the store's, as it was after the question. */
  function decide(lane: Lane, job: Job, settle: () => void): void {
    if (lane.flying === 0 && lane.known >= job.asked) {
      settle()
      return
    }
    if (lane.flying === 0) lane.state = undefined
    lane.again.push(job)
  }

  async function send(
    lane: Lane,
    state: Document,
    job: Job,
    effect: Effect,
    answer: (outcome: Outcome) => unknown,
  ): Promise<void> {
    const sent = ++time
    const change: Change =
      effect.set === undefined
        ? { ...effect, version: state.version }
        : { ...effect, version: state.version, becomes: newVersion() }
    const next = after(state, effect, change.becomes ?? state.version)
    lane.state = next
    lane.flying++
    job.attempts++
    try {
      const outcome = await documents.change(lane.name, change)
      if (outcome.kind === 'changed') applied(lane, outcome, sent)
      else lane.astray = true
      if (outcome.kind !== 'conflict') job.resolve(answer(outcome))
      else if (job.attempts < ATTEMPTS) lane.again.push(job)
      else job.reject(new SluiceError('overloaded'))
    } catch (error) {
      lane.astray = true
      job.reject(error)
    }
    lane.flying--
    run(lane)
  }

  /** With nothing under way the newest state is the last one's, and true at the last one's position. */
  function applied(lane: Lane, { position }: Applied, sent: number): void {
    const { state } = lane
    lane.known = Math.max(lane.known, sent)
    if (state !== undefined && position.order > state.position.order) {
      lane.state = { ...state, position }
    }
  }

  return {
    transact: <T>(name: string, step: (document: Document) => Step<T>) =>
      new Promise<T>((resolve, reject) => {
        const lane = laneOf(name)
        const settle = resolve as (result: unknown) => void
        lane.waiting.push({ step, resolve: settle, reject, asked: ++time, attempts: 0 })
        run(lane)
      }),
  }
}
