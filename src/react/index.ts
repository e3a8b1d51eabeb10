/**
 * Hooks for React 18 and later, over a client that was connected once, outside of every component:
 *
 *     import { connect } from 'sluice/client'
 *     import { useChannel, usePresence } from 'sluice/react'
 *
 *     const client = connect({ url: 'http://127.0.0.1:8080' })
 *
 *     function Chat() {
 *       const { events, state } = useChannel(client, 'chat:7', { rewind: 20 })
 *       const members = usePresence(client, 'chat:7')
 *       …
 */
export { type ChannelOptions, type ChannelSnapshot, useChannel } from './channel.js'
export { useConnectionState } from './connection.js'
export { usePresence } from './presence.js'
