/** Operations as the arguments of one `write` call, and its answer. */
import { createHash } from 'node:crypto'
import { SluiceError } from '../../wire/errors.js'
import { msOf, type Position } from '../../wire/position.js'
import { fencedOff } from '../fences.js'
import { keyName } from '../keyring.js'
import type { Draft, EndEntry, Receipt, Retention } from '../log.js'
import type { Argument } from './functions.js'
import { MAX_AGE } from './limits.js'
import { encodeName, encodeText, endEntry, RS, US } from './records.js'

export type Operation =
  | { readonly do: 'append'; readonly drafts: readonly Draft[] }
  | ({ readonly do: 'close' } & Closing)
  | { readonly do: 'fence'; readonly channel: string; readonly fence: number }
  | { readonly do: 'delete'; readonly channel: string }
  | ({ readonly do: 'raw' } & Held)
  | ({ readonly do: 'inbox' } & Taking)
  | ({ readonly do: 'change' } & Moment)

/** The end of a channel. */
interface Closing {
  readonly channel: string
  readonly reason: string | null
  readonly fence: number | undefined
}

/** Raw messages, each one alone: appended only while the token is that of the partition's lease. */
export interface Held {
  readonly token: string
  readonly drafts: readonly Draft[]
}

/** Entries of the inbox, each one alone: appended only where they are newer than what was taken last. */
export interface Taking {
  /** Names the life of the inbox within which ids can be compared. */
  readonly source: string
  /** Id of the newest entry there ever was in it. */
  readonly newest: string
  /** In the order of their ids. */
  readonly entries: readonly { readonly id: string; readonly draft: Draft }[]
}

/** What changes beside the log, in one moment with a group and with deletions; all of it, or nothing. */
export interface Moment {
  /** The change, as its function takes it. */
  readonly change: readonly Argument[]
  readonly drafts: readonly Draft[]
  /** Channels that are deleted after the drafts were appended. */
  readonly deletes: readonly string[]
}

export type MomentOutcome =
  | {
      readonly kind: 'changed'
      /** What its function answered. */
      readonly answer: readonly string[]
      readonly receipts: readonly Receipt[]
      /** The partition's last position after it. */
      readonly position: Position
    }
  /** By its function; with the reason that it gave. Nothing was changed. */
  | { readonly kind: 'refused'; readonly why: string }

/** What became of one of several drafts that stand each for itself. */
export type Outcome = Receipt | SluiceError

const EPHEMERAL = 1
const KEYED = 2
const FENCED = 4

/** What makes two drafts the same event. */
function fingerprint({ name, data, ephemeral }: Draft): string {
  const hash = createHash('sha1').update(`${ephemeral === true ? 'e' : 's'}${name.length} ${name}`)
  return hash.update(data).digest('base64')
}

/** Ages as Redis can count with them. */
export function ageOf(retention: Retention): number {
  return Math.floor(Math.min(retention.maxAge, MAX_AGE))
}

/** The count kept, as Redis can count with it. */
export function eventsOf(retention: Retention): number {
  return Math.max(1, Math.floor(Math.min(retention.maxEvents, Number.MAX_SAFE_INTEGER)))
}

/** `channels` is filled: an answer names a channel by its place there, beginning with 1. */
export function encodeOperations(
  operations: readonly Operation[],
  channels: string[],
  retentionFor: (channel: string) => Retention,
): Argument[] {
  const places = new Map<string, number>()
  const placeOf = (channel: string): number => {
    let place = places.get(channel)
    if (place === undefined) {
      place = channels.push(channel)
      places.set(channel, place)
    }
    return place
  }
  const args: Argument[] = []
  const push = (draft: Draft): void => {
    const { channel, name, data, sender, key, ephemeral, fence } = draft
    let flags = ephemeral === true ? EPHEMERAL : 0
    if (key !== undefined) flags += KEYED
    if (fence !== undefined) flags += FENCED
    args.push(flags, placeOf(channel), encodeName(name), encodeText(sender), data)
    if (fence !== undefined) args.push(fence)
    if (key !== undefined) args.push(keyName(draft, key), fingerprint(draft))
  }
  for (const operation of operations) {
    if (operation.do === 'append') {
      args.push('G', operation.drafts.length)
      operation.drafts.forEach(push)
    } else if (operation.do === 'raw') {
      args.push('F', operation.drafts.length, operation.token)
      operation.drafts.forEach(push)
    } else if (operation.do === 'inbox') {
      args.push('I', operation.entries.length, operation.source, operation.newest)
      for (const { id, draft } of operation.entries) {
        args.push(id)
        push(draft)
      }
    } else if (operation.do === 'change') {
      const { change, drafts, deletes } = operation
      const size = args.push('T', drafts.length, 0) - 1
      args.push(...change)
      drafts.forEach(push)
      args.push(...deletes.map(placeOf))
      args[size] = args.length - size - 1
    } else if (operation.do === 'close') {
      const { channel, reason, fence = 0 } = operation
      args.push('C', placeOf(channel), encodeText(reason), fence)
    } else if (operation.do === 'fence') {
      args.push('P', placeOf(operation.channel), operation.fence)
    } else {
      args.push('D', placeOf(operation.channel))
    }
  }
  const table: Argument[] = [channels.length]
  for (const channel of channels) {
    const retention = retentionFor(channel)
    table.push(channel, eventsOf(retention), ageOf(retention))
  }
  return table.concat(args)
}

/** Results of a call, one for each operation, the tag of new positions, and the last position there is. */
export function splitAnswer(answer: string): { tag: number; last: number; results: string[] } {
  const [head, ...results] = answer.split(RS) as [string, ...string[]]
  const [tag, last] = head.split(US).map(Number) as [number, number]
  return { tag, last, results }
}

/** The receipts of a group, or why it was refused. */
export function readReceipts(
  result: string,
  drafts: readonly Draft[],
  tag: number,
  channels: readonly string[],
): Receipt[] | SluiceError {
  if (result.startsWith('!c')) {
    const channel = channels[Number(result.slice(2)) - 1]
    return new SluiceError('channel_closed', { detail: `Channel "${channel}" is closed` })
  }
  if (result.startsWith('!p')) return fencedOff(channels[Number(result.slice(2)) - 1])
  const failure = failureIn(result)
  if (failure !== undefined) return failure
  if (result.startsWith('!k')) {
    const channel = drafts[Number(result.slice(2)) - 1]?.channel
    return new SluiceError('key_conflict', { detail: `Channel "${channel}"` })
  }
  return result.split(' ').map((text, i) => readReceipt(text, drafts[i]!.channel, tag))
}

function readReceipt(text: string, channel: string, tag: number): Receipt {
  const kind = text.charAt(0)
  if (kind === 'e' || kind === 'f') {
    return { channel, position: null, time: Number(text.slice(1)), duplicate: kind === 'f' }
  }
  if (kind === 'd') {
    const [order, of] = text.slice(1).split(':').map(Number) as [number, number]
    return { channel, position: { order, tag: of }, time: msOf(order), duplicate: true }
  }
  const order = Number(text)
  return { channel, position: { order, tag }, time: msOf(order), duplicate: false }
}

/** What became of raw messages; `fenced` where the token wasn't the lease's any more. */
export function readHeld(
  result: string,
  { drafts }: Held,
  tag: number,
  channels: readonly string[],
): Outcome[] | 'fenced' {
  if (result === '!f') return 'fenced'
  return result.split(' ').map((text, i) => readOutcome(text, drafts[i]!, tag, channels))
}

/**
 * What became of entries of the inbox; `taken` what was taken before. `beyond` where the partition has
 * taken an entry that is newer than all that the inbox ever held: it isn't the inbox that it was.
 */
export function readTaken(
  result: string,
  { entries }: Taking,
  tag: number,
  channels: readonly string[],
): (Outcome | 'taken')[] | { readonly beyond: string } {
  if (result.startsWith('!o')) return { beyond: result.slice(2) }
  return result
    .split(' ')
    .map((text, i) =>
      text === 's' ? 'taken' : readOutcome(text, entries[i]!.draft, tag, channels),
    )
}

export function readMoment(
  result: string,
  { drafts }: Moment,
  tag: number,
  channels: readonly string[],
): MomentOutcome | SluiceError {
  if (/^![vas]/.test(result)) return { kind: 'refused', why: result.slice(1) }
  if (result.startsWith('!')) return readReceipts(result, drafts, tag, channels) as SluiceError
  const parts = result.split(US)
  const [receipts, last] = [parts.pop()!, Number(parts.pop())]
  return {
    kind: 'changed',
    answer: parts,
    receipts:
      drafts.length === 0 ? [] : (readReceipts(receipts, drafts, tag, channels) as Receipt[]),
    position: { order: last, tag },
  }
}

function readOutcome(
  text: string,
  draft: Draft,
  tag: number,
  channels: readonly string[],
): Outcome {
  const receipts = readReceipts(text, [draft], tag, channels)
  return receipts instanceof SluiceError ? receipts : receipts[0]!
}

/** Redis could not append where it should: what it holds under the channel's key isn't ours. */
function failureIn(result: string): SluiceError | undefined {
  if (!result.startsWith('!e')) return undefined
  return new SluiceError('log_unavailable', { cause: `Redis could not append: ${result.slice(2)}` })
}

/** Why the channel's producer was refused. */
export function readFence(result: string, channel: string): SluiceError | undefined {
  return result.startsWith('!p') ? fencedOff(channel) : undefined
}

export function readEnd(result: string, channel: string): EndEntry | SluiceError {
  const failure = readFence(result, channel) ?? failureIn(result)
  if (failure !== undefined) return failure
  const [order, tag, prev, reason] = result.split(US) as [string, string, string, string]
  return endEntry(channel, order, tag, prev, reason)
}
