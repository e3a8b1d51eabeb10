/** How the process itself is. */
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Vitals } from './report.js'

export interface VitalsMeter {
  start(): void
  /** Since the last call. */
  read(): Vitals
  stop(): void
}

/** ms between two looks at how late timers come. */
const RESOLUTION = 20

export function createVitals(): VitalsMeter {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION })
  let before: EventLoopUtilization = performance.eventLoopUtilization()
  return {
    start() {
      delays.enable()
    },
    read() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      // What it measures has its own period in it.
      const late = delays.count === 0 ? 0 : delays.percentile(99) / 1e6 - RESOLUTION
      delays.reset()
      const { rss, heapUsed: heap } = process.memoryUsage()
      return { rss, heap, busy: rounded(utilization, 3), delay: rounded(Math.max(0, late), 1) }
    },
    stop() {
      delays.disable()
    },
  }
}

const rounded = (value: number, digits: number) => Number(value.toFixed(digits))
