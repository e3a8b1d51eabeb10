/**
 * One live stream of a session, kept as its document says: channels come and go, and a newer connection
 * takes its place.
 *
 *     change ──▶ event on session:{id} ──▶ woken ──▶ read the document ──▶ join, leave, goodbye
 *
 * What the event says doesn't matter, nor whether one was lost on the way: whoever is woken reads.
 */
import type { Documents } from '../documents/documents.js'
import type { Transactions } from '../documents/transact.js'
import type { Hub } from '../hub/hub.js'
import type { Stream } from '../hub/stream.js'
import { placeAfter } from '../hub/stream.js'
import type { Draft } from '../log/log.js'
import type { Logger } from '../logger.js'
import type { Position } from '../wire/position.js'
import { RETRY_MS } from './limits.js'
import {
  connecting,
  disconnecting,
  ending,
  type Fields,
  type Held,
  isOn,
  reading,
  readSession,
  reasonOf,
  type SessionRecord,
  sessionChannel,
} from './record.js'

/** What a stream's channels mean to others: told as they come and go. */
export interface Follower {
  joined(channels: readonly Held[]): void
  left(channels: readonly string[], why: (channel: string) => string): void
}

export interface AttendanceOptions {
  readonly session: string
  readonly stream: Stream
  /** Channels that the stream was opened with because its URL names them … */
  readonly named: readonly string[]
  /** … and because the session has them. */
  readonly held: readonly Held[]
  /** Those of them that began before the cursor. */
  readonly early: ReadonlySet<string>
  readonly follower: Follower
  /** Whether whoever reads may have this, which the session has. */
  readonly bears: (held: Held) => boolean
  readonly documents: Documents & Transactions
  readonly hub: Hub
  readonly partitionOf: (channel: string) => number
  readonly node: string
  readonly logger: Logger
}

/** What is said of a stream once it has what its document says. */
export interface Applied {
  /** Order of the position at which the document says so. */
  readonly at: number
  readonly channels: readonly string[]
}

export interface Attendance {
  /** The document may be another one. Resolves once the stream has what it says; undefined: the stream is over. */
  reconcile(): Promise<Applied | undefined>
  /** A newer connection is here. */
  replace(): void
  /** Channels that are its own by right, for whoever asks whether a fresh token still grants them. */
  readonly rightful: readonly string[]
  /** What the session has put on it. */
  readonly held: readonly Held[]
  /** The stream is over. */
  leave(): void
}

/** Name of the event that says what a stream has. */
export const APPLIED = 'session.applied'

/** Wakes whoever has the session's stream. */
export function wakeUp(session: string): Draft {
  return { channel: sessionChannel(session), name: 'session.changed', data: '{}' }
}

export function createAttendance(options: AttendanceOptions): Attendance {
  const { session, stream, hub, documents, node, follower } = options
  const name = sessionChannel(session)
  const named = new Set(options.named)
  const held = new Map(options.held.map((it) => [it.channel, it]))
  /** Of this connection; 0 until the document has it. */
  let number = 0
  let over = false
  let stopWatching = () => {}
  let retry: NodeJS.Timeout | undefined
  /** One at a time, and the last one sees what all before it were called for. */
  let underway: Promise<Applied | undefined> | undefined
  let next: Promise<Applied | undefined> | undefined

  /** Whether there was something to change. */
  const change = (compute: (record: SessionRecord) => Fields, drafts?: Drafts) =>
    documents.transact<boolean>(name, (document) => {
      const record = readSession(document)
      const set = compute(record)
      if (Object.keys(set).length === 0) return { end: false }
      return { change: { set, drafts: drafts?.(record) ?? [] }, answer: () => true }
    })

  /** Takes the place of the connection before it, and begins to listen. */
  async function begin(): Promise<void> {
    if (over) return
    try {
      if (number === 0) number = await claim()
      const stop = await hub.watch(name, (ephemeral) => {
        if (ephemeral === undefined) void obey()
      })
      stopWatching = stop
      if (over) leave()
      else await reconcile()
    } catch (error) {
      // Until then it hears of nothing: tried again for as long as it lives.
      options.logger.warn({ reason: (error as Error).message }, 'a session can’t be followed')
      if (!over) retry = setTimeout(() => void begin(), RETRY_MS)
    }
  }

  /** The number of this connection. */
  async function claim(): Promise<number> {
    let claimed = 0
    await change(
      (record) => {
        claimed = record.connection.number + 1
        return connecting(record, node, options.named.length)
      },
      // One of this node has been told already.
      ({ connection }) =>
        connection.node === '' || connection.node === node ? [] : [wakeUp(session)],
    )
    return claimed
  }

  /** Somebody elsewhere has changed the session, and waits to hear that the stream has it. */
  async function obey(): Promise<void> {
    try {
      const applied = await reconcile()
      if (applied === undefined) return
      const data = JSON.stringify(applied)
      await hub.publish([{ channel: name, name: APPLIED, data, ephemeral: true }])
    } catch {
      // They are told that nobody knows. Nothing else would call again.
      clearTimeout(retry)
      if (!over) retry = setTimeout(() => void obey(), RETRY_MS)
    }
  }

  function reconcile(): Promise<Applied | undefined> {
    if (underway === undefined) {
      underway = apply().finally(() => {
        underway = undefined
      })
      return underway
    }
    next ??= underway
      .catch(() => {})
      .then(() => {
        next = undefined
        return reconcile()
      })
    return next
  }

  async function apply(): Promise<Applied | undefined> {
    if (over || !stream.open) return undefined
    const mine = number
    const document = await documents.read(name)
    const record = readSession(document)
    const at = document.position.order
    if (over || !stream.open) return undefined
    const newest = record.connection.number
    if (mine > 0 && newest > mine) {
      replace()
      return undefined
    }
    if (newest < mine) {
      // The store has lost it, and what else it was about: nobody here knows what is still so.
      stream.bye('lost', true)
      return undefined
    }
    release(record)
    await take(record)
    const channels = [...named, ...held.keys()]
    if (over || !stream.open) return undefined
    if (channels.length > 0) return { at, channels }
    const reason = [...record.gone.values()].at(-1) ?? 'removed'
    const ended = await change(({ held }) => (held.size > 0 ? {} : ending(reason)))
    // Something has come meanwhile.
    if (!ended) return apply()
    stream.bye(reason, false)
    return { at, channels }
  }

  function release(record: SessionRecord): void {
    const gone = [
      ...[...held.keys()].filter((channel) => !record.held.has(channel)),
      ...[...named].filter((channel) => record.without.has(channel) && !record.held.has(channel)),
    ]
    const why = (channel: string) => reasonOf(record, channel)
    for (const channel of gone) {
      held.delete(channel)
      named.delete(channel)
      hub.leave(stream, [channel], why(channel))
    }
    if (gone.length > 0) follower.left(gone, why)
  }

  async function take(record: SessionRecord): Promise<void> {
    const fresh = [...record.held.values()].filter(
      (it) => !held.has(it.channel) && !named.has(it.channel) && options.bears(it),
    )
    for (const it of record.held.values()) {
      const known = held.get(it.channel)
      if (known === undefined) continue
      held.set(it.channel, it)
      if (isOn(known, it.ground)) continue
      // The same channel on another ground: whoever keeps count of those hears of it.
      follower.left([it.channel], () => 'replaced')
      follower.joined([it])
    }
    if (fresh.length === 0) return
    const behind = await hub.join(stream, new Map(fresh.map(({ channel, at }) => [channel, at])))
    for (const it of fresh) held.set(it.channel, it)
    follower.joined(fresh)
    const late = fresh.filter(({ channel }) => behind.has(channel))
    settle(
      fresh.filter((it) => !late.includes(it)),
      ({ at }) => at,
    )
    if (late.length > 0) stream.onceLive(() => settle(late, ({ channel }) => after(channel)))
  }

  /** Where the stream stands in a channel's partition. */
  function positionOf(channel: string): Position | undefined {
    return stream.shares.find(({ partition }) => partition === options.partitionOf(channel))
      ?.position
  }

  function after(channel: string): Position | undefined {
    const position = positionOf(channel)
    return position && placeAfter(position)
  }

  /** From here on a cursor speaks for these channels, too. */
  function settle(some: readonly Held[], read: (it: Held) => Position | undefined): void {
    const unread = new Map(
      some.filter((it) => it.read === undefined).map((it) => [it.channel, read(it)]),
    )
    if (unread.size === 0 || over) return
    // Where it isn't kept a reconnect gets some events twice.
    change((record) => reading(record, (channel) => unread.get(channel))).catch(() => {})
  }

  /** Called again where it began only after it was over. */
  function leave(): void {
    over = true
    clearTimeout(retry)
    stopWatching()
    stopWatching = () => {}
    if (number > 0) change((record) => disconnecting(record, number)).catch(() => {})
  }

  function replace(): void {
    stream.bye('replaced', false)
  }

  // What it was opened with has been read from its place on, in the order of cursors or once it is live.
  const early = options.held.filter(({ channel }) => options.early.has(channel))
  settle(
    options.held.filter((it) => !early.includes(it)),
    ({ at }) => at,
  )
  if (early.length > 0) stream.onceLive(() => settle(early, ({ channel }) => after(channel)))
  void begin()

  return {
    reconcile,
    replace,
    get held() {
      return [...held.values()]
    },
    get rightful() {
      const byRight = [...held.values()].filter(({ ground }) => ground.by === 'right')
      return [...named, ...byRight.map(({ channel }) => channel)]
    },
    leave,
  }
}

type Drafts = (record: SessionRecord) => readonly Draft[]
