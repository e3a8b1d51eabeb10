/** What a stream gives its reader. */
import type { ControlData } from '../wire/control.js'

/** An event of a channel. */
export interface EventItem {
  readonly type: 'event'
  /** Its position, `<ms>-<n>`; undefined for an ephemeral event. */
  readonly id: string | undefined
  readonly channel: string
  /** Default `message`. */
  readonly name: string
  /** Parsed. */
  readonly data: unknown
  /** The same as the JSON text that its publisher sent: big numbers survive in it. */
  readonly json: string
  /** Who published it, as far as the gateway knows. */
  readonly sender: string | undefined
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Where the stream stands after it: kept, and given as `after`, it goes on from here. */
  readonly cursor: string | undefined
}

/** Events of a channel may be missing here, and the server says so. */
export type GapItem = { readonly type: 'gap' } & ControlData['stream.gap']
/** The channel was closed, or was taken from the stream. */
export type EndItem = { readonly type: 'end' } & ControlData['stream.end']

/** What a subscription gives. */
export type Item =
  | EventItem
  | ({ readonly type: 'ready' } & ControlData['stream.ready'])
  | ({ readonly type: 'live' } & ControlData['stream.live'])
  | GapItem
  | EndItem
  | ({ readonly type: 'expiring' } & ControlData['stream.expiring'])
  | ({ readonly type: 'bye' } & ControlData['stream.bye'])
  | PresenceItem

/** Who is present on a channel, true at a position. */
export interface PresenceItem {
  readonly type: 'presence'
  readonly channel: string
  readonly position: string
  readonly members: readonly Member[]
}

/** Somebody who is present. `D` is what they say about themselves: nobody checks it, as nobody checks an event. */
export interface Member<D = unknown> {
  /** Its token's subject; the public id of its session or stream where it has none. */
  readonly id: string
  /** Its connections: tabs, devices. */
  readonly count: number
  /** Milliseconds since the epoch. */
  readonly since: number
  /** What its token says about it. */
  readonly info?: unknown
  /** What it says about itself. */
  readonly data?: D
}
