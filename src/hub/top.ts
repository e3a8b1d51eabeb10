/** The first of many. */

/**
 * The `n` items with the greatest keys, the greatest first, without sorting all. A key below 0: not wanted.
 * Of a million most are looked at once and compared once.
 */
export function top<T>(items: Iterable<T>, n: number, keyOf: (item: T) => number): T[] {
  const best: T[] = []
  const keys: number[] = []
  let least = -1
  for (const item of items) {
    const key = keyOf(item)
    if (key < 0 || (best.length === n && key <= least)) continue
    let at = best.length
    while (at > 0 && key > keys[at - 1]!) at--
    best.splice(at, 0, item)
    keys.splice(at, 0, key)
    if (best.length > n) {
      best.pop()
      keys.pop()
    }
    least = keys.at(-1)!
  }
  return best
}
