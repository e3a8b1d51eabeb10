/**
 * The client, for browsers and wherever else there is `fetch`. `connect` keeps one stream alive, by
 * whatever way gets through, and publishes in order; `joinRoom` keeps calls:
 *
 *     import { connect } from 'sluice/client'
 *
 *     const client = connect({ url: 'http://127.0.0.1:8080' })
 *     client.subscribe('chat:7', (event) => console.log(event.id, event.data), { rewind: 20 })
 *     await client.publish('chat:7', { text: 'Hello' })
 *
 * `subscribe` and `publish` are the same for scripts: a reader that is as slow as it likes, and one event.
 */
export type { PresenceDiff, PresenceMember, PresenceState } from '../wire/presence.js'
export type { TokenReason } from './caller.js'
export { connect } from './connect.js'
export { GatewayError } from './gateway.js'
export type { EndItem, EventItem, GapItem, Item, Member, PresenceItem } from './items.js'
export type { ClientState, EndReason } from './machine.js'
export { OutboxFullError, type Outgoing } from './outbox.js'
export type { PresenceChange, PresenceListener } from './presence.js'
export { type PublishOptions, type PublishReceipt, publish } from './publish.js'
export type {
  ConnectOptions as LinkOptions,
  LinkEvents,
  LinkState,
  PeerLink,
} from './signaling/link.js'
export type { EndReason as RoomEndReason, RoomState } from './signaling/membership.js'
export type { Quality } from './signaling/quality.js'
export type {
  LeaveReason,
  MediaKind,
  Muted,
  Participant,
  Role,
  RoomInfo,
} from './signaling/resources.js'
export { joinRoom } from './signaling/room.js'
export type { Peer } from './signaling/roster.js'
export type { JoinOptions, Room, RoomChange, RoomEvents } from './signaling/types.js'
export { type State, type SubscribeOptions, subscribe } from './subscribe.js'
export type { Timer } from './timing.js'
export type { Token } from './token.js'
export type {
  AnyEvents,
  ChannelOf,
  Client,
  ClientEvent,
  ConnectOptions,
  DefaultName,
  EventMap,
  EventOf,
  HistoryOptions,
  HistoryPage,
  Presence,
  SubscribeOptions as ReadOptions,
  Subscription,
} from './types.js'
