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
 * All times are the store's own. Rejects with `log_unavailable` where it can't be asked.
 */
import type { Run, RunEnd, RunFormat } from './run.js'

export interface Beginning {
  readonly id: string
  readonly format: RunFormat
  readonly upstream?: string | undefined
  readonly subject?: string | undefined
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
  /** As `held`, and somebody wants it to end. */
  | 'stopped'
  /** Another producer has it, or it has ended. */
  | 'lost'

export interface RunStore {
  /** Once, after the log's own start. `onStop`: a run was told to stop, perhaps one that this process produces. */
  start(onStop: (id: string) => void): Promise<void>
  stop(): Promise<void>

  /** Begins a run and its lease. */
  begin(beginning: Beginning, leaseMs: number): Promise<Begun>
  /** Takes a run that still runs over from whoever produces it. `format`: where the new producer's is known and the old one's wasn't. */
  resume(id: string, leaseMs: number, format?: RunFormat): Promise<Resumed>
  /** Prolongs leases, and says how many events there are by now. Answers in their order. */
  renew(
    holds: readonly { readonly id: string; readonly fence: number; readonly events: number }[],
    leaseMs: number,
  ): Promise<readonly Standing[]>
  /** Writes the format down that was found out from the first events. False: the hold is lost. */
  describe(id: string, fence: number, format: RunFormat): Promise<boolean>
  /** Ends a run; kept for `keepMs` from now on. Answers the run as it has ended: by this call, or by an earlier one. Undefined: unknown, or another producer has it. */
  finish(id: string, fence: number, end: RunEnd, keepMs: number): Promise<Run | undefined>
  /**
   * Asks a run's producer to end it. Answers the run as it is; undefined: unknown. Whoever produces it
   * hears of it by `onStop` at once, or else by its next `renew`.
   */
  requestStop(id: string): Promise<Run | undefined>
  get(id: string): Promise<Run | undefined>
  /**
   * Runs whose lease is over, at most `limit`: taken over by the caller with a lease of its own, each by one
   * gateway only. `stopped`: somebody had wanted it to end.
   */
  overdue(
    limit: number,
    leaseMs: number,
  ): Promise<readonly (Hold & { readonly stopped: boolean })[]>

  /**
   * The run that a key stands for: the first `id` that was given for it within `keepMs`. Keys of
   * different subjects are the caller's to keep apart.
   */
  keyed(key: string, id: string, keepMs: number): Promise<string>
}
