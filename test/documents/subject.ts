/** What the contract is held against: two gateways with one store of documents, and the log beside it. */
import type { Applied, Changed, Document, Documents } from '../../src/documents/documents.js'
import type { Log } from '../../src/log/log.js'
import type { Recorder } from '../log/subject.js'

export interface DocumentsSubject {
  readonly one: Documents
  /** The same store of another gateway; the same gateway's where there can't be two. */
  readonly other: Documents
  /** The log of `one`, and what it tells. */
  readonly log: Log
  readonly heard: Recorder
  /** Lets time pass, by the clock that the store goes by. */
  elapse(ms: number): Promise<void>
  stop(): Promise<void>
}

export const NAME = 'room:r'
/** So long that none is over in a test that doesn't let it be. */
export const LEASE = 60_000
/** One that is over soon. */
export const SHORT = 150
/** How long one who found an overdue lease has for it. */
export const CLAIM = 60_000

/** The change, where it is one. */
export function applied(changed: Changed): Applied {
  if (changed.kind !== 'changed') throw new Error(`not changed: ${changed.kind}`)
  return changed
}

/** Makes a document with one field, and members with these leases. */
export async function create(
  documents: Documents,
  members: Readonly<Record<string, number>> = {},
  name = NAME,
): Promise<Applied> {
  const leases = Object.entries(members).map(([member, ms]) => ({ member, ms }))
  return applied(await documents.change(name, { version: 0, set: { topic: '"a"' }, leases }))
}

export const fieldsOf = ({ fields }: Document) => Object.fromEntries(fields)

/** A draft of the document's own channel. */
export const said = (data: string, key?: string) => ({ channel: NAME, name: 'said', data, key })
