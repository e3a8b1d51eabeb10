/** Who is on a channel. */
import { useMemo, useSyncExternalStore } from 'react'
import type { Member } from '../client/items.js'
import type { AnyEvents, ChannelOf, Client, EventMap } from '../client/types.js'
import { createStore, type Store } from './store.js'

const NOBODY: readonly never[] = []

/**
 * Who is present on a channel, whoever came first standing first. Present is who reads the channel, as by
 * `useChannel`, with a gateway that has a rule for it; looking on makes nobody present.
 */
export function usePresence<M extends EventMap = AnyEvents, D = unknown>(
  client: Client<M, D> | null | undefined,
  channel: ChannelOf<M> | null | undefined,
): readonly Member<D>[] {
  const store = useMemo(() => createPresenceStore(client, channel), [client, channel])
  return useSyncExternalStore(store.subscribe, store.getSnapshot, () => NOBODY)
}

function createPresenceStore<M extends EventMap, D>(
  client: Client<M, D> | null | undefined,
  channel: ChannelOf<M> | null | undefined,
): Store<readonly Member<D>[]> {
  let members: readonly Member<D>[] = NOBODY
  return createStore(
    () => members,
    (changed) => {
      if (client == null || channel == null) return () => {}
      const presence = client.presence(channel)
      presence.onChange((now) => {
        members = [...now.values()].sort((one, other) => one.since - other.since)
        changed()
      })
      return () => presence.close()
    },
  )
}
