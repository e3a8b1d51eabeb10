/** The records of runs, where there is only one process. */
import { createExpiring } from '../auth/expiring.js'
import type { Run } from './run.js'
import type { RunStore, Standing } from './store.js'
import { ENDED, KEYS, SWEEP_EVERY, TEXTS } from './store-limits.js'
import { createTexts } from './texts.js'

export interface MemoryRunsOptions {
  /** ms since the epoch. Default: the machine's clock. */
  readonly now?: () => number
  /** Characters of ended runs' texts that are kept; the newest. Default: 32 Mi. */
  readonly texts?: number
}

/** One that runs. Never forgotten: there are as many as have producers, or had one a lease ago. */
interface Running {
  run: Run
  fence: number
  /** ms since the epoch at which its lease is over. */
  leased: number
  stopped: boolean
  /** By a producer that holds something open, rather than one that comes item by item. */
  held: boolean
}

/** One that has ended, without its text. */
interface Ended {
  readonly run: Run
  /** Of its last producer. */
  readonly fence: number
}

export function createMemoryRuns(options: MemoryRunsOptions = {}): RunStore {
  const { now = Date.now } = options
  const running = new Map<string, Running>()
  const ended = createExpiring<Ended>({ limit: ENDED, sweepEvery: SWEEP_EVERY, now })
  const texts = createTexts(options.texts ?? TEXTS)
  const keys = createExpiring<string>({ limit: KEYS, sweepEvery: SWEEP_EVERY, now })
  let tell: ((id: string) => void) | undefined

  const find = (id: string): Run | undefined => running.get(id)?.run ?? ended.get(id)?.run

  /** Undefined: it is another's, or doesn't run. */
  function held(id: string, fence: number): Running | undefined {
    const own = running.get(id)
    return own?.fence === fence ? own : undefined
  }

  function withText(run: Run): Run {
    const text = texts.get(run.id)
    return text === undefined ? run : { ...run, text }
  }

  /** It has come to be. */
  function settled({ pending: _, ...run }: Run): Run {
    return run
  }

  function takeOver(own: Running, leaseMs: number): void {
    own.run = settled(own.run)
    own.fence++
    own.held = true
    own.leased = now() + leaseMs
  }

  return {
    async start(onStop) {
      tell = onStop
    },
    async stop() {
      tell = undefined
    },

    async begin({ id, format, upstream, owner, key, pending, loose = false }, leaseMs) {
      const before = find(id)
      if (before !== undefined) return { kind: 'exists', run: before }
      const started = now()
      const run: Run = {
        ...{ id, state: 'running', started, ended: null, format, events: 0 },
        ...(upstream !== undefined && { upstream }),
        ...(owner !== undefined && { owner }),
        ...(key !== undefined && { key }),
        ...(pending === true && { pending }),
      }
      running.set(id, { run, fence: 1, leased: started + leaseMs, stopped: false, held: !loose })
      return { kind: 'begun', run, fence: 1 }
    },
    async resume(id, leaseMs, format) {
      const own = running.get(id)
      if (own === undefined) {
        const run = find(id)
        return run === undefined ? { kind: 'unknown' } : { kind: 'ended', run }
      }
      if (format !== undefined && own.run.format === 'plain') own.run = { ...own.run, format }
      takeOver(own, leaseMs)
      return { kind: 'resumed', run: own.run, fence: own.fence }
    },
    async renew(holds, leaseMs) {
      return holds.map(({ id, fence, events }): Standing => {
        const own = held(id, fence)
        if (own === undefined) return 'lost'
        own.run = { ...(events > 0 ? settled(own.run) : own.run), events }
        own.leased = now() + leaseMs
        return own.stopped ? 'stopped' : 'held'
      })
    },
    async touch(id, leaseMs, { fence, owner } = {}) {
      const own = running.get(id)
      if (own === undefined) {
        const before = ended.get(id)
        return before && { ...before, stopped: false }
      }
      const itsOwn = owner === undefined || owner === own.run.owner
      if (itsOwn && !own.stopped && (fence ?? own.fence) === own.fence) {
        if (own.held) takeOver(own, leaseMs)
        own.held = false
        own.leased = now() + leaseMs
      }
      return { run: own.run, fence: own.fence, stopped: own.stopped }
    },
    async describe(id, fence, format) {
      const own = held(id, fence)
      if (own !== undefined) own.run = { ...settled(own.run), format }
      return own !== undefined
    },
    async forget(id, fence) {
      return held(id, fence) !== undefined && running.delete(id)
    },

    async finish(id, fence, { text, error, usage, state, events }, keepMs) {
      const before = ended.get(id)
      if (before !== undefined) return before.fence === fence ? withText(before.run) : undefined
      const own = held(id, fence)
      if (own === undefined) return undefined
      const run: Run = {
        ...{ ...settled(own.run), state, events, ended: Math.max(now(), own.run.started) },
        ...(error !== undefined && { error }),
        ...(usage !== undefined && { usage }),
      }
      running.delete(id)
      ended.set(id, { run, fence }, now() + keepMs)
      texts.set(id, text)
      return text === undefined ? run : { ...run, text }
    },

    async requestStop(id) {
      const own = running.get(id)
      if (own === undefined) return find(id)
      own.stopped = true
      tell?.(id)
      return own.run
    },
    async get(id) {
      const run = find(id)
      return run?.state === 'running' ? run : run && withText(run)
    },
    async overdue(limit, leaseMs) {
      const late = [...running.values()].filter(({ leased }) => leased <= now())
      const first = late.toSorted((a, b) => a.leased - b.leased).slice(0, limit)
      return first.map((own) => {
        takeOver(own, leaseMs)
        return { run: own.run, fence: own.fence, stopped: own.stopped }
      })
    },

    async keyed(key, id, keepMs) {
      const before = keys.get(key)
      if (before === undefined) keys.set(key, id, now() + keepMs)
      return before ?? id
    },
  }
}
