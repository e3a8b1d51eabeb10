/**
 * The records of runs, and who produces each: the seam. `store-memory.ts` for one process,
 * `store-redis.ts` for many; `test/runs/store-contract.ts` holds both to what stands here.
 *
 * A producer holds a **lease**: it says again and again that it lives. Each producer of a run has a
 * **fence**, a number greater than that of the one before: what an older one still says is refused.
 *
 *     begin ──▶ running ── renew … ──▶ finish ──▶ done | error | aborted
 *                 │  ▲
 *        lease over  └── resume: another producer, the next fence
 *                 │
 *                 └──▶ overdue: a gateway takes it over, to end it
 *
 * A lease that is over takes nothing from its producer by itself: it goes on until somebody takes the
 * run over, be it late.
 *
 * All times are the store's own; durations are whole ms and at least 1. Each call is atomic for each run
 * in it. It rejects with `log_unavailable` where the store can't be asked: whether it had its effect is
 * not known then. Only `get` and `finish` bring a run's text along, for it may be large.
 *
 * Strings may hold any characters; ids are those of `isRunId`. How long they and the ends are is the
 * caller's to bound.
 */
import type { Run, RunEnd, RunFormat } from './run.js'

export interface Beginning {
  /** As `isRunId` has it. */
  readonly id: string
  readonly format: RunFormat
  readonly upstream?: string | undefined
  /** As it is compared with whoever comes to produce it. */
  readonly owner?: string | undefined
  /** Its producer comes item by item, and holds nothing open. Default false. */
  readonly loose?: boolean
  /** The key that `keyed` answered this run's id for. */
  readonly key?: string | undefined
  /** Its producer doesn't know yet whether there will be anything to produce. Default false. */
  readonly pending?: boolean
}

/** A producer's hold on a run. */
export interface Hold {
  readonly run: Run
  /** 1 for the first producer. */
  readonly fence: number
}

export type Begun =
  | ({ readonly kind: 'begun' } & Hold)
  /** There is such a run already, of whatever state. */
  | { readonly kind: 'exists'; readonly run: Run }

export type Resumed =
  | ({ readonly kind: 'resumed' } & Hold)
  | { readonly kind: 'ended'; readonly run: Run }
  | { readonly kind: 'unknown' }

/** How a producer stands. */
export type Standing =
  /** Its lease is longer by what was asked for. */
  | 'held'
  /** As `held`, and somebody wants the run to end: said by each renewal until it does. */
  | 'stopped'
  /** Another producer has it, or it has ended, or the store has lost it. */
  | 'lost'

/** A producer's sign of life. */
export interface Renewal {
  readonly id: string
  readonly fence: number
  /** Events appended by now, by all producers of the run. */
  readonly events: number
}

/** Who comes with an item. */
export interface Visitor {
  /** The fence that it says it has. Default: the newest, whichever that is. */
  readonly fence?: number | undefined
  /** Whose the run must be. Default: anybody's. */
  readonly owner?: string | undefined
}

/** A hold, and what its producer has to know. */
export interface Charge extends Hold {
  /** Somebody wants the run to end. False where it has. */
  readonly stopped: boolean
}

export interface RunStore {
  /**
   * Once, after the log's own start. `onStop`: a run was told to stop; perhaps one that this process
   * produces, perhaps another's, and perhaps told more than once.
   */
  start(onStop: (id: string) => void): Promise<void>
  stop(): Promise<void>

  /** Begins a run and its lease. An id is free again once its run is forgotten. */
  begin(beginning: Beginning, leaseMs: number): Promise<Begun>
  /**
   * Takes a run that still runs over from whoever produces it; it is `pending` no more. `format` counts
   * where that of the run is `plain`: the new producer may know what the old one didn't. That it was told
   * to stop holds for the new producer, too, who hears of it as any other.
   */
  resume(id: string, leaseMs: number, format?: RunFormat): Promise<Resumed>
  /**
   * Prolongs leases, to `leaseMs` from now, and says how many events there are. Answers in their order.
   * Where a part of the store can't be asked, its holds are answered `held`: nobody can take them over
   * there, either, and a producer's next append finds out by itself. Rejects where no part can. A run
   * that has events is `pending` no more.
   */
  renew(holds: readonly Renewal[], leaseMs: number): Promise<readonly Standing[]>
  /**
   * Prolongs the lease of whoever produces a run, to `leaseMs` from now: for a producer that comes item
   * by item, each perhaps to another gateway. One that holds the run is shut out by it, as by any other
   * producer: it couldn't know of what the item says. A visitor whose it isn't changes nothing, nor does one
   * where it was told to stop: what is refused must not keep a run alive. Answers the run as it is, running or ended, with the fence of its last
   * producer; undefined: unknown.
   */
  touch(id: string, leaseMs: number, visitor?: Visitor): Promise<Charge | undefined>
  /**
   * Writes the format down that was found out from the first events, or from what promises some: it is
   * `pending` no more. False: the hold is lost.
   */
  describe(id: string, fence: number, format: RunFormat): Promise<boolean>
  /**
   * Forgets a run that never came to be, so that its id is free at once. False, and nothing is forgotten,
   * where it has ended, is another's, or there is none.
   */
  forget(id: string, fence: number): Promise<boolean>
  /**
   * Ends a run; kept for `keepMs` from now on. Answers the run as it has ended: by this call, or by an
   * earlier one, whose end stands. Undefined: unknown, or a newer producer has or had it.
   */
  finish(id: string, fence: number, end: RunEnd, keepMs: number): Promise<Run | undefined>
  /**
   * Asks a run's producer to end it. Answers the run as it is; undefined: unknown. Whoever produces it
   * hears of it by `onStop` within half a second, as long as it renews, or else by its next `renew`.
   */
  requestStop(id: string): Promise<Run | undefined>
  get(id: string): Promise<Run | undefined>
  /**
   * Runs whose lease is over, at most `limit`: taken over by the caller with a lease of its own, each by
   * one gateway only. Fewer than `limit`: there are no more. What can't be asked is left for another
   * time; rejects where nothing can.
   */
  overdue(limit: number, leaseMs: number): Promise<readonly Charge[]>

  /**
   * The run that a key stands for: the first `id` that was given for it within `keepMs`. There need not
   * be such a run yet, nor ever: of those who get the same id the first to `begin` it produces it. Keys
   * of different subjects are the caller's to keep apart.
   */
  keyed(key: string, id: string, keepMs: number): Promise<string>
}
