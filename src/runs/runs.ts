/**
 * Runs, as routes know them: begun, gone on with, stopped, looked up. Keeps the leases of those that are
 * produced here, and ends those of producers that are gone.
 */
import type { Draft, Log, Receipt } from '../log/log.js'
import type { Logger } from '../logger.js'
import { LEASE_MS, RENEW_MS, SWEEP_MS, SWEEP_RUNS } from './limits.js'
import { readPast } from './past.js'
import { createProducer, type Producer } from './producer.js'
import type { Run, RunFormat } from './run.js'
import type { Beginning, Hold, RunStore } from './store.js'

export interface RunsOptions {
  readonly store: RunStore
  readonly log: Pick<Log, 'read' | 'close' | 'fence' | 'partitionOf'>
  readonly publish: (drafts: readonly Draft[]) => Promise<Receipt[]>
  readonly logger: Logger
  /** ms. Default: LEASE_MS. */
  readonly leaseMs?: number
}

export type Opened =
  | { readonly kind: 'producing'; readonly producer: Producer; readonly run: Run }
  /** There is one: running for `begin`, ended for `resume`. */
  | { readonly kind: 'exists'; readonly run: Run }
  | { readonly kind: 'unknown' }

export interface Runs {
  start(): Promise<void>
  /** Says of all that are produced here that they have broken off. */
  stop(): Promise<void>
  /** Runs that are produced here. */
  readonly producing: number
  begin(beginning: Beginning): Promise<Opened>
  /** Goes on with a run that still runs; whoever produced it is shut out. */
  resume(id: string, format?: RunFormat): Promise<Opened>
  get(id: string): Promise<Run | undefined>
  /** Asks for a run's end; answers it as it is. */
  requestStop(id: string): Promise<Run | undefined>
  readonly store: RunStore
}

const GONE = { code: 'producer_gone', message: 'Its producer is gone' }
const SHUTDOWN = { code: 'gateway_shutdown', message: 'The gateway that produced it was shut down' }

export function createRuns(options: RunsOptions): Runs {
  const { store, log, publish, logger, leaseMs = LEASE_MS } = options
  const own = new Map<string, Producer>()
  const timers: NodeJS.Timeout[] = []
  let sweeping = false

  async function produce(hold: Hold): Promise<Producer> {
    const { id, format } = hold.run
    // Whoever produced it before is shut out from here on, and what it had said is known then.
    const later = hold.fence > 1
    if (later) await log.fence(`run:${id}`, hold.fence)
    const past = later ? await readPast(log, id, format) : undefined
    const run = { ...hold.run, events: past?.events ?? 0 }
    const producer = createProducer({
      ...{ hold: { ...hold, run }, store, log, publish, said: past?.reading },
      onOver(producer) {
        if (own.get(id) === producer) own.delete(id)
      },
    })
    own.get(id)?.tell('lost')
    own.set(id, producer)
    return producer
  }

  async function opened(hold: Hold): Promise<Opened> {
    return { kind: 'producing', producer: await produce(hold), run: hold.run }
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
    const producer = await produce(hold)
    const run = await producer.finish(stopped ? { as: 'aborted' } : { as: 'error', fault: GONE })
    logger.warn({ run: hold.run.id, state: run?.state, events: run?.events }, 'a producer is gone')
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
      await Promise.allSettled(all.map((it) => it.finish({ as: 'error', fault: SHUTDOWN })))
      await store.stop()
    },
    async begin(beginning) {
      const begun = await store.begin(beginning, leaseMs)
      return begun.kind === 'exists' ? begun : opened(begun)
    },
    async resume(id, format) {
      const resumed = await store.resume(id, leaseMs, format)
      if (resumed.kind === 'unknown') return resumed
      return resumed.kind === 'ended' ? { kind: 'exists', run: resumed.run } : opened(resumed)
    },
    get: (id) => store.get(id),
    requestStop: (id) => store.requestStop(id),
  }
}
