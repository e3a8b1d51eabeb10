/** A client that keeps track of who is present, by the rules of docs/protocol.md and nothing else. */
import { parsePosition } from '../../src/wire/position.js'
import type { PresenceDiff, PresenceMember, PresenceState } from '../../src/wire/presence.js'

/** A change that it was told, with the position at which it is true. */
export interface Told {
  readonly order: number
  readonly diff: PresenceDiff
}

export class Watcher {
  readonly channel: string
  /** As it believes things to be. */
  readonly members = new Map<string, PresenceMember>()
  /** Every change that it took in, in order. */
  readonly told: Told[] = []
  /** What can't be. */
  readonly faults: string[] = []
  /** Position of the state, or of the last change since. */
  order = -1
  #held: Told[] | undefined
  /** The last state, and how many changes had been told by then. */
  #base: { order: number; members: readonly PresenceMember[]; told: number } | undefined

  constructor(channel: string) {
    this.channel = channel
  }

  /** Takes in what a stream tells; `data` is the JSON of its `data:`. */
  // biome-ignore lint/suspicious/noExplicitAny: what comes from the wire is looked into freely
  take(event: string | undefined, data: any): void {
    if (event === 'stream.gap' && data.channel === `presence:${this.channel}`) this.#held = []
    if (event === 'presence.state' && data.channel === this.channel) this.state(data)
    if (event === 'presence.diff' && data.channel === `presence:${this.channel}`) {
      this.diff(data.id, data.data)
    }
  }

  state({ position, members }: PresenceState): void {
    this.members.clear()
    for (const member of members) this.members.set(member.id, member)
    this.order = parsePosition(position)!.order
    this.#base = { order: this.order, members, told: this.told.length }
    const held = this.#held ?? []
    this.#held = undefined
    for (const { order, diff } of held) this.#apply(order, diff)
  }

  diff(id: string, diff: PresenceDiff): void {
    const { order } = parsePosition(id)!
    if (this.#held === undefined) this.#apply(order, diff)
    else this.#held.push({ order, diff })
  }

  /** Who was there at an order, since the last state; undefined: that was before it. */
  at(order: number): PresenceMember[] | undefined {
    const base = this.#base
    if (base === undefined || order < base.order) return undefined
    const past = new Watcher(this.channel)
    for (const member of base.members) past.members.set(member.id, member)
    for (const told of this.told.slice(base.told))
      if (told.order <= order) past.#apply(told.order, told.diff)
    return past.all
  }

  #apply(order: number, diff: PresenceDiff): void {
    if (order <= this.order) return
    this.order = order
    this.told.push({ order, diff })
    for (const member of diff.joined) {
      if (this.members.has(member.id)) this.faults.push(`${member.id} joined, and was there`)
      this.members.set(member.id, member)
    }
    for (const member of diff.updated) {
      if (!this.members.has(member.id)) this.faults.push(`${member.id} changed, and wasn't there`)
      this.members.set(member.id, member)
    }
    for (const { id } of diff.left) {
      if (!this.members.delete(id)) this.faults.push(`${id} left, and wasn't there`)
    }
  }

  /** Everybody, in an order of their own, to be compared. */
  get all(): PresenceMember[] {
    return inOrder(this.members.values())
  }
}

export function inOrder(members: Iterable<PresenceMember>): PresenceMember[] {
  return [...members].sort((a, b) => (a.id < b.id ? -1 : 1))
}
