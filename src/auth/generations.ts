/**
 * A bounded map that forgets what wasn't asked for lately: two maps, of which the older is dropped when
 * the younger is full. What is found in the older moves to the younger. An LRU list would keep the exact
 * order, at the price of links to mend on every hit.
 */
export interface Generations<V> {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  clear(): void
}

/** `size`: entries kept at most; at least half of them are those used last. */
export function createGenerations<V>(size: number): Generations<V> {
  const half = Math.max(1, Math.floor(size / 2))
  let young = new Map<string, V>()
  let old = new Map<string, V>()

  function set(key: string, value: V): void {
    if (young.size >= half && !young.has(key)) {
      old = young
      young = new Map()
    }
    young.set(key, value)
  }

  return {
    get(key) {
      const value = young.get(key)
      if (value !== undefined) return value
      const aged = old.get(key)
      if (aged !== undefined) {
        old.delete(key)
        set(key, aged)
      }
      return aged
    },
    set(key, value) {
      old.delete(key)
      set(key, value)
    },
    delete(key) {
      young.delete(key)
      old.delete(key)
    },
    clear() {
      young.clear()
      old.clear()
    },
  }
}
