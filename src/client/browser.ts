/** What the one file for browsers holds: the client, without what scripts use in its place; as a shared worker, its hub. */
import { serveTabs } from './shared/worker.js'

export { createClient as connect } from './client.js'
export { GatewayError } from './gateway.js'
export { OutboxFullError } from './outbox.js'

if ('SharedWorkerGlobalScope' in globalThis) {
  serveTabs(globalThis as unknown as Parameters<typeof serveTabs>[0])
}
