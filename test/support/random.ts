/** Seeded chance: a failing run can be run again. */
export interface Random {
  /** 0 ≤ x < 1. */
  next(): number
  /** A whole number, `from` ≤ x ≤ `to`. */
  between(from: number, to: number): number
  /** `count` different elements. */
  choose<T>(from: readonly T[], count: number): T[]
}

/** mulberry32: small and even enough for tests. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  const choose = <T>(from: readonly T[], count: number): T[] => {
    const rest = [...from]
    for (let i = 0; i < count; i++) {
      const j = between(i, rest.length - 1)
      ;[rest[i], rest[j]] = [rest[j]!, rest[i]!]
    }
    return rest.slice(0, count)
  }
  return { next, between, choose }
}
