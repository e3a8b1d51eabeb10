/**
 * The channel that a name lives with, so that what is changed in one moment is in one partition: what is
 * said of a channel's members with the channel, an inbox with its room. Part of the data format.
 */
export function homeOf(name: string): string {
  let home = name
  while (home.startsWith('presence:')) home = home.slice('presence:'.length)
  if (!home.startsWith('inbox:')) return home
  const end = home.indexOf(':', 'inbox:'.length)
  return `room:${home.slice('inbox:'.length, end === -1 ? undefined : end)}`
}

/**
 * The partition of a channel, or of a document: that of its home. Part of the data format, so it never
 * changes. FNV-1a, 32 bits.
 */
export function partitionOf(name: string, partitions: number): number {
  if (partitions === 1) return 0
  const home = homeOf(name)
  let hash = 0x811c9dc5
  for (let i = 0; i < home.length; i++) {
    hash = Math.imul(hash ^ home.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0) % partitions
}
