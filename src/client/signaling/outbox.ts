/**
 * Signals on their way out. One POST is in flight at a time and is repeated, the very same, until it is
 * answered: so signals arrive in the order they were sent in, and each once. What is sent meanwhile
 * waits, and candidates that wait for the same peer become one signal.
 */
import { GatewayError } from '../gateway.js'
import { backoff, pause, type Timer, within } from '../timing.js'
import type { SignalItem, SignalResult } from './resources.js'

/** Items of one POST, and candidates of one item, that the gateway takes. */
const MAX_ITEMS = 100
const MAX_CANDIDATES = 100
/** Characters of data in one POST, beyond which the next item waits. */
const MAX_BATCH = 2 ** 18
/** Milliseconds after which a POST that isn't answered is given up and repeated. */
const PATIENCE = 10_000
/** A gateway that expects another number is believed so often for one batch. */
const MAX_RENUMBERINGS = 3

/** What one connection says, and no other one has a use for. */
const OF_CONNECTION: ReadonlySet<string> = new Set(['offer', 'answer', 'candidates', 'restart'])

export interface OutgoingSignal {
  readonly to: string
  readonly toIncarnation: string
  readonly type: string
  readonly data: unknown
}

export interface Outbox {
  send(signal: OutgoingSignal): void
  /** Forgets what waits for a peer and was meant for a connection that is no more. */
  forget(to: string): void
  /** After joining anew: nothing that was said before counts any more. */
  restart(): void
  close(): void
}

export interface OutboxOptions {
  readonly post: (
    items: readonly SignalItem[],
    abort: AbortSignal,
  ) => Promise<{ readonly results: readonly SignalResult[] }>
  readonly onResult: (signal: OutgoingSignal, result: SignalResult) => void
  /** These can't be sent, and sending them again could not help. */
  readonly onRefused: (signals: readonly OutgoingSignal[], error: GatewayError) => void
  readonly timer: Timer
  readonly random: () => number
}

interface CandidateData {
  readonly candidates: readonly unknown[]
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { post, onResult, onRefused, timer, random } = options
  let waiting: OutgoingSignal[] = []
  let sending = false
  /** Number of the next signal that the gateway hasn't taken yet. */
  let next = 1
  /** Aborted when what is being sent is not to be sent any more. */
  let era = new AbortController()

  function send(signal: OutgoingSignal): void {
    if (era.signal.aborted) return
    const at = waiting.findLastIndex(({ to }) => to === signal.to)
    const joint = at < 0 ? undefined : join(waiting[at]!, signal)
    if (joint === undefined) waiting.push(signal)
    else waiting[at] = joint
    if (!sending) void run()
  }

  async function run(): Promise<void> {
    sending = true
    // What is said in the same breath goes in one POST.
    await undefined
    while (waiting.length > 0) await deliver(take(), era)
    sending = false
  }

  function take(): OutgoingSignal[] {
    let size = 0
    const end = waiting.findIndex((signal, i) => {
      size += JSON.stringify(signal.data).length
      return i === MAX_ITEMS || (i > 0 && size > MAX_BATCH)
    })
    return waiting.splice(0, end < 0 ? waiting.length : end)
  }

  async function deliver(signals: readonly OutgoingSignal[], own: AbortController): Promise<void> {
    const ids = signals.map(() => crypto.randomUUID())
    let renumberings = 0
    for (let failures = 0; !own.signal.aborted; failures++) {
      const items = signals.map((signal, i) => ({ ...signal, seq: next + i, messageId: ids[i]! }))
      try {
        const { results } = await within(PATIENCE, timer, own.signal, (abort) => post(items, abort))
        if (own.signal.aborted) return
        next += items.length
        for (const [i, signal] of signals.entries()) {
          const result = results.find(({ messageId }) => messageId === ids[i])
          if (result !== undefined) onResult(signal, result)
        }
        return
      } catch (error) {
        if (own.signal.aborted) return
        const expected = expectedOf(error)
        if (expected !== undefined && expected !== next && renumberings++ < MAX_RENUMBERINGS) {
          next = expected
          continue
        }
        if (error instanceof GatewayError && !error.retryable) {
          await refuse(signals, error, own)
          return
        }
        const asked = error instanceof GatewayError ? error.retryAfter : 0
        await pause(backoff(asked, failures, random), timer, own.signal)
      }
    }
  }

  /** One wrong item refuses its whole batch: each is tried by itself, so that only the wrong one is lost. */
  async function refuse(
    signals: readonly OutgoingSignal[],
    error: GatewayError,
    own: AbortController,
  ): Promise<void> {
    const mayBeOne = error.status === 400 || error.status === 413
    if (signals.length === 1 || !mayBeOne) onRefused(signals, error)
    else for (const signal of signals) await deliver([signal], own)
  }

  return {
    send,
    forget(to) {
      waiting = waiting.filter((signal) => signal.to !== to || !OF_CONNECTION.has(signal.type))
    },
    restart() {
      era.abort()
      era = new AbortController()
      waiting = []
      next = 1
    },
    close() {
      era.abort()
      waiting = []
    },
  }
}

/** Two signals in one where the second goes on with the candidates of the first. */
function join(last: OutgoingSignal, signal: OutgoingSignal): OutgoingSignal | undefined {
  if (last.type !== 'candidates' || signal.type !== 'candidates') return undefined
  if (last.toIncarnation !== signal.toIncarnation) return undefined
  const { candidates: before, ...about } = last.data as CandidateData
  const { candidates: more, ...also } = signal.data as CandidateData
  if (JSON.stringify(about) !== JSON.stringify(also)) return undefined
  if (before.length + more.length > MAX_CANDIDATES) return undefined
  return { ...last, data: { ...about, candidates: [...before, ...more] } }
}

/** The number that the gateway expects, where it says so. */
function expectedOf(error: unknown): number | undefined {
  const problem: object | undefined = error instanceof GatewayError ? error.problem : undefined
  const { code, expected } = (problem ?? {}) as { code?: unknown; expected?: unknown }
  return code === 'signal_out_of_order' && typeof expected === 'number' ? expected : undefined
}
