/** The last events of a channel, and how it fares. */
import { useMemo, useSyncExternalStore } from 'react'
import type { EndItem, GapItem } from '../client/items.js'
import type { ClientState } from '../client/machine.js'
import type { AnyEvents, ChannelOf, Client, ClientEvent, EventMap } from '../client/types.js'
import { createStore, type Store } from './store.js'

const LIMIT = 100

/** Values that stay the same from one rendering to the next: another one reads the channel anew. */
export interface ChannelOptions<N extends string = string> {
  /** What is read before: `20` = the last 20 events, `5m` = those of the last five minutes. Default none. */
  readonly rewind?: string | number | undefined
  /** Instead of `rewind`: after this event, or `earliest`. */
  readonly after?: string | undefined
  /** Only events of this name. Default all. */
  readonly name?: N | undefined
  /** How many events are kept, the newest: 1 or more. Default 100. */
  readonly limit?: number | undefined
}

export interface ChannelSnapshot<E = ClientEvent> {
  /** The newest `limit` of them, oldest first. The same array until there are others. */
  readonly events: readonly E[]
  /** How the client's connection fares. */
  readonly state: ClientState
  /** The last place at which events may be missing. */
  readonly gap: GapItem | undefined
  /** The channel was closed: no more events. */
  readonly end: EndItem | undefined
  /** The channel can't be read. */
  readonly error: Error | undefined
}

/** The events of a channel that have this name. */
type Named<M extends EventMap, C extends ChannelOf<M>, N extends keyof M[C] & string> = {
  [K in N]: ClientEvent<C, K, M[C][K]>
}[N]

export const IDLE: ClientState = { state: 'idle' }
const NOTHING = {
  ...{ events: [] as readonly never[], state: IDLE },
  ...{ gap: undefined, end: undefined, error: undefined },
}

/**
 * Reads a channel for as long as the component is there. Where there is no client or no channel yet
 * (undefined or null), nothing is read.
 */
export function useChannel<
  M extends EventMap = AnyEvents,
  C extends ChannelOf<M> = ChannelOf<M>,
  N extends keyof M[C] & string = keyof M[C] & string,
>(
  client: Client<M> | null | undefined,
  channel: C | null | undefined,
  options: ChannelOptions<N> = {},
): ChannelSnapshot<Named<M, C, N>> {
  const { rewind, after, name, limit } = options
  const store = useMemo(
    () => createChannelStore(client, channel, { rewind, after, name, limit }),
    [client, channel, rewind, after, name, limit],
  )
  return useSyncExternalStore(store.subscribe, store.getSnapshot, () => NOTHING)
}

function createChannelStore<
  M extends EventMap,
  C extends ChannelOf<M>,
  N extends keyof M[C] & string,
>(
  client: Client<M> | null | undefined,
  channel: C | null | undefined,
  { rewind, after, name, limit = LIMIT }: ChannelOptions<N>,
): Store<ChannelSnapshot<Named<M, C, N>>> {
  let kept: Named<M, C, N>[] = []
  let shown: readonly Named<M, C, N>[] = []
  let more = false
  let gap: GapItem | undefined
  let end: EndItem | undefined
  let error: Error | undefined

  function read(): ChannelSnapshot<Named<M, C, N>> {
    if (more) shown = kept.slice(-limit)
    more = false
    return { events: shown, state: client?.state ?? IDLE, gap, end, error }
  }

  return createStore(read, (changed) => {
    if (client == null) return () => {}
    // Whoever comes back reads it from its beginning again, and sees the old ones until then.
    kept = []
    gap = end = error = undefined
    const subscription =
      channel == null
        ? undefined
        : client.subscribe(
            channel,
            (event) => {
              if (name !== undefined && event.name !== name) return
              kept.push(event as unknown as Named<M, C, N>)
              // A page that is never drawn keeps no more than one that is; all at once, for it costs.
              if (kept.length > 2 * limit) kept = kept.slice(-limit)
              more = true
              changed()
            },
            {
              ...{ rewind, after },
              onGap(it) {
                gap = it
                changed()
              },
              onEnd(it) {
                end = it
                changed()
              },
              onError(it) {
                error = it
                changed()
              },
            },
          )
    const unlisten = client.onState(changed)
    // It may have changed between the rendering and now.
    changed()
    return () => {
      unlisten()
      subscription?.unsubscribe()
    }
  })
}
