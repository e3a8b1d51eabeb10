/** What can change in one moment: what lives in one partition. */
import type { Effect } from './documents.js'

/** Throws where an effect reaches beyond its document's partition: it could be done by halves. */
export function assertHome(
  partitionOf: (name: string) => number,
  name: string,
  { drafts = [], deletes = [] }: Effect,
): void {
  const home = partitionOf(name)
  for (const channel of [...drafts.map((draft) => draft.channel), ...deletes]) {
    if (partitionOf(channel) === home) continue
    throw new Error(`Channel "${channel}" isn't in the partition of the document "${name}"`)
  }
}
