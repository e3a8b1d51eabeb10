/**
 * The client: one subscription that resumes by itself, publishing that happens once, and rooms. Runs in
 * browsers and wherever else there is `fetch`.
 *
 *     import { publish, subscribe } from 'sluice/client'
 *
 *     const url = 'http://127.0.0.1:8080'
 *     await publish({ url, channel: 'chat:7', data: { text: 'Hello' } })
 *     for await (const item of subscribe({ url, channels: ['chat:7'], rewind: 20 })) {
 *       if (item.type === 'event') console.log(item.id, item.data)
 *       if (item.type === 'gap') console.log('events are missing:', item.reason)
 *     }
 */
export type { PresenceDiff, PresenceMember, PresenceState } from '../wire/presence.js'
export { GatewayError } from './gateway.js'
export { type PublishOptions, type PublishReceipt, publish } from './publish.js'
export type { ConnectOptions, LinkEvents, LinkState, PeerLink } from './signaling/link.js'
export type { EndReason, RoomState } from './signaling/membership.js'
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
export {
  type EventItem,
  type Item,
  type State,
  type SubscribeOptions,
  subscribe,
} from './subscribe.js'
export type { Timer } from './timing.js'
export type { Token } from './token.js'
