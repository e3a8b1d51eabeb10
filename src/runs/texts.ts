/**
 * Texts of ended runs in memory, bounded by their size. Apart from the records: a late reader needs the
 * end first of all, and that is small.
 */
export interface Texts {
  get(id: string): string | undefined
  /** Undefined: it has none, whatever one of that id had before. */
  set(id: string, text: string | undefined): void
}

/** `limit`: characters kept. Beyond it those go that came first, and none that is larger is kept. */
export function createTexts(limit: number): Texts {
  const texts = new Map<string, string>()
  let size = 0

  function forget(id: string): void {
    size -= texts.get(id)?.length ?? 0
    texts.delete(id)
  }

  return {
    get: (id) => texts.get(id),
    set(id, text) {
      forget(id)
      if (text === undefined || text.length > limit) return
      texts.set(id, text)
      size += text.length
      for (const oldest of texts.keys()) {
        if (size <= limit) return
        forget(oldest)
      }
    },
  }
}
