/**
 * What is kept of a session, as a document (`session:{public id}`):
 *
 *     at <channel>       a channel that was put on it: where it begins, what it has been read to, by what
 *     without <channel>  a channel of its URL that was taken away
 *     connection         the newest one: its number, and which node has it
 *     gone               why channels left it last
 *     ended              why it is over
 *
 * Plain functions from a document to what is to be changed in it.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Document } from '../documents/documents.js'
import type { LeaveReason } from '../wire/control.js'
import type { Position } from '../wire/position.js'
import type { Granted, Ground } from './sessions.js'

/** A channel that a session has beside those of its URL. */
export interface Held extends Granted {
  readonly ground: Ground
  /**
   * A reader whose cursor is here or later has read it up to its cursor. Undefined: nobody has read it
   * yet, so that a reader begins at `at` whatever its cursor says of the others.
   */
  readonly read?: Position | undefined
}

export interface Connection {
  readonly number: number
  /** Whose it is; empty: it was closed. */
  readonly node: string
  /** Channels of its URL. */
  readonly named: number
}

export interface SessionRecord {
  readonly held: ReadonlyMap<string, Held>
  readonly without: ReadonlySet<string>
  readonly connection: Connection
  /** Why channels left that were not just taken away; the last ones. */
  readonly gone: ReadonlyMap<string, LeaveReason>
  /** Why it is over; undefined: it isn't. */
  readonly ended: LeaveReason | undefined
}

/** Fields to set; null removes one. */
export type Fields = Readonly<Record<string, string | null>>

const AT = 'at '
const WITHOUT = 'without '
const NEVER: Connection = { number: 0, node: '', named: 0 }
/** Channels whose reason is remembered: those of some rooms. */
const GONE = 20

/** Name of a session's document, and of the channel on which its changes are heard. */
export function sessionChannel(session: string): string {
  return `session:${session}`
}

export function readSession({ fields }: Document): SessionRecord {
  const held = new Map<string, Held>()
  const without = new Set<string>()
  for (const [name, value] of fields) {
    if (name.startsWith(AT)) {
      const channel = name.slice(AT.length)
      held.set(channel, { channel, ...(JSON.parse(value) as Omit<Held, 'channel'>) })
    } else if (name.startsWith(WITHOUT)) without.add(name.slice(WITHOUT.length))
  }
  const json = <T>(name: string, otherwise: T): T => {
    const text = fields.get(name)
    return text === undefined ? otherwise : (JSON.parse(text) as T)
  }
  return {
    ...{ held, without },
    connection: json('connection', NEVER),
    gone: new Map(json<[string, LeaveReason][]>('gone', [])),
    ended: json('ended', undefined),
  }
}

function heldField({ at, read, ground }: Held): string {
  return JSON.stringify({ at, read, ground })
}

/** Whether a channel is had on a ground. */
export function isOn(held: Held | undefined, ground: Ground): boolean {
  return held !== undefined && isDeepStrictEqual(held.ground, ground)
}

/**
 * Puts channels on it. One that it has already on this ground stays as it is; a right is no new ground for
 * what it has on another.
 */
export function adding(
  record: SessionRecord,
  channels: readonly Granted[],
  ground: Ground,
): Fields {
  const fresh = channels.filter(({ channel }) => {
    const known = record.held.get(channel)
    return known === undefined || (ground.by !== 'right' && !isOn(known, ground))
  })
  const fields: Record<string, string | null> = {}
  for (const { channel, at } of fresh) {
    fields[AT + channel] = heldField({ channel, at, ground })
    if (record.without.has(channel)) fields[WITHOUT + channel] = null
  }
  if (record.ended !== undefined) fields.ended = null
  return fields
}

/** Takes channels off it, for a reason. */
export function removing(
  record: SessionRecord,
  channels: readonly string[],
  reason: LeaveReason,
): Fields {
  const fields: Record<string, string | null> = {}
  for (const channel of channels) {
    if (record.held.has(channel)) fields[AT + channel] = null
    // It may stand in the URL, which nobody here knows.
    if (!isGranted(channel)) fields[WITHOUT + channel] = '""'
  }
  if (reason === 'removed') return fields
  const reasons = channels.map((channel) => [channel, reason] as const)
  fields.gone = JSON.stringify([...record.gone, ...reasons].slice(-GONE))
  return fields
}

/** Whether a channel can only have been put on a session, never named in a URL. */
function isGranted(channel: string): boolean {
  return channel.startsWith('inbox:')
}

/** Says how far channels have been read: a cursor from here on counts for them as well. */
export function reading(
  record: SessionRecord,
  read: (channel: string) => Position | undefined,
): Fields {
  const fields: Record<string, string | null> = {}
  for (const held of record.held.values()) {
    const position = held.read === undefined ? read(held.channel) : undefined
    if (position === undefined) continue
    fields[AT + held.channel] = heldField({ ...held, read: position })
  }
  return fields
}

/** Why a channel isn't the session's any more. */
export function reasonOf({ gone }: SessionRecord, channel: string): LeaveReason {
  return gone.get(channel) ?? (isGranted(channel) ? 'left' : 'removed')
}

/** The next connection, on this node. `named`: channels of its URL. */
export function connecting({ connection }: SessionRecord, node: string, named: number): Fields {
  const next: Connection = { number: connection.number + 1, node, named }
  return { connection: JSON.stringify(next), ended: null }
}

/** A connection is over; nothing where it isn't the newest any more. */
export function disconnecting({ connection }: SessionRecord, number: number): Fields {
  if (connection.number !== number || connection.node === '') return {}
  return { connection: JSON.stringify({ ...connection, node: '' }) }
}

export function ending(reason: LeaveReason): Fields {
  return { ended: JSON.stringify(reason) }
}
