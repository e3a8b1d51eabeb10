/**
 * The records of runs on Redis, each on the partition of its channel: what is said of a run and what is
 * appended to it go to the same master, and are lost together or not at all.
 */

import { answersOf, type Page, pagesOf, takeFromAll } from '../log/parts.js'
import type { Argument, FunctionName } from '../log/redis/functions.js'
import type { Intake } from '../log/redis/intake.js'
import type { Logger } from '../logger.js'
import { readRun, type Told, writeField } from './record.js'
import { runChannel } from './run.js'
import { createStops } from './stops.js'
import type { Charge, Renewal, RunStore, Standing } from './store.js'
import { LOOK_EVERY, RENEWALS_PAGE, STOPS } from './store-limits.js'

export interface RedisRunsOptions {
  readonly logger: Logger
  /** ms between two questions for runs that were told to stop. Default 250. */
  readonly lookEvery?: number
}

/** Letters of `run_renew`. */
const STANDINGS: Readonly<Record<string, Standing>> = { h: 'held', s: 'stopped', l: 'lost' }

export function createRedisRuns(
  intake: Pick<Intake, 'call' | 'partitionOf' | 'partitions'>,
  { logger, lookEvery = LOOK_EVERY }: RedisRunsOptions,
): RunStore {
  const stops = createStops({
    every: lookEvery,
    ask: async (partition) => (await intake.call(partition, 'run_stops', [STOPS])) as string[],
  })
  let tell: ((id: string) => void) | undefined

  const home = (id: string) => intake.partitionOf(runChannel(id))
  const ask = (id: string, name: FunctionName, ...args: readonly Argument[]) =>
    intake.call(home(id), name, [id, ...args])

  /** Before it is asked: the answer may be lost on its way, and be ours all the same. */
  function produce(id: string, name: FunctionName, ms: number, ...args: readonly Argument[]) {
    stops.watch(home(id), ms)
    return ask(id, name, ms, ...args)
  }

  /** Standings by their place among all that were asked for. */
  async function renewPage(
    { partition, items }: Page<readonly [number, Renewal]>,
    leaseMs: number,
  ) {
    stops.watch(partition, leaseMs)
    const args = items.flatMap(([, { id, fence, events }]) => [id, fence, events])
    const letters = (await intake.call(partition, 'run_renew', [leaseMs, ...args])) as string
    return items.map(([place], i) => [place, STANDINGS[letters[i] as string] as Standing] as const)
  }

  async function takeOver(partition: number, limit: number, leaseMs: number): Promise<Charge[]> {
    const answer = await intake.call(partition, 'run_overdue', [limit, leaseMs])
    const taken = answer as [string, string, number, Told][]
    if (taken.length > 0) stops.watch(partition, leaseMs)
    return taken.map(([id, fence, stopped, told]) => {
      return { run: readRun(id, told), fence: Number(fence), stopped: stopped === 1 }
    })
  }

  return {
    async start(onStop) {
      tell = onStop
      stops.start(onStop)
    },
    async stop() {
      tell = undefined
      stops.stop()
    },

    async begin({ id, format, upstream, owner, key, pending, loose = false }, leaseMs) {
      const told = [upstream, owner, key, pending || undefined].map(writeField)
      const fields = [format, loose ? '' : 'held', ...told]
      const answer = await produce(id, 'run_begin', leaseMs, ...fields)
      const [fence, known] = answer as [string, Told]
      const run = readRun(id, known)
      return fence === '' ? { kind: 'exists', run } : { kind: 'begun', run, fence: Number(fence) }
    },
    async resume(id, leaseMs, format = 'plain') {
      const answer = (await produce(id, 'run_resume', leaseMs, format)) as [string, Told] | null
      if (answer === null) return { kind: 'unknown' }
      const [fence, told] = answer
      const run = readRun(id, told)
      return fence === '' ? { kind: 'ended', run } : { kind: 'resumed', run, fence: Number(fence) }
    },
    async renew(holds, leaseMs) {
      const standings = holds.map((): Standing => 'held')
      const pages = pagesOf([...holds.entries()], ([, { id }]) => home(id), RENEWALS_PAGE)
      const answers = await answersOf(pages.map((page) => renewPage(page, leaseMs)))
      const missing = pages.length - answers.length
      if (missing > 0) logger.warn({ missing, of: pages.length }, 'runs: leases not renewed')
      for (const [place, standing] of answers.flat()) standings[place] = standing
      return standings
    },
    async touch(id, leaseMs, { fence = '', owner } = {}) {
      const answer = await ask(id, 'run_touch', leaseMs, fence, writeField(owner))
      const [newest, stopped, told] = (answer ?? []) as [string?, number?, Told?]
      if (told === undefined) return undefined
      return { run: readRun(id, told), fence: Number(newest), stopped: stopped === 1 }
    },
    async describe(id, fence, format) {
      return (await ask(id, 'run_describe', fence, format)) === 1
    },
    async forget(id, fence) {
      return (await ask(id, 'run_forget', fence)) === 1
    },

    async finish(id, fence, { state, events, error, usage, text }, keepMs) {
      const fields = [writeField(error), writeField(usage), writeField(text)]
      const answer = await ask(id, 'run_finish', fence, keepMs, state, events, ...fields)
      if (answer === null) return undefined
      const [told, earlier] = answer as [Told, (string | null)?]
      if (earlier !== undefined) return readRun(id, told, earlier)
      return { ...readRun(id, told), ...(text !== undefined && { text }) }
    },

    async requestStop(id) {
      const answer = (await ask(id, 'run_stop')) as Told | null
      if (answer === null) return undefined
      const run = readRun(id, answer)
      if (run.state === 'running') tell?.(id)
      return run
    },
    async get(id) {
      const answer = (await ask(id, 'run_get')) as [Told, string | null] | null
      return answer === null ? undefined : readRun(id, ...answer)
    },
    overdue: (limit, leaseMs) =>
      takeFromAll(intake.partitions, limit, (partition, share) => {
        return takeOver(partition, share, leaseMs)
      }),

    async keyed(key, id, keepMs) {
      const name = JSON.stringify(key)
      return (await intake.call(intake.partitionOf(name), 'run_keyed', [
        name,
        id,
        keepMs,
      ])) as string
    },
  }
}
