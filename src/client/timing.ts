/** Waiting: for how long, and how to stop. Clock and chance come in, so that a test can own them. */

/** Runs a task after `ms` milliseconds; gives back what cancels it. */
export type Timer = (ms: number, task: () => void) => () => void

export const systemTimer: Timer = (ms, task) => {
  const id = setTimeout(task, ms)
  return () => clearTimeout(id)
}

/** The clock, but for when it is set back: what was to come soon doesn't come late then. */
export function forward(now: () => number): () => number {
  let latest = 0
  let ahead = 0
  return () => {
    const time = now() + ahead
    if (time < latest) ahead += latest - time
    else latest = time
    return latest
  }
}

/** Where the exponential part of the wait stops growing, in milliseconds. */
const MAX_BACKOFF = 30_000
/** Longest wait that a server can ask for, in milliseconds. Beyond 2^31 a timer would fire at once. */
export const MAX_ASKED = 300_000

/**
 * Milliseconds before the next try: what the server asked for, and on top of it full jitter, so that
 * a thousand clients that were cut off at one moment don't come back at one moment.
 */
export function backoff(asked: number, failures: number, random: () => number): number {
  const spread = Math.min(MAX_BACKOFF, 1000 * 2 ** Math.min(failures, 10))
  return Math.round(Math.min(asked, MAX_ASKED) + random() * spread)
}

/** Resolves after `ms`, or at once when the signal fires or `wake` calls what it was given. */
export function pause(
  ms: number,
  timer: Timer,
  signal: AbortSignal | undefined,
  wake?: ((task: () => void) => () => void) | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel()
      forget?.()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = timer(ms, done)
    const forget = wake?.(done)
    signal?.addEventListener('abort', done)
    if (signal?.aborted) done()
  })
}

/**
 * What `start` gives. Its signal fires when `outer` does, and after `ms`, for an answer may never come; then
 * it rejects, whether `start` does or not: some platforms never end what was given up.
 */
export function within<T>(
  ms: number,
  timer: Timer,
  outer: AbortSignal,
  start: (abort: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController()
    const { signal } = controller
    const over = () => {
      cancel()
      outer.removeEventListener('abort', abort)
    }
    const abort = () => {
      over()
      controller.abort()
      reject(signal.reason)
    }
    const cancel = timer(ms, abort)
    outer.addEventListener('abort', abort)
    if (outer.aborted) abort()
    start(signal).then(resolve, reject).finally(over)
  })
}
