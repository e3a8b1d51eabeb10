/** What an application sees of a room. */
import type { EventItem, Item, Member } from '../items.js'
import type { PresenceChange } from '../presence.js'
import type { Timer } from '../timing.js'
import type { Token } from '../token.js'
import type { Listeners } from './emitter.js'
import type { ConnectOptions, PeerLink } from './link.js'
import type { RoomState } from './membership.js'
import type {
  Data,
  LeaveReason,
  MediaKind,
  Muted,
  Participant,
  Role,
  RoomInfo,
} from './resources.js'
import type { Peer } from './roster.js'

export interface JoinOptions {
  /** The gateway: `https://live.example`. */
  readonly url: string | URL
  readonly room: string
  /** Default: the token's subject, else chosen by the gateway. */
  readonly participant?: string | undefined
  /** For the others to see: a name, a colour. At most 4 KiB as JSON. */
  readonly data?: Data | undefined
  readonly muted?: Partial<Muted> | undefined
  /** Of the application, on the same stream: their events come as `event`. Default none. */
  readonly channels?: readonly string[] | undefined
  /** What others see of this page who are present on `channels`: a JSON object of up to 1 KiB. Default none. */
  readonly presence?: object | undefined
  /** Sent as `Authorization: Bearer`. A function is asked at each request. Default none. */
  readonly token?: Token | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Gives up joining. */
  readonly signal?: AbortSignal | undefined
  /** For each RTCPeerConnection; beats what the gateway says of ICE servers. */
  readonly configuration?: RTCConfiguration | undefined
  /** Secret of the session, 22 characters or more of `A–Z a–z 0–9 _ -`. Default: a random one. */
  readonly session?: string | undefined
  /** Default: the global ones. */
  readonly fetch?: typeof globalThis.fetch | undefined
  readonly RTCPeerConnection?: typeof globalThis.RTCPeerConnection | undefined
  /** Default: setTimeout. */
  readonly timer?: Timer | undefined
  /** Default: Math.random. */
  readonly random?: (() => number) | undefined
}

export interface RoomEvents {
  /** How the connection to the gateway fares. */
  state: RoomState
  joined: Peer
  updated: Peer
  left: {
    readonly peer: Peer
    readonly reason: LeaveReason | undefined
    readonly by?: string | undefined
  }
  /** This participant has changed: their hand was lowered, their role is another. */
  self: Participant
  room: RoomInfo
  /** A peer wants a connection, and `connect` wasn't called for them yet. */
  incoming: Peer
  /** A signal of the application's own, `x-…`. */
  signal: { readonly from: Peer; readonly type: string; readonly data: unknown }
  /** Such a signal of ours didn't arrive. */
  undelivered: { readonly to: string; readonly type: string; readonly data: unknown }
  /** A moderator asks this participant to mute. */
  mute: { readonly kinds: readonly MediaKind[]; readonly by: string }
  /** An event of one of `channels`. */
  event: EventItem
  /** Events of one of `channels` may be missing. */
  gap: Extract<Item, { type: 'gap' }>
  /** Who is present on one of `channels`, by id; `change` is undefined where all of it was told anew. */
  presence: {
    readonly channel: string
    readonly members: ReadonlyMap<string, Member>
    readonly change: PresenceChange | undefined
  }
  error: Error
}

export interface RoomChange {
  readonly locked?: boolean | undefined
  readonly maxParticipants?: number | null | undefined
  readonly moderators?: readonly string[] | undefined
  readonly data?: Data | undefined
}

export interface Room extends Listeners<RoomEvents> {
  readonly state: RoomState
  readonly info: RoomInfo
  readonly self: Participant
  /** The others. */
  readonly peers: readonly Peer[]
  /** A connection to a peer, who needn't be there yet. Asked again it gives the same one. */
  connect(peer: string, options?: ConnectOptions): PeerLink
  /** Changes what the others see of this participant. */
  update(change: {
    readonly data?: Data | undefined
    readonly hand?: boolean | undefined
    readonly muted?: Partial<Muted> | undefined
  }): Promise<Participant>
  /** A signal of the application's own to one peer. `type` begins with `x-`. */
  send(peer: string, type: `x-${string}`, data: unknown): void
  /** Puts channels of the application on the stream, from this moment on, and takes some off. Gives back those it has then. */
  channels(change: {
    readonly add?: readonly string[] | undefined
    readonly remove?: readonly string[] | undefined
  }): Promise<readonly string[]>
  leave(): Promise<void>

  // For moderators.
  /** `ban`: a time like `10m` for which they can't come back. */
  kick(peer: string, options?: { readonly ban?: string | undefined }): Promise<void>
  /** Asks a peer to mute. That their client does, nobody can enforce: media goes from peer to peer. */
  requestMute(peer: string, kinds?: readonly MediaKind[]): Promise<void>
  lowerHand(peer: string): Promise<void>
  setRole(peer: string, role: Role): Promise<void>
  configure(change: RoomChange): Promise<RoomInfo>
  /** Everybody out. */
  close(): Promise<void>
}
