/**
 * One stream and the channels on it: what is wanted, what the server has, and requests that bring the
 * two together while the stream goes on.
 */
import { type Caller, isFinal } from './caller.js'
import { type Connection, createConnection } from './connection.js'
import type { GatewayError } from './gateway.js'
import type { Item } from './items.js'
import type { ClientState, Happening } from './machine.js'
import { backoff } from './pace.js'
import { createSecret } from './secret.js'
import type { Timer } from './timing.js'

/** Until a change that failed is tried again, in milliseconds. */
const RETRY_MS = 2_000

/** A stream of one's own, or of all tabs. */
export interface Feed {
  readonly state: ClientState
  /** Where the stream stands; undefined before it is open. */
  readonly cursor: string | undefined
  /** The secret that names the stream. */
  readonly session: string
  /** Puts a channel on the stream. Counted: as many times it has to be removed. */
  add(channel: string): void
  remove(channel: string): void
  /** The server has the channel: what is published from now on will come. */
  has(channel: string): boolean
  /** An event of this client's own was acknowledged: the stream has to show it. */
  acknowledged(channel: string, id: string): void
  /** The world outside: network, page. */
  tell(happening: Happening): void
  close(): void
}

export interface FeedEvents {
  readonly onItem: (item: Item) => void
  readonly onState: (state: ClientState) => void
  /** More channels are on the stream. */
  readonly onServed: () => void
  /** A channel may not be read. It is not wanted any more. */
  readonly onRefused: (channel: string, error: GatewayError) => void
  /** Items may have passed by unseen: everybody looks for themselves. */
  readonly onMissed: () => void
}

export interface FeedOptions extends FeedEvents {
  readonly caller: Caller
  readonly timer: Timer
  readonly now: () => number
  readonly random: () => number
  /** Default: a random one. */
  readonly session?: string | undefined
  /** Where the stream begins. Default: now. */
  readonly after?: string | undefined
  /** JSON text of what is said about oneself where one is present. */
  readonly presence: () => string | undefined
}

export function createFeed(options: FeedOptions): Feed {
  const { caller, timer, random } = options
  let session = options.session ?? createSecret()
  const wanted = new Map<string, number>()
  /** All that we may have put on this session: what else is on it is the server's affair. */
  const ours = new Set<string>()
  /** What is on it for certain. */
  let served = new Set<string>()
  let changing = false
  /** One channel at a time: one of them is refused, and must not keep the others away. */
  let alone = false
  let scheduled = false
  let closed = false
  let cancelRetry = () => {}

  const connection: Connection = createConnection({
    ...options,
    opening() {
      for (const channel of wanted.keys()) ours.add(channel)
      return {
        ...{ channels: [...wanted.keys()], session, after: options.after },
        presence: options.presence(),
      }
    },
    onServed(channels, all) {
      served = new Set(all ? channels : [...served, ...channels].filter((it) => wanted.has(it)))
      options.onServed()
      schedule()
    },
  })

  /** In a turn of its own: channels that are wanted in one breath go in one request. */
  function schedule(): void {
    if (scheduled) return
    scheduled = true
    queueMicrotask(() => {
      scheduled = false
      void change()
    })
  }

  async function change(): Promise<void> {
    if (closed || changing || !connection.established) return
    const missing = [...wanted.keys()].filter((channel) => !served.has(channel))
    const add = alone ? missing.slice(0, 1) : missing
    const remove = [...ours].filter((channel) => !wanted.has(channel))
    if (add.length + remove.length === 0) return
    changing = true
    cancelRetry()
    for (const channel of add) ours.add(channel)
    try {
      const headers = { 'sluice-session': session }
      const body = JSON.stringify({ add, remove })
      await caller.ask('sessions', { method: 'PATCH', headers, body })
      for (const channel of add) if (wanted.has(channel)) served.add(channel)
      for (const channel of remove) ours.delete(channel)
      // The poll that is under way doesn't know of it.
      if (add.length > 0 && connection.polling) connection.tell({ type: 'reopen' })
      options.onServed()
    } catch (error) {
      if (!isFinal(error, caller)) {
        changing = false
        const { retryAfter = 0 } = error as Partial<GatewayError>
        // Spread as after some failures: all clients of a gateway have them at one moment.
        cancelRetry = timer(backoff(Math.max(RETRY_MS, retryAfter), 3, random), schedule)
        return
      }
      // Forgotten, or at its end: what is wanted goes with a new opening.
      if (/^session_/.test((error as GatewayError).problem?.code ?? '')) renewSession()
      else if (add.length > 1) alone = true
      else {
        for (const channel of remove) ours.delete(channel)
        for (const channel of add) refuse(channel, error as GatewayError)
      }
    }
    changing = false
    schedule()
  }

  function refuse(channel: string, error: GatewayError): void {
    drop(channel)
    options.onRefused(channel, error)
  }

  /** Whoever comes back to it while it is taken off begins anew: in between events may pass by. */
  function drop(channel: string): void {
    wanted.delete(channel)
    served.delete(channel)
    connection.forget(channel)
    if (wanted.size === 0) leave()
  }

  /** A session without channels would be over for good; the next ones get another. */
  function leave(): void {
    connection.tell({ type: 'want', wanted: false })
    if (options.session === undefined) renewSession()
  }

  function renewSession(): void {
    session = createSecret()
    ours.clear()
    served.clear()
    if (wanted.size > 0) connection.tell({ type: 'reopen' })
  }

  return {
    get state() {
      return connection.state
    },
    get cursor() {
      return connection.cursor
    },
    get session() {
      return session
    },
    add(channel) {
      const count = wanted.get(channel) ?? 0
      wanted.set(channel, count + 1)
      if (count > 0 || closed) return
      const { state } = connection.state
      if (state === 'idle') connection.tell({ type: 'want', wanted: true })
      else if (state === 'ended') connection.tell({ type: 'reopen' })
      else schedule()
    },
    remove(channel) {
      const count = wanted.get(channel) ?? 0
      if (count > 1) wanted.set(channel, count - 1)
      else if (count === 1) {
        drop(channel)
        schedule()
      }
    },
    has: (channel) => connection.established && served.has(channel),
    acknowledged(channel, id) {
      if (wanted.has(channel)) connection.acknowledged(channel, id)
    },
    tell: (happening) => connection.tell(happening),
    close() {
      closed = true
      cancelRetry()
      connection.tell({ type: 'close' })
    },
  }
}
