/** How a client's connection fares. */
import { useCallback, useSyncExternalStore } from 'react'
import type { ClientState } from '../client/machine.js'
import type { Client, EventMap } from '../client/types.js'
import { IDLE } from './channel.js'

/** Unlike a channel's events it is told at once. */
export function useConnectionState<M extends EventMap>(
  client: Client<M> | null | undefined,
): ClientState {
  const subscribe = useCallback(
    (listener: () => void) => client?.onState(listener) ?? (() => {}),
    [client],
  )
  return useSyncExternalStore(
    subscribe,
    () => client?.state ?? IDLE,
    () => IDLE,
  )
}
