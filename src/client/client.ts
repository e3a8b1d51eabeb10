/** The client: one stream, whoever reads its channels, and a queue of what is published. */
import { createCaller, isFinal } from './caller.js'
import { createFeed, type Feed } from './feed.js'
import type { GatewayError } from './gateway.js'
import { isTold, type Place, readPage, type Told } from './history.js'
import type { EventItem, Item, PresenceItem } from './items.js'
import type { ClientState } from './machine.js'
import { createOutbox, type Outgoing } from './outbox.js'
import { backoff } from './pace.js'
import { createRoster, type PresenceListener, type Roster } from './presence.js'
import { createSharedFeed, sharing } from './shared/shared.js'
import { call, createReader, type Hooks, type Reader } from './subscription.js'
import { forward, pause, systemTimer } from './timing.js'
import type {
  AnyEvents,
  Client,
  ClientEvent,
  ConnectOptions,
  EventMap,
  HistoryOptions,
  Presence,
  SubscribeOptions,
  Subscription,
} from './types.js'
import { isOnline, watchWorld } from './world.js'

/** In front of a channel's name: who is on it. */
const PRESENCE = 'presence:'

/** Nothing is opened before something is subscribed. */
export function createClient<M extends EventMap = AnyEvents>(options: ConnectOptions): Client<M> {
  const { timer = systemTimer, random = Math.random } = options
  const now = forward(options.now ?? Date.now)
  const over = new AbortController()
  const { signal: closing } = over
  const caller = createCaller({
    ...{ url: options.url, token: options.token, getToken: options.getToken },
    ...{ headers: options.headers, credentials: options.credentials },
    ...{ timer, now, closing },
    // Not a method of somebody: browsers refuse to call it then.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    onMeasured: (rtt) => feed.tell({ type: 'measured', rtt }),
  })
  const readers = new Map<string, Set<Reader>>()
  const rosters = new Map<string, Set<Roster>>()
  /** What is said of this client, by channel, where that is not what its stream is opened with. */
  const said = new Map<string, object | null>()
  const listeners = new Set<(state: ClientState) => unknown>()
  if (options.onState) listeners.add(options.onState)

  const events = {
    onItem,
    onState(state: ClientState): void {
      for (const listener of [...listeners]) call(() => listener(state))
      if (/live|polling/.test(state.state)) {
        outbox.hurry()
        // It may have been away for longer than it counts as present.
        for (const [channel, data] of said) say(channel, data).catch(() => {})
      }
      for (const reader of allReaders()) endWith(reader, state)
    },
    onServed(): void {
      for (const reader of allReaders()) reader.served()
      for (const channel of rosters.keys()) look(channel)
    },
    onRefused(channel: string, error: GatewayError): void {
      for (const reader of readers.get(channel) ?? []) reader.end(error)
    },
    onMissed(): void {
      for (const reader of allReaders()) reader.lookBack()
      for (const channel of rosters.keys()) doubt(channel)
    },
  }
  const parts = {
    ...{ caller, timer, now, random, session: options.session, after: options.after },
    presence: () => (options.presence ? JSON.stringify(options.presence) : undefined),
    ...events,
  }
  const shared = sharing(options)
  const feed: Feed = shared ? createSharedFeed(shared, parts) : createFeed(parts)
  const outbox = createOutbox({
    ...{ caller, timer, random, online: isOnline },
    onReceipt({ channel, id }) {
      if (id !== undefined) feed.acknowledged(channel, id)
    },
  })
  const unwatch = watchWorld((happening) => {
    feed.tell(happening)
    if (happening.type !== 'offline') outbox.hurry()
  })

  function allReaders(): Reader[] {
    return [...readers.values()].flatMap((some) => [...some])
  }

  function rostersOf(channel: string): Roster[] {
    return [...(rosters.get(channel) ?? [])]
  }

  function onItem(item: Item): void {
    if (item.type === 'presence') {
      for (const roster of rostersOf(item.channel)) roster.takeState(item)
    }
    if (!isTold(item)) return
    const isPresence = item.channel.startsWith(PRESENCE)
    if (isPresence) onPresence(item)
    if (item.type === 'event') options.onEvent && call(() => options.onEvent!(item))
    const some = readers.get(item.channel)
    if (some !== undefined) for (const reader of [...some]) reader.take(item)
    // Where somebody reads the channel it is told in its place among the events; of presence nothing is
    // lost by it, for its state is told anew.
    else if (item.type === 'gap' && !isPresence) call(() => options.onGap?.(item))
  }

  function onPresence(item: Told): void {
    const channel = item.channel.slice(PRESENCE.length)
    if (item.type === 'gap') doubt(channel)
    if (item.type !== 'event') return
    for (const roster of rostersOf(channel)) roster.takeChange(item)
  }

  // ── reading ──

  function subscribe(
    channel: string,
    handler?: ((event: never) => unknown) | SubscribeOptions,
    more: SubscribeOptions = {},
  ): Subscription<never> {
    const own = typeof handler === 'function' ? more : (handler ?? {})
    const { rewind, after, onGap = options.onGap, onEnd, onError } = own
    const hooks: Hooks = { onGap, onEnd, onError }
    const from: Place | undefined =
      after !== undefined ? { after } : rewind !== undefined ? { rewind } : undefined
    const reader = createReader(
      {
        page: (place, limit, signal) =>
          insist(() => readPage(caller, [channel], place, limit, signal), signal),
        served: () => feed.has(channel),
        cursor: () => feed.cursor,
        onClosed() {
          const some = readers.get(channel)
          some?.delete(reader)
          if (some?.size === 0) readers.delete(channel)
          feed.remove(channel)
        },
      },
      typeof handler === 'function'
        ? { ...hooks, onEvent: handler as unknown as (event: EventItem) => unknown }
        : hooks,
      from,
    )
    const some = readers.get(channel) ?? new Set()
    readers.set(channel, some.add(reader))
    feed.add(channel)
    if (feed.has(channel)) reader.served()
    endWith(reader, feed.state)
    const iterator = {
      next: () => reader.next(),
      async return() {
        reader.end()
        return { done: true, value: undefined }
      },
    }
    return {
      channel,
      unsubscribe: () => reader.end(),
      [Symbol.asyncIterator]: () => iterator as unknown as AsyncIterator<never>,
    }
  }

  /** The client is at an end from which no subscription brings it back. */
  function endWith(reader: Reader, state: ClientState): void {
    if (closing.aborted) reader.end()
    else if (state.state === 'ended' && state.reason !== 'complete') {
      reader.end(state.error ?? new Error(`the stream has ended: ${state.reason}`))
    }
  }

  /** Asks again for as long as that may help. */
  async function insist<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let failures = 0; ; ) {
      signal.throwIfAborted()
      try {
        return await ask()
      } catch (error) {
        if (signal.aborted || isFinal(error, caller)) throw error
        const asked = (error as Partial<GatewayError>).retryAfter ?? 0
        await pause(backoff(asked, failures++, random), timer, signal)
      }
    }
  }

  async function history(channel: string, own: HistoryOptions = {}) {
    const { after = 'earliest', rewind, limit = 100, signal } = own
    const place = rewind === undefined ? { after } : { rewind }
    const { items, cursor, more } = await readPage(caller, [channel], place, limit, signal)
    const gaps = items.filter((it) => it.type === 'gap')
    return { events: items.filter((it) => it.type === 'event') as never[], gaps, cursor, more }
  }

  // ── presence ──

  /** Asks who is present, where somebody doesn't know it. Refused: they stay with what they know. */
  function look(channel: string): void {
    const tell = async () => {
      // An opening says it by itself, in the frame after the one that is being looked at.
      await undefined
      if (rostersOf(channel).every(({ known }) => known)) return
      const query: [string, string][] = [['channel', channel]]
      const state = (await caller.ask('presence', { query })) as PresenceItem
      for (const roster of rostersOf(channel)) roster.takeState(state)
    }
    insist(tell, closing).catch(() => {})
  }

  function doubt(channel: string): void {
    for (const roster of rostersOf(channel)) roster.doubt()
    look(channel)
  }

  async function say(channel: string, data: object | null): Promise<void> {
    const headers = { 'sluice-session': feed.session }
    const body = JSON.stringify({ presence: { [channel]: data } })
    await caller.ask('sessions', { method: 'PATCH', headers, body })
  }

  function presence(channel: string): Presence {
    const heard = new Set<PresenceListener>()
    const roster = createRoster((members, change) => {
      for (const listener of [...heard]) call(() => listener(members, change))
    })
    const some = rosters.get(channel) ?? new Set()
    rosters.set(channel, some.add(roster))
    const name = PRESENCE + channel
    feed.add(name)
    if (feed.has(name)) look(channel)
    return {
      channel,
      get members() {
        return roster.members
      },
      onChange(listener) {
        heard.add(listener)
        if (roster.known) call(() => listener(roster.members, undefined))
        return () => heard.delete(listener)
      },
      update(data) {
        said.set(channel, data)
        return say(channel, data)
      },
      close() {
        if (!some.delete(roster)) return
        heard.clear()
        if (some.size === 0) rosters.delete(channel)
        feed.remove(name)
      },
    }
  }

  for (const channel of options.channels ?? []) feed.add(channel)
  if (!isOnline()) feed.tell({ type: 'offline' })

  const client = {
    get state() {
      return feed.state
    },
    onState(listener: (state: ClientState) => unknown) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    get cursor() {
      return feed.cursor
    },
    get session() {
      return feed.session
    },
    subscribe,
    publish: (channel: string, data: unknown, outgoing?: Outgoing) =>
      outbox.publish(channel, data, outgoing),
    get waiting() {
      return outbox.waiting
    },
    history,
    presence,
    close() {
      if (closing.aborted) return
      over.abort()
      unwatch()
      outbox.close()
      feed.close()
      for (const reader of allReaders()) reader.end()
      listeners.clear()
    },
  }
  return client as unknown as Client<M>
}

export type { ClientEvent }
