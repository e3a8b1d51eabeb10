/**
 * What becomes of a roster when things happen: the rules of presence, and nothing else. Pure: what comes
 * out is one change of the document, with one `presence.diff` for all of it.
 *
 *              enter                    connection is gone
 *     nobody ─────────▶ a connection ─────────────────────▶ away
 *        ▲                 │   ▲                            │  │
 *        │      leave      │   └────────── enter ───────────┘  │
 *        └─────────────────┘        (nobody hears of it)       │
 *        └─────────────────────────────────────────────────────┘
 *                         overdue: the grace is over
 */
import type { Lease } from '../documents/documents.js'
import type { LeaveReason } from '../wire/presence.js'
import type { Connection } from './connection.js'
import { type Roster, Sketch } from './roster.js'

export type Happening =
  /** A connection opens, or comes back. */
  | {
      readonly kind: 'enter'
      readonly connection: string
      /** Of the member. */
      readonly id: string
      readonly info?: string | undefined
      readonly data?: string | undefined
    }
  /** It is over for good: nobody will come back to it. */
  | { readonly kind: 'leave'; readonly connection: string }
  /** Its lease is over. */
  | { readonly kind: 'overdue'; readonly connection: string }
  /** It says something else about itself; without data: nothing any more. */
  | { readonly kind: 'update'; readonly connection: string; readonly data?: string | undefined }

/**
 * What came of a happening: `absent` for an update of a connection that isn't there; `full`: the channel
 * has as many connections as it may, and this one isn't counted.
 */
export type Outcome = 'present' | 'gone' | 'absent' | 'full'

export interface Plan {
  /** One for each happening. */
  readonly outcomes: readonly Outcome[]
  /** Fields that change; null: goes. */
  readonly fields: ReadonlyMap<string, string | null>
  readonly leases: readonly Lease[]
  /** Holds only where the leases of these are over. */
  readonly overdue: readonly string[]
  /** Data of the `presence.diff`; undefined: nobody would see a difference. */
  readonly diff: string | undefined
  /** The channel has got its first member, or lost its last. */
  readonly turned: 'occupied' | 'vacated' | undefined
}

export interface Terms {
  readonly channel: string
  /** ms since the epoch. */
  readonly now: number
  /** ms of a lease of somebody who is here. */
  readonly leaseMs: number
  readonly maxConnections: number
}

export function plan(roster: Roster, happenings: readonly Happening[], terms: Terms): Plan {
  const sketch = new Sketch(roster)
  const leases = new Map<string, Lease>()
  const overdue = new Set<string>()
  const reasons = new Map<string, LeaveReason>()
  // Who has just come back isn't overdue, whatever was found a moment before.
  const entered = new Set(happenings.flatMap((it) => (it.kind === 'enter' ? [it.connection] : [])))

  function remove(connection: string, reason: LeaveReason): Outcome {
    const known = sketch.connection(connection)
    leases.set(connection, { member: connection, ms: 0 })
    if (known === undefined) return 'gone'
    sketch.put(connection, undefined)
    reasons.set(known.id, reason)
    return 'gone'
  }

  function happen(happening: Happening): Outcome {
    const { kind, connection } = happening
    const known = sketch.connection(connection)
    switch (kind) {
      case 'enter': {
        if (known === undefined && sketch.size >= terms.maxConnections) return 'full'
        sketch.put(connection, enter(sketch, known, happening, terms.now))
        leases.set(connection, { member: connection, ms: terms.leaseMs })
        return 'present'
      }
      case 'update': {
        if (known === undefined) return 'absent'
        if (known.data !== happening.data) {
          sketch.put(connection, update(known, happening.data, sketch.nextTurn()))
        }
        return 'present'
      }
      case 'leave':
        return remove(connection, 'left')
      case 'overdue':
        if (entered.has(connection)) return 'present'
        overdue.add(connection)
        return remove(connection, 'timeout')
    }
  }

  const outcomes = happenings.map(happen)
  const after = sketch.size
  return {
    outcomes,
    fields: sketch.fields,
    leases: [...leases.values()],
    overdue: [...overdue],
    diff: diff(roster, sketch, reasons, terms.channel),
    turned: roster.size > 0 === after > 0 ? undefined : after > 0 ? 'occupied' : 'vacated',
  }
}

function enter(
  sketch: Sketch,
  known: Connection | undefined,
  { id, info, data }: Extract<Happening, { kind: 'enter' }>,
  now: number,
): Connection {
  const said = { ...(info !== undefined && { info }), ...(data !== undefined && { data }) }
  if (known === undefined || known.id !== id) {
    const others = sketch.connectionsOf(id)
    const since = others.length === 0 ? now : Math.min(...others.map((it) => it.since))
    return { id, since, turn: sketch.nextTurn(), ...said }
  }
  const opened = known.opened ?? known.data ?? ''
  // The same URL again: what was said since counts.
  const same = (data ?? '') === opened
  if (same && info === known.info) return known
  const { since } = known
  const turn = sketch.nextTurn()
  if (!same) return { id, since, turn, ...said }
  const { info: _, ...kept } = known
  return { ...kept, turn, ...(info !== undefined && { info }) }
}

function update(known: Connection, data: string | undefined, turn: number): Connection {
  const { data: before = '', opened = before, ...rest } = known
  return { ...rest, turn, opened, ...(data !== undefined && { data }) }
}

/** The difference that others see: by member, not by connection. */
function diff(
  roster: Roster,
  sketch: Sketch,
  reasons: ReadonlyMap<string, LeaveReason>,
  channel: string,
): string | undefined {
  const joined: string[] = []
  const left: string[] = []
  const updated: string[] = []
  for (const id of sketch.touched) {
    const before = roster.member(id)
    const after = sketch.member(id)
    if (before === after) continue
    if (before === undefined) joined.push(after!)
    else if (after === undefined) {
      left.push(`{"id":${JSON.stringify(id)},"reason":"${reasons.get(id) ?? 'left'}"}`)
    } else updated.push(after)
  }
  if (joined.length + left.length + updated.length === 0) return undefined
  return `{"channel":"${channel}","joined":[${joined}],"left":[${left}],"updated":[${updated}]}`
}
