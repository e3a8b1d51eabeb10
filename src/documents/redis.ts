/**
 * Documents on Redis, each on the partition of its name: a change travels in the batches of the log, so it
 * takes its turn among appends, is sent again over a new connection, and happens once.
 */
import { answersOf, pagesOf, takeFromAll } from '../log/parts.js'
import type { Moment } from '../log/redis/batch.js'
import { readSnapshot } from '../log/redis/epochs.js'
import type { Argument } from '../log/redis/functions.js'
import type { Intake } from '../log/redis/intake.js'
import type { Change, Changed, Document, Documents, Membership, Renewal } from './documents.js'
import { assertHome } from './home.js'
import { createVersions } from './versions.js'

/** Renewals in one call, which holds Redis's only thread for some 5 µs each. */
const RENEWALS_PAGE = 500

/** A change, as `document_change` in documents.lua takes it. */
function encode(name: string, change: Change, newVersion: () => number): Argument[] {
  const { version, set, sequence, leases = [], overdue = [], ask = [] } = change
  const becomes = set === undefined ? 0 : (change.becomes ?? newVersion())
  const fields = Object.entries(set ?? {})
  const lists: readonly Argument[][] = [
    fields.flatMap(([field, value]) => (value === null ? [] : [field, value])),
    fields.flatMap(([field, value]) => (value === null ? [field] : [])),
    leases.flatMap(({ member, ms, away }) => [member, ms, away === true ? 1 : 0]),
    [...overdue],
    [...ask],
  ]
  const { member = '', first = 0, last = 0 } = sequence ?? {}
  return [
    ...[name, version, becomes, member, first, last],
    ...lists.map((list) => list.length),
    ...lists.flat(),
  ]
}

/** The reason that `document_refusal` gave. */
function readRefusal(why: string): Changed {
  if (why === 'v') return { kind: 'conflict' }
  return why === 'a' ? { kind: 'alive' } : { kind: 'sequence', last: Number(why.slice(1)) }
}

function readDocument([standing, hash]: [string[], string[]]): Document {
  const { last, tag } = readSnapshot(standing)
  const fields = new Map<string, string>()
  const away = new Set<string>()
  let version = 0
  for (let i = 0; i < hash.length; i += 2) {
    const [key, value] = [hash[i]!, hash[i + 1]!]
    const kind = key.charAt(0)
    const name = key.slice(1)
    if (kind === 'v') version = Number(value)
    else if (kind === 'f') fields.set(name, value)
    else if (kind === 'l' && value.split(' ')[1] === '1') away.add(name)
  }
  return { version, fields, away, position: { order: last, tag } }
}

export function createRedisDocuments(
  intake: Pick<Intake, 'call' | 'change' | 'partitionOf' | 'partitions'>,
): Documents {
  const newVersion = createVersions()

  /** Answers by their place among all that were asked for. */
  async function renewPage(partition: number, items: readonly (readonly [number, Renewal])[]) {
    const args = items.flatMap(([, { name, member, ms, away, by = '' }]) => {
      return [name, member, ms, away === true ? 1 : 0, by]
    })
    const letters = (await intake.call(partition, 'document_renew', args)) as string
    return items.map(([place], i) => [place, letters[i] === 'h'] as const)
  }

  async function overdueIn(partition: number, limit: number, claimMs: number) {
    const answer = (await intake.call(partition, 'document_overdue', [limit, claimMs])) as string[]
    const found: Membership[] = []
    for (let i = 0; i < answer.length; i += 2) {
      found.push({ name: answer[i]!, member: answer[i + 1]! })
    }
    return found
  }

  return {
    async read(name) {
      const answer = await intake.call(intake.partitionOf(name), 'document_read', [name])
      return readDocument(answer as [string[], string[]])
    },
    async change(name, change) {
      assertHome(intake.partitionOf, name, change)
      const { drafts = [], deletes = [], ask = [], frees = false } = change
      const moment: Moment = { change: encode(name, change, newVersion), drafts, deletes }
      const outcome = await intake.change(intake.partitionOf(name), moment, frees)
      if (outcome.kind === 'refused') return readRefusal(outcome.why)
      const { receipts, position } = outcome
      const [version, away] = outcome.answer as [string, string]
      return {
        ...{ kind: 'changed', version: Number(version), receipts, position },
        away: new Set(ask.filter((_, i) => away[i] === '1')),
      }
    },
    async renew(renewals) {
      const answers = renewals.map((): 'held' | 'lost' => 'held')
      const home = ([, { name }]: readonly [number, Renewal]) => intake.partitionOf(name)
      const pages = pagesOf([...renewals.entries()], home, RENEWALS_PAGE)
      const known = await answersOf(
        pages.map(({ partition, items }) => renewPage(partition, items)),
      )
      for (const [place, held] of known.flat()) if (!held) answers[place] = 'lost'
      return answers
    },
    overdue: (limit, claimMs) =>
      takeFromAll(intake.partitions, limit, (partition, share) => {
        return overdueIn(partition, share, claimMs)
      }),
  }
}
