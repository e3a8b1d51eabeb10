/** What the client shows to whoever uses it. */
import type { TokenReason } from './caller.js'
import type { EndItem, GapItem, Member } from './items.js'
import type { ClientState } from './machine.js'
import type { Outgoing } from './outbox.js'
import type { PresenceListener } from './presence.js'
import type { PublishReceipt } from './publish.js'
import type { Timer } from './timing.js'

/**
 * Which events there are: channel → name → data. Channels may be patterns.
 *
 *     interface Events {
 *       [chat: `chat:${string}`]: { message: { text: string }; typing: true }
 *       news: { message: string }
 *     }
 */
export type EventMap = object

/** Any channel, any name, any data. */
export interface AnyEvents {
  readonly [channel: string]: { readonly [name: string]: unknown }
}

export type ChannelOf<M extends EventMap> = keyof M & string

/** The name of an event that isn't named. */
export type DefaultName<M extends EventMap, C extends ChannelOf<M>> = 'message' & keyof M[C]

/** The events of a channel, told apart by their `name`. */
export type EventOf<M extends EventMap, C extends ChannelOf<M>> = {
  [N in keyof M[C] & string]: ClientEvent<C, N, M[C][N]>
}[keyof M[C] & string]

export interface ClientEvent<C extends string = string, N extends string = string, D = unknown> {
  /** Its position, which no other event has; undefined for an ephemeral event. */
  readonly id: string | undefined
  readonly channel: C
  /** `message` unless its publisher named it. */
  readonly name: N
  readonly data: D
  /** Who published it, as far as the gateway knows. */
  readonly sender: string | undefined
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Where the stream stands after it: given as `after`, another client goes on from here. */
  readonly cursor: string | undefined
}

/** `D` is what clients say of themselves. */
export interface ConnectOptions<D = unknown> {
  /** The gateway: `https://live.example.org`, or `/` for the page's own origin. */
  readonly url: string | URL
  /** A token or an API key that stays the same. Default none. */
  readonly token?: string | undefined
  /** Gives a token. Asked once, and again when the last one ends or was refused. */
  readonly getToken?: ((reason: TokenReason) => string | Promise<string>) | undefined
  /** Channels to read from the start, for `onEvent`. Default none. */
  readonly channels?: readonly string[] | undefined
  /** Every event of every channel, before those who subscribed to its channel. */
  readonly onEvent?: ((event: ClientEvent) => unknown) | undefined
  /** Events of a channel may be missing: load the state of what it is about. */
  readonly onGap?: ((gap: GapItem) => unknown) | undefined
  readonly onState?: ((state: ClientState) => unknown) | undefined
  /** A cursor to go on from: `client.cursor`, or an event's. Default: now. */
  readonly after?: string | undefined
  /**
   * What names this client's stream across reconnects: a secret of 22–128 characters of
   * `A–Z a–z 0–9 _ -`. Default: a random one. Two tabs need two.
   */
  readonly session?: string | undefined
  /**
   * What is said of this client where it is present: a JSON object of up to 1 KiB. False: it reads without
   * being present. Default nothing.
   */
  readonly presence?: (object & D) | false | undefined
  /**
   * One stream for all tabs of this origin that share it: they must be the same user's. A text tells
   * several such apart; `worker` is where this very file is served on the page's own origin. Default false.
   */
  readonly shared?:
    | boolean
    | string
    | { readonly name?: string; readonly worker?: string }
    | undefined
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Default: fetch's own, `same-origin`. `include`: cookies for a gateway on another origin. */
  readonly credentials?: RequestCredentials | undefined
  /** Default: the global one; XMLHttpRequest where that can't give a body piece by piece. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Default: setTimeout. */
  readonly timer?: Timer | undefined
  /** Milliseconds since the epoch. Default: Date.now. */
  readonly now?: (() => number) | undefined
  /** Default: Math.random. */
  readonly random?: (() => number) | undefined
}

export interface SubscribeOptions {
  /** What is read before: `20` = the last 20 events, `5m` = those of the last five minutes. */
  readonly rewind?: string | number | undefined
  /** Instead of `rewind`: after this event, or `earliest`. */
  readonly after?: string | undefined
  /** Default: that of `connect`. */
  readonly onGap?: ((gap: GapItem) => unknown) | undefined
  /** The channel was closed. */
  readonly onEnd?: ((end: EndItem) => unknown) | undefined
  /** The channel may not be read, or the client is at its end: nothing more comes. */
  readonly onError?: ((error: Error) => unknown) | undefined
}

/** `for await` gives the events where no handler was named. */
export interface Subscription<E = ClientEvent> extends AsyncIterable<E> {
  readonly channel: string
  unsubscribe(): void
}

export interface HistoryOptions {
  /** After this cursor or event, or `earliest`. Default `earliest`. */
  readonly after?: string | undefined
  /** Instead of `after`, as in `subscribe`. */
  readonly rewind?: string | number | undefined
  /** At most so many events, 1–1,000. Default 100. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface HistoryPage<E = ClientEvent> {
  readonly events: readonly E[]
  readonly gaps: readonly GapItem[]
  /** The `after` of the next page. */
  readonly cursor: string | undefined
  readonly more: boolean
}

export interface Presence<D = unknown> {
  readonly channel: string
  /** By id. A new map with each change, the same one until then. */
  readonly members: ReadonlyMap<string, Member<D>>
  /** Told now where something is known already, and at each change. The answer ends it. */
  onChange(listener: PresenceListener<D>): () => void
  /** What is said of this client on the channel, where it is present by being subscribed; null: nothing. */
  update(data: (object & D) | null): Promise<void>
  close(): void
}

/** `M` is which events there are, `D` what clients say of themselves where they are present. */
export interface Client<M extends EventMap = AnyEvents, D = unknown> {
  /** The same object until it changes. */
  readonly state: ClientState
  /** Told at each change. The answer ends it. */
  onState(listener: (state: ClientState) => unknown): () => void
  /** Where the stream stands: kept, and given as `after`, it goes on from here. */
  readonly cursor: string | undefined
  /** The secret that names the stream. */
  readonly session: string
  /** Reads a channel. A handler that gives a promise gets the next event when that is settled. */
  subscribe<C extends ChannelOf<M>>(
    channel: C,
    handler: (event: EventOf<M, C>) => unknown,
    options?: SubscribeOptions,
  ): Subscription<EventOf<M, C>>
  subscribe<C extends ChannelOf<M>>(
    channel: C,
    options?: SubscribeOptions,
  ): Subscription<EventOf<M, C>>
  /** Resolves once the gateway has the event. In order; tried until it is there or can't be. */
  publish<C extends ChannelOf<M>, N extends keyof M[C] & string = DefaultName<M, C>>(
    channel: C,
    data: M[C][NoInfer<N>],
    options?: Outgoing & { readonly name?: N | undefined },
  ): Promise<PublishReceipt>
  /** Events that wait to be published, or are on their way. */
  readonly waiting: number
  /** One page of what a channel holds. */
  history<C extends ChannelOf<M>>(
    channel: C,
    options?: HistoryOptions,
  ): Promise<HistoryPage<EventOf<M, C>>>
  /** Who is present on a channel. */
  presence(channel: ChannelOf<M>): Presence<D>
  /** Ends everything. Events that wait are given up: their promises are rejected. */
  close(): void
}
