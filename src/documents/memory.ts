/** Documents of one process. Lost with it, as its log is. */
import type { MemoryLog } from '../log/memory.js'
import { type Change, type Changed, type Documents, type Effect, KEEP_MS } from './documents.js'
import { assertHome } from './home.js'
import { createVersions } from './versions.js'

export interface MemoryDocumentsOptions {
  /** ms since the epoch. Default: the machine's clock. */
  readonly now?: () => number
}

interface Held {
  version: number
  readonly fields: Map<string, string>
  readonly leases: Map<string, Lease>
  /** Number of a member's last message. */
  readonly sequences: Map<string, number>
  /** ms since the epoch at which it is forgotten. */
  expires: number
}

interface Lease {
  readonly until: number
  readonly away: boolean
  /** Who has it. */
  readonly by: string | undefined
  /** When it is found by whoever looks: at its end, or later where somebody has found it already. */
  found: number
}

export function createMemoryDocuments(
  log: Pick<MemoryLog, 'appendNow' | 'deleteNow' | 'partitionOf' | 'position'>,
  { now = Date.now }: MemoryDocumentsOptions = {},
): Documents {
  // Insertion order is order of expiry, for all live equally long after their last touch.
  const documents = new Map<string, Held>()
  const newVersion = createVersions()

  function find(name: string): Held | undefined {
    const held = documents.get(name)
    return held !== undefined && held.expires > now() ? held : undefined
  }

  function touch(name: string, held: Held): void {
    held.expires = now() + KEEP_MS
    documents.delete(name)
    documents.set(name, held)
  }

  function sweep(): void {
    for (const [name, { expires }] of documents) {
      if (expires > now()) return
      documents.delete(name)
    }
  }

  /** Why the change can't be; undefined where it can. */
  function refusal(held: Held | undefined, change: Change): Changed | undefined {
    if ((held?.version ?? 0) !== change.version) return { kind: 'conflict' }
    const lives = (member: string) => (held?.leases.get(member)?.until ?? 0) > now()
    if (change.overdue?.some(lives)) return { kind: 'alive' }
    const { sequence } = change
    const last = (sequence && held?.sequences.get(sequence.member)) ?? 0
    if (sequence !== undefined && sequence.first > last + 1) return { kind: 'sequence', last }
    return undefined
  }

  function write(held: Held, { set = {}, leases = [], sequence }: Effect): void {
    for (const [field, value] of Object.entries(set)) {
      if (value === null) held.fields.delete(field)
      else held.fields.set(field, value)
    }
    if (sequence !== undefined) {
      const last = held.sequences.get(sequence.member) ?? 0
      held.sequences.set(sequence.member, Math.max(last, sequence.last))
    }
    for (const { member, ms, away = false } of leases) {
      held.leases.delete(member)
      const until = now() + ms
      if (ms > 0) held.leases.set(member, { until, away, by: undefined, found: until })
      else held.sequences.delete(member)
    }
  }

  /** In one turn: nobody asks for the document, nor reads the log, between what is said and what is changed. */
  function changeNow(name: string, change: Change): Changed {
    assertHome(log.partitionOf, name, change)
    const before = find(name)
    const refused = refusal(before, change)
    if (refused !== undefined) return refused
    const held = before ?? {
      ...{ version: 0, expires: 0 },
      ...{ fields: new Map(), leases: new Map(), sequences: new Map() },
    }
    const { drafts = [], deletes = [], ask = [], set } = change
    const receipts = log.appendNow(drafts)
    write(held, change)
    if (held.fields.size === 0) documents.delete(name)
    else touch(name, held)
    if (held.fields.size === 0) held.version = 0
    else if (set !== undefined) held.version = change.becomes ?? newVersion()
    for (const channel of deletes) log.deleteNow(channel)
    return {
      kind: 'changed',
      version: held.version,
      receipts,
      position: log.position(log.partitionOf(name)),
      away: new Set(ask.filter((member) => held.leases.get(member)?.away)),
    }
  }

  return {
    async read(name) {
      const held = find(name)
      return {
        version: held?.version ?? 0,
        fields: new Map(held?.fields),
        away: new Set(held && [...held.leases.keys()].filter((it) => held.leases.get(it)!.away)),
        position: log.position(log.partitionOf(name)),
      }
    },
    change: async (name, change) => changeNow(name, change),
    async renew(renewals) {
      return renewals.map(({ name, member, ms, away = false, by }) => {
        const held = find(name)
        const lease = held?.leases.get(member)
        if (held === undefined || lease === undefined) return 'lost'
        const other = by !== undefined && lease.by !== undefined && by !== lease.by
        if (away && other) return 'held'
        const until = now() + ms
        held.leases.set(member, { until, away, by: by ?? lease.by, found: until })
        touch(name, held)
        return 'held'
      })
    },
    async overdue(limit, claimMs) {
      sweep()
      const late = [...documents].flatMap(([name, { leases }]) =>
        [...leases]
          .filter(([, { found }]) => found <= now())
          .map(([member, lease]) => ({ name, member, lease })),
      )
      late.sort((a, b) => a.lease.found - b.lease.found)
      return late.slice(0, limit).map(({ name, member, lease }) => {
        lease.found = now() + claimMs
        return { name, member }
      })
    },
  }
}
