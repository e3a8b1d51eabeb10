/**
 * How many partitions the log under a prefix has: one key in a fixed place, for a gateway that counts
 * otherwise looks for them elsewhere and would find nothing to contradict it.
 */
import type { Redis } from 'ioredis'
import { isReadingOnly } from './functions.js'
import { RefusedError } from './refused.js'

/** The data format that this version reads and writes. */
export const FORMAT = 1

export function layoutKey(prefix: string): string {
  return `${prefix}:layout`
}

/** Throws where the data are laid out otherwise. */
export function checkLayout(format: number, partitions: number, wanted: number): void {
  if (format !== FORMAT) {
    throw new RefusedError(`Redis holds data in format ${format}; this version knows ${FORMAT}`)
  }
  if (partitions !== wanted) {
    throw new RefusedError(
      `Redis holds a log of ${partitions} partitions, but ${wanted} are configured: ` +
        'the number is fixed for the life of the data. Configure it as it was, or use another prefix',
    )
  }
}

/** Writes the layout where there is none; a RefusedError where there is another. */
export async function claimLayout(client: Redis, key: string, partitions: number): Promise<void> {
  if ((await client.get(key)) === null) {
    try {
      await client.set(key, `${FORMAT} ${partitions}`, 'NX')
    } catch (error) {
      // A Redis that takes no writes holds what can be read all the same.
      if (!isReadingOnly(error)) throw error
    }
  }
  const there = await client.get(key)
  if (there === null) return
  const [format, count] = there.split(' ').map(Number) as [number, number]
  checkLayout(format, count, partitions)
}
