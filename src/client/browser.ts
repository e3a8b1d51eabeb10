/** What the one file for browsers holds: the client, without what scripts use in its place. */
export { connect } from './connect.js'
export { GatewayError } from './gateway.js'
export { OutboxFullError } from './outbox.js'
