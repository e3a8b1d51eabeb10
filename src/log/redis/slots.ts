/** Where a partition lives in a cluster: its hash tag, and the slot that follows from it. */
import calculateSlot from 'cluster-key-slot'

const SLOTS = 16_384

/**
 * The hash tag of a partition: the first of p0, p1, p2 … whose slot lies in the middle of the
 * partition's share of all slots. Shares are equal, so that masters that divide the slots evenly have
 * the same number of partitions, give or take one; the plain row p0 … p15 leaves half of eight
 * masters without any. Part of the data format.
 */
export function hashTag(index: number, partitions: number): string {
  const share = SLOTS / partitions
  const from = (index + 0.25) * share
  const to = (index + 0.75) * share
  for (let i = 0; ; i++) {
    const slot = calculateSlot(`p${i}`)
    if (slot >= from && slot < to) return `p${i}`
  }
}

/** The slot of a hash tag. */
export function slotOf(tag: string): number {
  return calculateSlot(tag)
}
