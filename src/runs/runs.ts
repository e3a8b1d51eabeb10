/**
 * Runs, as routes know them: begun, gone on with, stopped, looked up. Keeps the leases of those that are
 * produced here, and ends those of producers that are gone.
 */
import type { Draft, Log, Receipt } from '../log/log.js'
import type { Logger } from '../logger.js'
import { KEEP_MS, LEASE_MS, RENEW_MS, STOP_MS, SWEEP_MS, SWEEP_RUNS } from './limits.js'
import { type Known, type Past, readPast } from './past.js'
import { createProducer, type Producer } from './producer.js'
import { type Run, type RunEnd, runChannel } from './run.js'
import type { Beginning, Hold, RunStore } from './store.js'

export interface RunsOptions {
  readonly store: RunStore
  readonly log: Pick<Log, 'read' | 'close' | 'delete' | 'fence' | 'partitionOf'>
  readonly publish: (drafts: readonly Draft[]) => Promise<Receipt[]>
  readonly logger: Logger
  /** ms. Default: LEASE_MS. */
  readonly leaseMs?: number
  /** Whether runs outlive this process, so that other gateways may go on with them. Default false. */
  readonly lasting?: boolean
}

export type Opened =
  | { readonly kind: 'producing'; readonly producer: Producer; readonly run: Run }
  /** There is one: running for `begin`, ended for `resume`. */
  | { readonly kind: 'exists'; readonly run: Run }
  | { readonly kind: 'unknown' }

export interface Runs {
  start(): Promise<void>
  /** Says of all that are produced here that they have broken off, or move to another gateway. */
  stop(): Promise<void>
  /** Runs that are produced here. */
  readonly producing: number
  begin(beginning: Beginning): Promise<Opened>
  /**
   * Goes on with a run that still runs; whoever produced it is shut out. `known`: what needn't be read
   * again. One whose end is in the log already ends by it.
   */
  resume(id: string, known?: Known): Promise<Opened>
  get(id: string): Promise<Run | undefined>
  /** Asks for a run's end; answers it as it is. */
  requestStop(id: string): Promise<Run | undefined>
  readonly store: RunStore
}

const GONE = { code: 'producer_gone', message: 'Its producer is gone' }
const SHUTDOWN = { code: 'gateway_shutdown', message: 'The gateway that produced it was shut down' }

export function createRuns(options: RunsOptions): Runs {
  const { store, log, publish, logger, leaseMs = LEASE_MS, lasting = false } = options
  const own = new Map<string, Producer>()
  const timers: NodeJS.Timeout[] = []
  let sweeping = false

  /** What earlier producers have said; they are shut out from here on. */
  async function pastOf({ run, fence }: Hold, known?: Known): Promise<Past | undefined> {
    if (fence === 1) return undefined
    await log.fence(runChannel(run.id), fence)
    return readPast(log, run, known)
  }

  function produce(hold: Hold, past: Past | undefined): Producer {
    const { id } = hold.run
    const producer = createProducer({
      ...{ hold, store, log, publish, known: past },
      onOver(producer) {
        if (own.get(id) === producer) own.delete(id)
      },
    })
    own.get(id)?.tell('lost')
    own.set(id, producer)
    return producer
  }

  async function opened(hold: Hold, known?: Known): Promise<Opened> {
    const past = await pastOf(hold, known)
    if (!isEnded(past)) return { kind: 'producing', producer: produce(hold, past), run: hold.run }
    const run = await writeDown(hold, past)
    return run === undefined ? { kind: 'unknown' } : { kind: 'exists', run }
  }

  /** A run's events and its end are there; only the record lacks them. */
  function writeDown({ run: { id }, fence }: Hold, past: Closed): Promise<Run | undefined> {
    return store.finish(id, fence, endOf(past), KEEP_MS)
  }

  /** Says that producers here live. */
  async function renew(): Promise<void> {
    const producers = [...own.values()]
    if (producers.length === 0) return
    const standings = await store.renew(producers, leaseMs)
    for (const [i, standing] of standings.entries()) {
      if (standing !== 'held') producers[i]!.tell(standing)
    }
  }

  /** Ends runs whose producer is gone. */
  async function sweep(): Promise<void> {
    if (sweeping) return
    sweeping = true
    try {
      for (const hold of await store.overdue(SWEEP_RUNS, leaseMs)) await bury(hold, hold.stopped)
    } finally {
      sweeping = false
    }
  }

  async function bury(hold: Hold, stopped: boolean): Promise<void> {
    const past = await pastOf(hold)
    const run = await (isEnded(past)
      ? writeDown(hold, past)
      : produce(hold, past).finish(stopped ? { as: 'aborted' } : { as: 'error', fault: GONE }))
    logger.warn({ run: hold.run.id, state: run?.state, events: run?.events }, 'a producer is gone')
  }

  /** Whoever produces it comes item by item, or doesn't hear: it is ended here. */
  async function endStopped(id: string): Promise<void> {
    const run = await store.get(id)
    if (run?.state !== 'running') return
    const opening = await resume(id)
    if (opening.kind === 'producing') await opening.producer.finish({ as: 'aborted' })
  }

  async function resume(id: string, known?: Known): Promise<Opened> {
    const resumed = await store.resume(id, leaseMs)
    if (resumed.kind === 'unknown') return resumed
    return resumed.kind === 'ended' ? { kind: 'exists', run: resumed.run } : opened(resumed, known)
  }

  const quietly = (what: string, task: () => Promise<void>) => () => {
    task().catch((error: unknown) => {
      logger.warn({ reason: (error as Error).message }, `runs: ${what} failed`)
    })
  }

  return {
    store,
    get producing() {
      return own.size
    },
    async start() {
      await store.start((id) => own.get(id)?.tell('stopped'))
      timers.push(setInterval(quietly('renewing', renew), Math.min(RENEW_MS, leaseMs / 3)))
      timers.push(setInterval(quietly('sweeping', sweep), Math.min(SWEEP_MS, leaseMs / 3)))
      for (const timer of timers) timer.unref()
    },
    async stop() {
      for (const timer of timers) clearInterval(timer)
      const all = [...own.values()]
      await Promise.allSettled(
        all.map((it) =>
          lasting && it.movable ? it.tell('moved') : it.finish({ as: 'error', fault: SHUTDOWN }),
        ),
      )
      await store.stop()
    },
    async begin(beginning) {
      const begun = await store.begin(beginning, leaseMs)
      return begun.kind === 'exists' ? begun : opened(begun)
    },
    resume,
    get: (id) => store.get(id),
    async requestStop(id) {
      const run = await store.requestStop(id)
      if (run?.state === 'running') {
        setTimeout(
          quietly('stopping', () => endStopped(id)),
          STOP_MS,
        ).unref()
      }
      return run
    },
  }
}

type Closed = Past & { readonly closed: RunEnd['state'] }

/** A run's channel is closed in the words of its state. */
function isEnded(past: Past | undefined): past is Closed {
  return past?.closed === 'done' || past?.closed === 'error' || past?.closed === 'aborted'
}

function endOf({ closed, events, reading }: Closed): RunEnd {
  const { text, usage, end } = reading
  return { state: closed, events, error: end?.error, text, usage }
}
