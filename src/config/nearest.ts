/** Which name was meant. */

/** The known name that is most like `name`; undefined where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (word: string) =>
    word
      .toLowerCase()
      .replace(/^sluice_/, '')
      .replaceAll(/[-_]/g, '')
  const wanted = plain(name)
  let best: string | undefined
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1
  for (const candidate of known) {
    const other = plain(candidate)
    const begins = wanted.length > 2 && (other.startsWith(wanted) || wanted.startsWith(other))
    const apart = begins ? Math.min(2, distance(wanted, other)) : distance(wanted, other)
    if (apart < least) {
      best = candidate
      least = apart
    }
  }
  return best
}

/** Edits between two words, neighbours swapped counting as one (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1))
      const swapped = j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) next[j] = Math.min(next[j]!, before[j - 2]! + 1)
    }
    before = row
    row = next
  }
  return row[b.length]!
}
