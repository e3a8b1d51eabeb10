/**
 * From an upstream's answer to a run: every event is appended before anybody gets it. Nobody who reads
 * is waited for, and nobody who leaves ends it.
 */
import type { Logger } from '../logger.js'
import type { RunEvent } from '../runs/format.js'
import { REGAIN_FOR_MS, REGAIN_MS } from '../runs/limits.js'
import { type Finish, isOver, type Producer } from '../runs/producer.js'
import type { RunFault } from '../runs/run.js'
import type { Runs } from '../runs/runs.js'
import { SluiceError } from '../wire/errors.js'
import { eventsOf } from './events.js'
import { UpstreamFault } from './faults.js'
import type { UpstreamAnswer } from './request.js'
import type { Upstream } from './upstreams.js'

export interface Pumping {
  readonly runs: Runs
  readonly producer: Producer
  readonly answer: UpstreamAnswer
  readonly upstream: Upstream
  readonly logger: Logger
}

const BROKEN: RunFault = {
  code: 'upstream_broken',
  message: 'The upstream closed its answer before the generation had ended',
}

/** Resolves when the run has ended, or is another's. Never rejects. */
export async function pump({ runs, answer, upstream, logger, ...from }: Pumping): Promise<void> {
  let { producer } = from
  let watched = watch(producer)

  /** The upstream is let go of as soon as nobody wants what it says. */
  function watch({ signal }: Producer): () => void {
    const over = () => answer.abort()
    if (signal.aborted) over()
    signal.addEventListener('abort', over)
    return () => signal.removeEventListener('abort', over)
  }

  /**
   * Appends though the log is away for a while. What became of events whose append was not answered is
   * unknown; so the run is taken over from oneself. From then on the old appends are refused, also those
   * that are still on their way, and what the log holds says which of them it has.
   */
  async function append(events: readonly RunEvent[]): Promise<void> {
    const before = producer.events
    try {
      await producer.append(events)
    } catch (error) {
      if (!isAway(error)) throw error
      const { signal } = producer
      await regained(() => signal.reason !== 'stopped')
      // The log may have lost more than it was sent meanwhile.
      const missing = events.slice(Math.max(0, producer.events - before))
      if (missing.length > 0) await append(missing)
    }
  }

  /** The same for its end: what was generated whole must not end as an error. */
  async function finish(how: Finish): Promise<void> {
    try {
      await producer.finish(how)
    } catch (error) {
      if (!isAway(error)) throw error
      await regained(() => true)
      await finish(how)
    }
  }

  async function regained(wanted: () => boolean): Promise<void> {
    watched()
    producer = await regain(runs, producer, wanted)
    watched = watch(producer)
  }

  try {
    for await (const events of eventsOf(answer.body, upstream)) await append(events)
    await finish({ as: 'closed', fault: BROKEN })
  } catch (error) {
    const { reason } = producer.signal
    if (reason === 'lost' || isOver(error)) return producer.leave()
    const fault = faultOf(error)
    if (reason !== 'stopped') {
      const detail = error instanceof UpstreamFault ? error.detail : (error as Error).message
      logger.warn({ run: producer.id, upstream: upstream.name, code: fault.code, detail }, 'relay')
    }
    const how: Finish = reason === 'stopped' ? { as: 'aborted' } : { as: 'error', fault }
    await finish(how).catch((error: unknown) => {
      producer.leave()
      if (isOver(error)) return
      // Its lease ends it.
      logger.warn({ run: producer.id, reason: (error as Error).message }, 'relay: no end')
    })
  } finally {
    watched()
    answer.abort()
  }
}

function isAway(error: unknown): boolean {
  return (
    error instanceof SluiceError &&
    (error.code === 'log_unavailable' || error.code === 'overloaded')
  )
}

async function regain(runs: Runs, lost: Producer, wanted: () => boolean): Promise<Producer> {
  const deadline = performance.now() + REGAIN_FOR_MS
  for (;;) {
    if (!wanted()) throw new UpstreamFault('aborted')
    try {
      const opening = await runs.resume(lost.id, lost.known)
      if (opening.kind === 'producing') return opening.producer
      throw new SluiceError('fenced')
    } catch (error) {
      if (!isAway(error) || performance.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, REGAIN_MS))
    }
  }
}

function faultOf(error: unknown): RunFault {
  if (error instanceof UpstreamFault)
    return { code: `upstream_${error.code}`, message: error.message }
  if (error instanceof SluiceError) return { code: error.code, message: error.message }
  return { code: 'internal', message: 'Something went wrong in the gateway' }
}
