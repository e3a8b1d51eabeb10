/** A bounded memory of what is of no use any more from some moment on. */

export interface Expiring<V> {
  /** Undefined from its end on. */
  get(key: string): V | undefined
  /** `ends`: ms since the epoch. */
  set(key: string, value: V, ends: number): void
  /** Entries held, those included that have ended and not been swept out yet. */
  readonly size: number
}

export interface ExpiringOptions<V> {
  /** At the bound what has ended is forgotten first, then what was set longest ago. */
  readonly limit: number
  /** ms between two looks for what has ended: each goes through everything. */
  readonly sweepEvery: number
  readonly now: () => number
  /** Bytes that a value takes, and all of them may. Default: they aren't counted. */
  readonly weigh?: (value: V) => number
  readonly mostBytes?: number
}

export function createExpiring<V>(options: ExpiringOptions<V>): Expiring<V> {
  const { limit, sweepEvery, now, weigh = () => 0 } = options
  const { mostBytes = Number.POSITIVE_INFINITY } = options
  const entries = new Map<string, { readonly value: V; readonly ends: number }>()
  let swept = Number.NEGATIVE_INFINITY
  let bytes = 0

  function remove(key: string): void {
    const entry = entries.get(key)
    if (entry === undefined) return
    bytes -= weigh(entry.value)
    entries.delete(key)
  }

  const isFull = () => entries.size >= limit || bytes > mostBytes

  function makeRoom(): void {
    // The ends are in no order: a heap would cost more on each `set` than a look now and then.
    if (Math.abs(now() - swept) >= sweepEvery) {
      swept = now()
      for (const [key, { ends }] of entries) if (ends <= swept) remove(key)
    }
    for (const oldest of entries.keys()) {
      if (!isFull()) return
      remove(oldest)
    }
  }

  return {
    get size() {
      return entries.size
    },
    get(key) {
      const entry = entries.get(key)
      return entry !== undefined && entry.ends > now() ? entry.value : undefined
    },
    set(key, value, ends) {
      // To the end of the map's order.
      remove(key)
      bytes += weigh(value)
      if (isFull()) makeRoom()
      entries.set(key, { value, ends })
    },
  }
}
