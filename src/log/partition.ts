/** The partition of a channel: part of the data format, so it never changes. FNV-1a, 32 bits. */
export function partitionOf(channel: string, partitions: number): number {
  if (partitions === 1) return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < channel.length; i++) {
    hash = Math.imul(hash ^ channel.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0) % partitions
}
