/** Sessions of this gateway: the streams that are here, and changes for those that are elsewhere. */
import { randomBytes } from 'node:crypto'
import type { Documents } from '../documents/documents.js'
import type { Transactions } from '../documents/transact.js'
import type { Hub } from '../hub/hub.js'
import type { From } from '../hub/origin.js'
import type { Stream } from '../hub/stream.js'
import type { Logger } from '../logger.js'
import { parseCursor } from '../wire/cursor.js'
import { SluiceError } from '../wire/errors.js'
import type { Position } from '../wire/position.js'
import {
  APPLIED,
  type Applied,
  type Attendance,
  createAttendance,
  type Follower,
  wakeUp,
} from './attendance.js'
import { APPLY_MS, SPARE } from './limits.js'
import { channelsWith, type Places, placesOf, type Recalled } from './recall.js'
import {
  adding,
  type Fields,
  type Held,
  isOn,
  reading,
  readSession,
  removing,
  type SessionRecord,
  sessionChannel,
} from './record.js'
import { createSeats } from './seats.js'
import type { Granted, Ground, Sessions } from './sessions.js'

export interface SessionsOptions {
  readonly documents: Documents & Transactions
  readonly hub: Hub
  /** Channels that a session may have, and that may be taken away from it. */
  readonly maxChannels: number
  readonly partitions: number
  readonly partitionOf: (channel: string) => number
  /** Makes somebody the owner of a session that has none; answers the owner. */
  readonly claim: (session: string, owner: string) => Promise<string>
  /** Whether the ground of a channel still holds; those by right are asked of the token. */
  readonly stands: (ground: Ground) => Promise<boolean>
  /** Somebody reads here on this ground, until the answer is called. */
  readonly occupy: (ground: Ground) => () => void
  readonly logger: Logger
}

/** A stream that has just been opened for a session. */
export interface Arrival {
  readonly session: string
  readonly stream: Stream
  /** Channels of its URL. */
  readonly named: readonly string[]
  readonly recalled: Recalled
  readonly places: Places
  /** Told, too, as channels come and go. */
  readonly follower?: Follower | undefined
  /** Whether whoever reads may have this, which the session has. */
  readonly bears: (held: Held) => boolean
}

/** What a client asks to be changed. */
export interface SessionChange {
  readonly add: readonly string[]
  readonly remove: readonly string[]
}

export interface LiveSessions extends Sessions {
  /** What a session brings to an opening. */
  recall(session: string): Promise<Recalled>
  channelsWith(named: readonly string[], recalled: Recalled): readonly string[]
  placesOf(recalled: Recalled, from: From): Places
  /** Keeps a stream as its session says, until the answer's `leave`. */
  attend(arrival: Arrival): Attendance
  /** A finite answer is on its way: its reader is here, until the answer is called. */
  visit(recalled: Recalled): () => void
  /** A finite answer gives the session's channels up to a cursor. */
  wasRead(session: string, recalled: Recalled, cursor: string): Promise<void>
  /**
   * Adds and removes channels by right. `live`: the stream has them. Throws `session_ended` where the
   * server has ended it.
   */
  alter(
    session: string,
    change: SessionChange,
    at: ReadonlyMap<string, Position>,
  ): Promise<{ readonly live: boolean; readonly channels: readonly string[] }>
}

export function createSessions(options: SessionsOptions): LiveSessions {
  const { documents, hub, partitionOf } = options
  const node = randomBytes(9).toString('base64url')
  const here = new Map<string, Attendance>()

  /** Changes a session, and waits until the stream has the change. */
  async function change(
    session: string,
    compute: (record: SessionRecord) => Fields,
  ): Promise<Applied | undefined> {
    const ear = here.has(session) ? undefined : await listen(session)
    try {
      let elsewhere = false
      const at = await documents.transact(sessionChannel(session), (document) => {
        const record = readSession(document)
        const { node: of } = record.connection
        elsewhere = of !== '' && of !== node
        const set = compute(record)
        return {
          change: {
            ...(Object.keys(set).length > 0 && { set }),
            ...(elsewhere && { drafts: [wakeUp(session)] }),
          },
          answer: (outcome) => (outcome.kind === 'changed' ? outcome.position.order : 0),
        }
      })
      const own = here.get(session)
      if (own !== undefined) return await own.reconcile()
      return elsewhere ? await ear?.applied(at) : undefined
    } finally {
      ear?.close()
    }
  }

  /** Hears what other gateways say of a session's stream. */
  async function listen(session: string) {
    let newest: Applied | undefined
    let heard = () => {}
    const close = await hub.watch(sessionChannel(session), (event) => {
      if (event?.name !== APPLIED) return
      newest = JSON.parse(event.data) as Applied
      heard()
    })
    return {
      close,
      /** Resolves with what is said of a document at this order or later; undefined where nobody says anything. */
      applied: (at: number) =>
        new Promise<Applied | undefined>((resolve) => {
          const timer = setTimeout(() => resolve(undefined), APPLY_MS)
          heard = () => {
            if (newest === undefined || newest.at < at) return
            clearTimeout(timer)
            resolve(newest)
          }
          heard()
        }),
    }
  }

  /** What comes back must be able to: an opening is refused beyond the bound. */
  function checkBounds(
    { held, without, connection }: SessionRecord,
    add: readonly string[],
    remove: readonly string[],
  ): void {
    const more = add.filter((channel) => !held.has(channel)).length
    const less = remove.filter((channel) => !held.has(channel) && !without.has(channel)).length
    const byRight = [...held.values()].filter(({ ground }) => ground.by === 'right').length
    const many = more > 0 && connection.named + byRight + more > options.maxChannels
    // More than its URL has can't be taken away from it; some, for URLs change.
    if (many || (less > 0 && without.size + less > connection.named + SPARE)) {
      throw new SluiceError('channels_too_many')
    }
  }

  return {
    async recall(session) {
      const record = readSession(await documents.read(sessionChannel(session)))
      const all = [...record.held.values()]
      const stands = await Promise.all(
        all.map(({ ground }) => (ground.by === 'right' ? true : options.stands(ground))),
      )
      const held = all.filter((_, i) => stands[i])
      const lost = all.filter((_, i) => !stands[i]).map(({ channel }) => channel)
      return { record, held, lost }
    },
    channelsWith,
    placesOf: (recalled, from) => placesOf(recalled, from, partitionOf),

    attend({ session, stream, named, recalled, places, follower, bears }) {
      const { held } = recalled
      const seats = createSeats(options.occupy)
      seats.joined(held)
      const left = named.filter((channel) => !recalled.record.without.has(channel))
      here.get(session)?.replace()
      const attendance = createAttendance({
        ...{ session, stream, named: left, held, early: places.early },
        follower: {
          joined(channels) {
            seats.joined(channels)
            follower?.joined(channels)
          },
          left(channels, why) {
            seats.left(channels, why)
            follower?.left(channels, why)
          },
        },
        ...{ bears, documents, hub, partitionOf, node, logger: options.logger },
      })
      here.set(session, attendance)
      return {
        ...attendance,
        get held() {
          return attendance.held
        },
        get rightful() {
          return attendance.rightful
        },
        leave() {
          if (here.get(session) === attendance) here.delete(session)
          attendance.leave()
          seats.leave()
        },
      }
    },

    visit({ held }) {
      const seats = createSeats(options.occupy)
      seats.joined(held)
      return seats.leave
    },
    async wasRead(session, { held }, text) {
      if (held.every(({ read }) => read !== undefined)) return
      const cursor = parseCursor(text, options.partitions)
      const read = (channel: string) => cursor?.get(partitionOf(channel))
      await documents.transact<void>(sessionChannel(session), (document) => {
        const set = reading(readSession(document), read)
        return Object.keys(set).length === 0
          ? { end: undefined }
          : { change: { set }, answer: () => {} }
      })
    },

    async alter(session, { add, remove }, at) {
      const granted = add.map((channel) => ({ channel, at: at.get(channel)! }))
      const compute = (record: SessionRecord): Fields => {
        if (record.ended !== undefined) throw new SluiceError('session_ended')
        checkBounds(record, add, remove)
        return {
          ...adding(record, granted, { by: 'right' }),
          ...(remove.length > 0 && removing(record, remove, 'removed')),
        }
      }
      const applied = await change(session, compute)
      return { live: applied !== undefined, channels: applied?.channels ?? add }
    },

    async grant(session, owner, channels: readonly Granted[], ground) {
      if ((await options.claim(session, owner)) !== owner) throw new SluiceError('session_foreign')
      const applied = await change(session, (record) => adding(record, channels, ground))
      // A stream whose own token doesn't bear it does without.
      const has = new Set(applied?.channels)
      return { live: channels.every(({ channel }) => has.has(channel)) }
    },

    async withdraw(session, channels, reason, ground) {
      await change(session, (record) => {
        // It may have come by one of them anew meanwhile.
        const some = channels.filter((it) => isOn(record.held.get(it), ground))
        return some.length === 0 ? {} : removing(record, some, reason)
      })
    },
  }
}
