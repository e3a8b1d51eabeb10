/** Questions that go to several partitions, of which some may not answer. */

export interface Page<T> {
  readonly partition: number
  readonly items: readonly T[]
}

/** Parts items by their partition, at most `size` in a page. */
export function pagesOf<T>(
  items: readonly T[],
  partitionOf: (item: T) => number,
  size: number,
): Page<T>[] {
  const pages: Page<T>[] = []
  const open = new Map<number, T[]>()
  for (const item of items) {
    const partition = partitionOf(item)
    let page = open.get(partition)
    if (page === undefined || page.length === size) {
      page = []
      open.set(partition, page)
      pages.push({ partition, items: page })
    }
    page.push(item)
  }
  return pages
}

/** The answers that there are. Rejects where there is none, as the first question did. */
export async function answersOf<T>(questions: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(questions)
  const answers = results.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
  const failed = results.find((it) => it.status === 'rejected')
  if (failed !== undefined && answers.length === 0) throw failed.reason
  return answers
}

/**
 * Takes up to `limit` from all partitions together, which are asked side by side, so that one that is
 * silent holds nobody up. The limit is shared out; what some don't need of it the others get. Rejects
 * where nothing was taken because none answers: what was taken must reach whoever has it now.
 */
export async function takeFromAll<T>(
  partitions: number,
  limit: number,
  take: (partition: number, share: number) => Promise<readonly T[]>,
): Promise<T[]> {
  const taken: T[] = []
  let rest = Array.from({ length: partitions }, (_, partition) => partition)
  while (rest.length > 0 && taken.length < limit) {
    const left = limit - taken.length
    const asked = rest.slice(0, left)
    const share = Math.floor(left / asked.length)
    const questions = asked.map(
      async (partition) => [partition, await take(partition, share)] as const,
    )
    const answers = await answersOf(questions).catch((error: unknown) => {
      if (taken.length === 0) throw error
      return []
    })
    taken.push(...answers.flatMap(([, items]) => items))
    const full = answers.filter(([, items]) => items.length === share)
    rest = [...rest.slice(left), ...full.map(([partition]) => partition)]
  }
  return taken
}
