/** The client: one stream, whoever reads its channels, and a queue of what is published. */
import { createCaller, isFinal } from './caller.js'
import { createFeed, type Feed } from './feed.js'
import type { GatewayError } from './gateway.js'
import { isTold, type Page, type Place, readPage } from './history.js'
import type { EventItem, Item } from './items.js'
import type { ClientState } from './machine.js'
import { createOutbox, type Outgoing } from './outbox.js'
import { backoff } from './pace.js'
import { createRoster, type PresenceListener, type Roster } from './presence.js'
import { createSharedFeed, sharing } from './shared/shared.js'
import { call, createReader, type Hooks, type Reader } from './subscription.js'
import { pause, systemTimer } from './timing.js'
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

/** Nothing is opened before something is subscribed. */
export function createClient<M extends EventMap = AnyEvents>(options: ConnectOptions): Client<M> {
  const { timer = systemTimer, now = Date.now, random = Math.random } = options
  const caller = createCaller({
    ...{ url: options.url, token: options.token, getToken: options.getToken },
    ...{ headers: options.headers, credentials: options.credentials, now },
    // Not a method of somebody: browsers refuse to call it then.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    onMeasured: (rtt) => feed.tell({ type: 'measured', rtt }),
  })
  const readers = new Map<string, Set<Reader>>()
  const rosters = new Map<string, Set<Roster>>()
  const listeners = new Set<(state: ClientState) => unknown>()
  if (options.onState) listeners.add(options.onState)
  let closed = false

  const events = {
    onItem,
    onState(state: ClientState): void {
      for (const listener of [...listeners]) call(() => listener(state))
      if (state.state !== 'ended' || state.reason === 'complete') return
      const error = state.error ?? new Error(`the stream has ended: ${state.reason}`)
      for (const reader of allReaders()) reader.end(closed ? undefined : error)
    },
    onServed(): void {
      for (const reader of allReaders()) reader.served()
      for (const [channel, some] of rosters) {
        if (feed.has(`presence:${channel}`) && [...some].some((it) => !it.known)) look(channel)
      }
    },
    onRefused(channel: string, error: GatewayError): void {
      for (const reader of readers.get(channel) ?? []) reader.end(error)
    },
    onMissed(): void {
      for (const reader of allReaders()) reader.lookBack()
      for (const channel of rosters.keys()) look(channel)
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

  function onItem(item: Item): void {
    if (item.type === 'presence') {
      for (const roster of rosters.get(item.channel) ?? []) roster.takeState(item)
    }
    if (!isTold(item)) return
    if (item.type === 'event' && item.channel.startsWith('presence:')) onPresence(item)
    if (item.type === 'event') options.onEvent && call(() => options.onEvent!(item))
    const some = readers.get(item.channel)
    if (some !== undefined) for (const reader of [...some]) reader.take(item)
    // Where somebody reads the channel it is told in its place among the events.
    else if (item.type === 'gap') call(() => options.onGap?.(item))
  }

  function onPresence(item: EventItem): void {
    const channel = item.channel.slice('presence:'.length)
    for (const roster of rosters.get(channel) ?? []) if (!roster.takeChange(item)) look(channel)
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
        page: (place, limit, signal) => page(channel, place, limit, signal),
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
    if (closed) reader.end()
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

  /** A page for a reader, who waits for as long as it takes. */
  async function page(
    channel: string,
    place: Place,
    limit: number,
    signal: AbortSignal,
  ): Promise<Page> {
    for (let failures = 0; ; ) {
      signal.throwIfAborted()
      try {
        return await readPage(caller, [channel], place, limit, signal)
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

  /** Asks who is present; whoever can't be told stays with what it knows. */
  function look(channel: string): void {
    const asked = caller.ask('presence', { query: [['channel', channel]] })
    const tell = async () => {
      const state = await (await asked).json()
      for (const roster of rosters.get(channel) ?? []) roster.takeState(state)
    }
    tell().catch(() => {})
  }

  function presence(channel: string): Presence {
    const heard = new Set<PresenceListener>()
    const roster = createRoster((members, change) => {
      for (const listener of [...heard]) call(() => listener(members, change))
    })
    const some = rosters.get(channel) ?? new Set()
    rosters.set(channel, some.add(roster))
    const name = `presence:${channel}`
    feed.add(name)
    if (feed.has(name)) look(channel)
    let over = false
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
      async update(data) {
        const headers = { 'sluice-session': feed.session }
        const body = JSON.stringify({ presence: { [channel]: data } })
        await caller.ask('sessions', { method: 'PATCH', headers, body })
      },
      close() {
        if (over) return
        over = true
        heard.clear()
        some.delete(roster)
        if (some.size === 0 && rosters.get(channel) === some) rosters.delete(channel)
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
      if (closed) return
      closed = true
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
