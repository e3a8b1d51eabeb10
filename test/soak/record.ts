/**
 * What fifty readers saw, in a few bytes for each delivery: a run of ten minutes has millions. Events
 * are kept once, in a table that all readers share; a delivery is a place in it, the number of the
 * connection and the time.
 */
import type { Seen } from '../support/sse-reader.js'

interface Known {
  readonly id: string
  readonly channel: string
  readonly data: string
}

export interface EventTable {
  /** The place of that event; the same for the same id, channel and data. */
  place(id: string, channel: string, data: string): number
  at(place: number): Known
}

export function createEventTable(): EventTable {
  const events: Known[] = []
  const byId = new Map<string, number>()
  const others = new Map<string, number>()
  return {
    place(id, channel, data) {
      const usual = byId.get(id)
      if (usual !== undefined) {
        const known = events[usual]!
        if (known.channel === channel && known.data === data) return usual
      }
      // One id for two events: that is for the checker to find.
      const [map, key] =
        usual === undefined ? [byId, id] : [others, JSON.stringify([id, channel, data])]
      let place = map.get(key)
      if (place === undefined) {
        place = events.push({ id, channel, data }) - 1
        map.set(key, place)
      }
      return place
    },
    at: (place) => events[place]!,
  }
}

export interface Delivery {
  /** Clock of the run, ms. */
  readonly at: number
  readonly seen: Seen
}

export interface Recording {
  note(seen: Seen): void
  /** Events so far, doubles too. */
  readonly deliveries: number
  /** Everything in its order. */
  entries(): Generator<Delivery>
  /** The same, for the checker. */
  seen(): Iterable<Seen>
}

/** Numbers in a growing array of 32 bits each. */
function numbers() {
  let array = new Int32Array(4096)
  let length = 0
  return {
    push(value: number) {
      if (length === array.length) {
        const larger = new Int32Array(length * 2)
        larger.set(array)
        array = larger
      }
      array[length++] = value
    },
    at: (i: number) => array[i]!,
    get length() {
      return length
    },
  }
}

export function createRecording(table: EventTable, clock: () => number): Recording {
  /** A place in the table, or -1 - a place among `rest`. */
  const what = numbers()
  const connection = numbers()
  const when = numbers()
  const rest: Seen[] = []
  let deliveries = 0

  function* entries(): Generator<Delivery> {
    for (let i = 0; i < what.length; i++) {
      const place = what.at(i)
      const at = when.at(i)
      if (place < 0) {
        yield { at, seen: rest[-1 - place]! }
        continue
      }
      const { id, channel, data } = table.at(place)
      const same = { kind: 'event', name: 'message', cursor: undefined } as const
      yield { at, seen: { ...same, connection: connection.at(i), id, channel, data } }
    }
  }

  return {
    note(seen) {
      if (seen.kind === 'event' && seen.id !== null) {
        deliveries++
        what.push(table.place(seen.id, seen.channel, seen.data))
      } else {
        what.push(-rest.push(seen))
      }
      connection.push(seen.connection)
      when.push(clock())
    },
    get deliveries() {
      return deliveries
    },
    entries,
    *seen() {
      for (const { seen } of entries()) yield seen
    },
  }
}
