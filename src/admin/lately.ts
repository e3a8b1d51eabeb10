/** One answer for all who ask the same within a moment: many may look at what is costly to see. */

/**
 * `make`, but what it made for a key is given again for `ms`, until another key is asked for. Rejected: an
 * answer for each key, which whoever asks for ever new ones would fill the memory with.
 */
export function lately<T>(
  make: (key: string) => T,
  ms: number,
  now: () => number = () => performance.now(),
): (key: string) => T {
  let last: { readonly key: string; readonly at: number; readonly made: T } | undefined
  return (key) => {
    const at = now()
    if (last === undefined || last.key !== key || at - last.at >= ms) {
      last = { key, at, made: make(key) }
    }
    return last.made
  }
}
