/** On which grounds a reader is here: told to whoever keeps them, as its channels come and go. */
import type { Follower } from './attendance.js'
import type { Held } from './record.js'
import type { Ground } from './sessions.js'

export interface Seats extends Follower {
  /** The reader is gone. */
  leave(): void
}

export function createSeats(occupy: (ground: Ground) => () => void): Seats {
  const taken = new Map<string, () => void>()

  return {
    joined(channels: readonly Held[]) {
      for (const { channel, ground } of channels) {
        if (!taken.has(channel)) taken.set(channel, occupy(ground))
      }
    },
    left(channels) {
      for (const channel of channels) {
        taken.get(channel)?.()
        taken.delete(channel)
      }
    },
    leave() {
      for (const release of taken.values()) release()
      taken.clear()
    },
  }
}
