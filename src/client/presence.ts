/** Who is present on a channel: a state that is true at a position, and changes that come on top of it. */
import { parsePosition } from '../wire/position.js'
import type { EventItem, Member, PresenceItem } from './items.js'

/** Changes that may wait for a state; beyond it the oldest go, which it is the likeliest to have already. */
const MAX_HELD = 1000

export interface PresenceChange<D = unknown> {
  readonly joined: readonly Member<D>[]
  /** `left`: said so. `timeout`: was gone for longer than the time of grace. */
  readonly left: readonly { readonly id: string; readonly reason: 'left' | 'timeout' }[]
  /** As they are now. */
  readonly updated: readonly Member<D>[]
}

export type PresenceListener<D = unknown> = (
  members: ReadonlyMap<string, Member<D>>,
  /** Undefined: the whole state was told anew. */
  change: PresenceChange<D> | undefined,
) => unknown

export interface Roster {
  /** By id. A new map with each change. */
  readonly members: ReadonlyMap<string, Member>
  /** False before the first state has come. */
  readonly known: boolean
  /** Changes may have passed by: what comes waits for a state. */
  doubt(): void
  takeState(state: Omit<PresenceItem, 'type'>): void
  takeChange(event: EventItem): void
}

export function createRoster(onChange: PresenceListener): Roster {
  let members: ReadonlyMap<string, Member> = new Map()
  /** Order of the position at which the members are true; -1: nothing is known. */
  let at = -1
  let held: EventItem[] = []
  const orderOf = (id: string | undefined) => parsePosition(id ?? '')?.order ?? 0

  function apply(event: EventItem): void {
    const order = orderOf(event.id)
    if (order <= at) return
    at = order
    const change = event.data as PresenceChange
    const next = new Map(members)
    for (const member of [...change.joined, ...change.updated]) next.set(member.id, member)
    for (const { id } of change.left) next.delete(id)
    members = next
    onChange(members, change)
  }

  return {
    get members() {
      return members
    },
    get known() {
      return at >= 0
    },
    doubt() {
      at = -1
    },
    takeState(state) {
      const order = orderOf(state.position)
      if (order <= at) return
      at = order
      members = new Map(state.members.map((member) => [member.id, member]))
      onChange(members, undefined)
      const later = held
      held = []
      for (const event of later) apply(event)
    },
    takeChange(event) {
      if (event.name !== 'presence.diff') return
      if (at >= 0) apply(event)
      else if (held.push(event) > MAX_HELD) held.shift()
    },
  }
}
