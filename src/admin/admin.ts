/**
 * Looks at this node every two seconds, tells the others, and answers how all of them are.
 *
 *     hub.survey ─▶ sample ─▶ report ─▶ board ◀─ reports of the others
 *                                         │
 *                           overview, lists ◀─ somebody asks
 *
 * A report is small while nobody looks. Lists, of channels and streams, are made and told only while
 * somebody does: a million channels cost nothing then, and two bounded lists while they are watched.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Survey } from '../hub/survey.js'
import { type Board, noBoard } from './board.js'
import { lately } from './lately.js'
import { createMeter } from './meter.js'
import type { Lists, NodeReport, Report } from './report.js'
import { createVitals } from './vitals.js'

export interface AdminOptions {
  readonly survey: Survey
  /** Default: this node is all there is. */
  readonly board?: Board | undefined
  readonly version: string
  readonly maxStreams: number
  readonly draining: () => boolean
  readonly fault: () => string | undefined
  /** ms between two looks. Default 2000. */
  readonly beatMs?: number
}

/** How all nodes are, as far as this one knows. */
export interface Overview {
  /** The one that answers first. */
  readonly reports: readonly Report[]
  /** Some are missing, or haven't told their lists: the store can't be asked, or they are slow. */
  readonly partial: boolean
}

export interface Admin {
  overview(): Promise<Overview>
  /**
   * With lists. Waits, for two beats at the most, until all that count have told theirs. `prefix`: of the
   * channels of this node only those are wanted that begin like that; the others don't hear of it.
   */
  lists(prefix?: string): Promise<Overview>
  /** A request was refused. */
  refused(code: string, publishes: boolean): void
  start(): void
  /** Leaves at once, rather than be missed. */
  stop(): Promise<void>
}

const BEAT_MS = 2_000
/** Beats that a report counts for: two may be late. */
const COUNTS = 3
/** ms that leaving may take: where the store is away it is missed instead, rather than hold up the end. */
const LEAVE_MS = 300
/** Beats for which lists are told after they were asked for. */
const LOOKED = 5
/** A beat's part for which this node's lists are the same for all who look. */
const SHARED = 4
/** Channels in each of the two lists of a node, and streams in the third. */
const MOST = 200
const MOST_STREAMS = 100

export function createAdmin(options: AdminOptions): Admin {
  const { survey, board = noBoard, version, maxStreams, beatMs = BEAT_MS } = options
  const id = randomBytes(6).toString('base64url')
  const host = hostname()
  const started = Date.now()
  const meter = createMeter(beatMs)
  const vitals = createVitals()
  const refusals = new Map<string, number>()
  let refused = 0
  let vital = vitals.read()
  let looked = false
  let beating = false
  let stopped = false
  let sampled = performance.now()
  let timer: NodeJS.Timeout | undefined

  function look(): void {
    const now = performance.now()
    survey.sample(Math.max(1, now - sampled))
    meter.sample(survey.totals, now)
    vital = vitals.read()
    sampled = now
  }

  function node(): NodeReport {
    return {
      ...{ id, host, pid: process.pid, version, started, maxStreams },
      ...{ draining: options.draining(), fault: options.fault() ?? null },
      ...survey.standing(),
      rates: meter.rates,
      totals: { ...survey.totals, refused },
      refusals: Object.fromEntries(refusals),
      process: vital,
      past: meter.past,
    }
  }

  const lists = (prefix: string): Lists => ({
    channels: survey.channels(MOST, (channel) => channel.startsWith(prefix)),
    streams: survey.streams(MOST_STREAMS),
  })
  // They go through all channels: not again for each of those who look.
  const shared = lately(lists, beatMs / SHARED)

  function tell(): Promise<boolean> {
    const report = { node: node(), ...(looked && { lists: lists('') }) }
    return board.tell(id, report, COUNTS * beatMs)
  }

  async function beat(): Promise<void> {
    look()
    // A store that is slow isn't told twice at a time.
    if (beating) return
    beating = true
    try {
      const before = looked
      looked = await tell()
      // Whoever looks waits for it.
      if (looked && !before && !stopped) await tell()
    } catch {
      // That the store is away says the log itself; the next beat tells it all.
      looked = false
    }
    beating = false
  }

  async function others(looking: number): Promise<Report[] | undefined> {
    try {
      const all = await board.all(looking)
      return all.filter((report) => report.node.id !== id)
    } catch {
      return undefined
    }
  }

  return {
    async overview() {
      const known = await others(0)
      return { reports: [{ node: node() }, ...(known ?? [])], partial: known === undefined }
    },
    async lists(prefix = '') {
      const deadline = performance.now() + 2 * beatMs
      for (;;) {
        const known = await others(LOOKED * beatMs)
        const partial = known?.every((report) => report.lists !== undefined) !== true
        if (!partial || known === undefined || performance.now() >= deadline) {
          return { reports: [{ node: node(), lists: shared(prefix) }, ...(known ?? [])], partial }
        }
        await new Promise((resolve) => setTimeout(resolve, beatMs / 8))
      }
    },
    refused(code, publishes) {
      refusals.set(code, (refusals.get(code) ?? 0) + 1)
      if (publishes) refused++
    },
    start() {
      vitals.start()
      void beat()
      timer = setInterval(() => void beat(), beatMs)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      vitals.stop()
      stopped = true
      let late: NodeJS.Timeout | undefined
      const patience = new Promise<void>((resolve) => {
        late = setTimeout(resolve, LEAVE_MS)
      })
      await Promise.race([board.leave(id).catch(() => {}), patience])
      clearTimeout(late)
    },
  }
}
