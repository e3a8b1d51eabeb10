/** The client with what it needs where it runs. */
import { createClient } from './client.js'
import type { AnyEvents, Client, ConnectOptions, EventMap } from './types.js'
import { canStream, xhrFetch } from './xhr.js'

/** Connects to a gateway. Nothing is opened before something is subscribed. */
export function connect<M extends EventMap = AnyEvents, D = unknown>(
  options: ConnectOptions<NoInfer<D>>,
): Client<M, D> {
  if (canStream() || typeof XMLHttpRequest === 'undefined') return createClient(options)
  return createClient({ fetch: xhrFetch, ...options })
}
