/**
 * Hears of runs that were told to stop, by asking each partition on which this gateway produces some.
 *
 * A message to everybody would come a little sooner. But it needs a connection of its own, messages may
 * be lost, and so this question would be asked all the same: an answer of Redis's list costs some 10 µs,
 * and says of a run again and again that it is to stop, until it has.
 */
export interface StopsOptions {
  /** ms between two questions. */
  readonly every: number
  /** Ids of the runs on a partition that are to stop. */
  ask(partition: number): Promise<readonly string[]>
  /** Monotonic, in ms. Default: performance.now. */
  readonly now?: () => number
}

export interface Stops {
  start(stopped: (id: string) => void): void
  stop(): void
  /** Somebody here produces on a partition, for so many ms at least. */
  watch(partition: number, ms: number): void
}

export function createStops(options: StopsOptions): Stops {
  const { ask, every, now = () => performance.now() } = options
  /** Partition -> until when it is asked. */
  const watched = new Map<number, number>()
  const asking = new Set<number>()
  let tell: ((id: string) => void) | undefined
  let timer: NodeJS.Timeout | undefined

  async function look(partition: number): Promise<void> {
    if (asking.has(partition)) return
    asking.add(partition)
    // The log's connections say what is wrong with them; the next question finds what this one missed.
    const ids = await ask(partition).catch(() => [])
    asking.delete(partition)
    for (const id of ids) tell?.(id)
  }

  function lookAround(): void {
    for (const [partition, until] of watched) {
      if (until > now()) void look(partition)
      else watched.delete(partition)
    }
  }

  return {
    start(stopped) {
      tell = stopped
      timer = setInterval(lookAround, every)
    },
    stop() {
      tell = undefined
      clearInterval(timer)
    },
    watch(partition, ms) {
      watched.set(partition, Math.max(watched.get(partition) ?? 0, now() + ms))
    },
  }
}
