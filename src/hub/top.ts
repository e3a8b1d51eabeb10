/** The first of many. */

/** The `n` first by `compare`, in order, without sorting all. */
export function top<T>(items: Iterable<T>, n: number, compare: (a: T, b: T) => number): T[] {
  const best: T[] = []
  for (const item of items) {
    if (best.length === n && compare(item, best[n - 1]!) >= 0) continue
    let at = best.length
    while (at > 0 && compare(item, best[at - 1]!) < 0) at--
    best.splice(at, 0, item)
    if (best.length > n) best.pop()
  }
  return best
}
