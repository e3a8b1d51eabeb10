/** Channels of the application on a room's stream: which, and who is present on them. */
import type { EventItem, Item } from '../items.js'
import { createRoster, type Roster } from '../presence.js'
import type { RoomEvents } from './types.js'

const PRESENCE = 'presence:'

export interface ReadChannels {
  readonly names: readonly string[]
  /** Passes it on where it is of one of them. */
  take(item: Item): void
  change(add: readonly string[], remove: readonly string[]): Promise<readonly string[]>
}

export function createReadChannels(options: {
  readonly channels: readonly string[]
  readonly ask: (change: object) => Promise<void>
  readonly onEvent: (event: EventItem) => void
  readonly onGap: (gap: RoomEvents['gap']) => void
  readonly onPresence: (presence: RoomEvents['presence']) => void
}): ReadChannels {
  const channels = new Set(options.channels)
  const rosters = new Map<string, Roster>()

  function rosterOf(channel: string): Roster {
    const roster =
      rosters.get(channel) ??
      createRoster((members, change) => options.onPresence({ channel, members, change }))
    rosters.set(channel, roster)
    return roster
  }

  function takeEvent(event: EventItem): void {
    if (channels.has(event.channel)) options.onEvent(event)
    else if (event.channel.startsWith(PRESENCE)) {
      const channel = event.channel.slice(PRESENCE.length)
      if (channels.has(channel)) rosterOf(channel).takeChange(event)
    }
  }

  return {
    get names() {
      return [...channels]
    },
    take(item) {
      if (item.type === 'event') takeEvent(item)
      else if (item.type === 'gap') {
        if (channels.has(item.channel)) options.onGap(item)
        // The state comes anew.
        if (item.channel.startsWith(PRESENCE)) {
          rosters.get(item.channel.slice(PRESENCE.length))?.doubt()
        }
      } else if (item.type === 'presence' && channels.has(item.channel)) {
        rosterOf(item.channel).takeState(item)
      }
    },
    async change(add, remove) {
      const fresh = add.filter((channel) => !channels.has(channel))
      // Their events may be here before the answer is.
      for (const channel of fresh) channels.add(channel)
      try {
        await options.ask({ add, remove })
      } catch (error) {
        for (const channel of fresh) channels.delete(channel)
        throw error
      }
      for (const channel of remove) {
        channels.delete(channel)
        rosters.delete(channel)
      }
      return [...channels]
    },
  }
}
