/** The machine's hands: opens what it wants opened, tells it what happens, and gives away what comes. */
import { type Caller, isFinal } from './caller.js'
import { createDecoder } from './decode.js'
import { gatewayError } from './gateway.js'
import { readPage } from './history.js'
import type { Item } from './items.js'
import {
  type ClientState,
  type Command,
  type Happening,
  isSame,
  start,
  stateOf,
  step,
  wakeAt,
} from './machine.js'
import { NEVER } from './pace.js'
import { reasonOf } from './reason.js'
import type { Timer } from './timing.js'

/** Channels beyond which the options go as a body: a URL of more than 4 KiB doesn't get through everywhere. */
const MAX_NAMED = 20
/** Channels of a stream that are compared with the log: their names go in a URL, too. */
const MAX_CHECKED = 50

/** What the server is asked for. */
export interface Opening {
  readonly channels: readonly string[]
  /** The secret. */
  readonly session: string
  /** Where to begin; counts only as long as there is no cursor. */
  readonly after: string | undefined
  readonly presence: string | undefined
}

export interface ConnectionOptions {
  readonly caller: Caller
  readonly timer: Timer
  readonly now: () => number
  readonly random: () => number
  /** Asked at each opening. */
  readonly opening: () => Opening
  /** In order; none is given twice. */
  readonly onItem: (item: Item) => void
  readonly onState: (state: ClientState) => void
  /** The server has these channels now: all that it has, or at least those that were asked for. */
  readonly onServed: (channels: readonly string[], all: boolean) => void
}

export interface Connection {
  readonly state: ClientState
  readonly cursor: string | undefined
  /** The server knows the session, and can be told to change it. */
  readonly established: boolean
  readonly polling: boolean
  tell(happening: Happening): void
  /** An event of this client's own was acknowledged: the stream has to show it. */
  acknowledged(channel: string, id: string): void
  forget(channel: string): void
}

export function createConnection(options: ConnectionOptions): Connection {
  const { caller, timer, now, random, onItem } = options
  const decoder = createDecoder()
  let machine = start
  let state = stateOf(start)
  let established = false
  let abort = new AbortController()
  let armed = NEVER
  let disarm = () => {}
  let owed: { readonly channel: string; readonly id: string } | undefined

  function tell(happening: Happening): void {
    const stepped = step(machine, happening, { now: now(), random })
    machine = stepped.machine
    for (const command of stepped.commands) run(command)
    if (machine.phase !== 'open') established = false
    arm()
    // Nothing is wanted any more: whoever comes next begins with their own moment.
    if (machine.phase === 'idle') decoder.leave()
    const next = stateOf(machine)
    if (isSame(next, state)) return
    state = next
    options.onState(state)
  }

  /** A deadline that has moved away is looked at when it would have been: not a new timer per chunk. */
  function arm(): void {
    const at = wakeAt(machine)
    if (at >= armed) return
    disarm()
    armed = at
    if (at === NEVER) return
    disarm = timer(Math.max(0, at - now()), () => {
      armed = NEVER
      tell({ type: 'tick' })
    })
  }

  function run(command: Command): void {
    if (command.type === 'renew') void renew()
    else if (command.type === 'check') void check()
    else if (command.type === 'close') abort.abort()
    else {
      abort = new AbortController()
      void read(command, abort.signal)
    }
  }

  async function read(
    { link, mode, wait }: Command & { type: 'open' },
    signal: AbortSignal,
  ): Promise<void> {
    // Not before the caller is through: channels that are subscribed together are opened together.
    await undefined
    if (signal.aborted) return
    const broken = (reason: string, asked = 0) =>
      tell({ type: 'broken', link, reason, asked: Math.max(asked, decoder.retry) })
    try {
      decoder.restart()
      const opening = options.opening()
      const response = await request(opening, mode === 'poll' ? wait : undefined, signal)
      if (response.status === 204) return tell({ type: 'complete', link })
      const type = response.headers.get('content-type') ?? ''
      // A 200 may be the page of a hotel's network, in which one has to log in first.
      if (response.status !== 200 || !type.startsWith('text/event-stream')) {
        const error = await gatewayError(response)
        if (isFinal(error, caller)) return tell({ type: 'refused', link, error })
        return broken(error.message, error.retryAfter)
      }
      const reader = response.body!.getReader()
      let answered = false
      for (;;) {
        const { value, done } = await reader.read()
        // Given up: what it still brings comes again by the next one, which goes on from the cursor.
        if (signal.aborted) return
        if (done) break
        tell({ type: 'heard', link, what: 'bytes' })
        const { retry } = decoder
        const items = decoder.feed(value)
        if (decoder.retry !== retry) tell({ type: 'retry', link, ms: decoder.retry })
        // All of them, also where one of them ends the connection: the cursor is past them.
        for (const item of items) {
          answered ||= item.type === 'live'
          take(item, link, mode)
        }
      }
      // A page of a poll that has no `stream.live`: there is more, at once.
      if (mode === 'poll' && (answered || decoder.retry === 0)) {
        established = true
        tell({ type: 'polled', link, more: !answered })
        options.onServed(opening.channels, false)
      } else broken(decoder.comment ?? 'the connection ended')
    } catch (error) {
      if (!signal.aborted) broken(reasonOf(error))
    }
  }

  function request(
    { channels, session, after, presence }: Opening,
    wait: number | undefined,
    signal: AbortSignal,
  ): Promise<Response> {
    const from = decoder.cursor ?? after
    const rest: [string, string][] = [['session', session]]
    if (from !== undefined) rest.push(['after', from])
    if (presence !== undefined) rest.push(['presence', presence])
    if (wait !== undefined) rest.push(['mode', 'poll'], ['wait', String(wait)], ['limit', '1000'])
    const headers = { accept: 'text/event-stream' }
    const query = [...channels.map((it): [string, string] => ['channel', it]), ...rest]
    if (channels.length <= MAX_NAMED) {
      return caller.open('events', { query, headers, signal })
    }
    const body = JSON.stringify({ channel: channels, ...Object.fromEntries(rest) })
    return caller.open('events/stream', { method: 'POST', body, headers, signal })
  }

  function take(item: Item, link: number, mode: string): void {
    if (item.type === 'ready') {
      tell({ type: 'heard', link, what: 'ready', heartbeat: item.heartbeat })
      established = link === machine.link && machine.phase === 'open'
      if (established) options.onServed(item.channels, true)
    } else if (item.type === 'live') {
      if (mode === 'stream') tell({ type: 'heard', link, what: 'live' })
    } else if (item.type === 'expiring') tell(item)
    else if (item.type === 'bye') {
      if (item.reason === 'token_expired') caller.expire('expiring')
      tell({ ...item, link })
    }
    if (owed !== undefined && decoder.has(owed.channel, owed.id)) {
      tell({ type: 'settled', id: owed.id })
      owed = undefined
    }
    onItem(item)
  }

  /** What the log has after the stream's place, if anything: the stream has to show that, too. */
  async function check(): Promise<void> {
    const { cursor } = decoder
    if (cursor === undefined) return
    const channels = options.opening().channels.slice(0, MAX_CHECKED)
    const page = await readPage(caller, channels, { after: cursor }, 1).catch(() => undefined)
    if (page === undefined) return
    const event = page.items.find((it) => it.type === 'event')
    if (event?.type !== 'event' || event.id === undefined) tell({ type: 'sound' })
    else acknowledged(event.channel, event.id)
  }

  function acknowledged(channel: string, id: string): void {
    if (decoder.has(channel, id)) return
    tell({ type: 'owed', id })
    if (machine.owed?.id === id) owed = { channel, id }
  }

  async function renew(): Promise<void> {
    caller.expire('expiring')
    const headers = { 'sluice-session': options.opening().session }
    const asked = caller.ask('sessions/token', { method: 'POST', headers })
    tell({ type: 'renewed', ok: (await asked.catch(() => undefined)) !== undefined })
  }

  return {
    get state() {
      return state
    },
    get cursor() {
      return decoder.cursor
    },
    get established() {
      return established
    },
    get polling() {
      return machine.mode === 'poll'
    },
    tell,
    acknowledged,
    forget: (channel) => decoder.forget(channel),
  }
}
