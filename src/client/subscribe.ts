/** A subscription that outlives its connections. */
import { rawMembers } from '../wire/json.js'
import { createDecoder } from './decode.js'
import { GatewayError, gatewayError, resourceUrl } from './gateway.js'
import type { Item } from './items.js'
import type { Mode } from './machine.js'
import { POLL_SPACING_MS } from './pace.js'
import { reasonOf } from './reason.js'
import { backoff, pause, systemTimer, type Timer } from './timing.js'
import { createHeaders, type Token } from './token.js'
import { createWay } from './way.js'

/** How the connection fares. */
export type State =
  | { readonly state: 'connecting' }
  /** `poll`: something on the way holds streams back; see `fallback`. */
  | { readonly state: 'open'; readonly mode: Mode }
  /** `ms` until the next try. */
  | { readonly state: 'waiting'; readonly ms: number; readonly reason: string }
  /** There is nothing left to wait for; `reason`, where the session's channels were taken away. */
  | { readonly state: 'ended'; readonly reason: string | undefined }

export interface SubscribeOptions {
  /** The gateway: `http://127.0.0.1:8080`. */
  readonly url: string | URL
  /** One or more; none where a session has channels of its own. */
  readonly channels: readonly string[]
  /**
   * Secret of a session, 22 characters or more: the stream also has the channels that were put on the
   * session. Sent in a body, for addresses end up in logs. Default none.
   */
  readonly session?: string | undefined
  /** A cursor, `earliest` or `latest`. Default `latest`. */
  readonly after?: string | undefined
  /** `20` = the last 20 events of each channel, `5m` = the last five minutes. Default none. */
  readonly rewind?: string | number | undefined
  /**
   * What others see of this reader who are present with it: a JSON object of up to 1 KiB. False: it reads
   * without being present. Default none.
   */
  readonly presence?: object | false | undefined
  /**
   * Sent as `Authorization: Bearer`. A function is asked at each connection, so that a fresh token
   * follows one that has expired; where it fails, that counts as a failed connection. Default none.
   */
  readonly token?: Token | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /**
   * Reads by finite answers where something on the way holds streams back, and tries streaming again every
   * few minutes. Says what to begin with. Default: streams alone.
   */
  readonly fallback?: Mode | undefined
  /** Told what to call when a wait for the next try should end at once; gives back how to be forgotten. */
  readonly wake?: ((task: () => void) => () => void) | undefined
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined
  readonly onState?: ((state: State) => void) | undefined
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Default: setTimeout. */
  readonly timer?: Timer | undefined
  /** Default: Math.random. */
  readonly random?: (() => number) | undefined
}

/** Heartbeats that may fail to come, and a half for the way, before a connection counts as dead. */
const PATIENCE = 2.5
/** Silence in milliseconds of a stream that hasn't caught up, where there is a fallback: it is held back. */
const BEGINNING = 5_000

/**
 * Reads channels. A connection that breaks, falls silent or is turned away for the moment is opened
 * again where it stood, for as long as it takes; an event that comes twice is given once. Ends when
 * every channel has ended, when the server says so for good, or at `signal`; throws a GatewayError
 * where trying again could not help.
 */
export async function* subscribe(options: SubscribeOptions): AsyncGenerator<Item, void, undefined> {
  const { signal, onState = () => {}, timer = systemTimer, random = Math.random } = options
  const { session } = options
  const channels = new Set(options.channels)
  if (channels.size === 0 && session === undefined) {
    throw new TypeError('name the channels: {channels: ["…"]}')
  }
  const headersNow = createHeaders(options.headers, options.token)
  const ask = createAsk(options, channels)

  const decoder = createDecoder(undefined, (envelope) => rawMembers(envelope).get('data'))
  const way = createWay(options.fallback ?? 'stream', timer, random)
  let failures = 0
  /** Every channel has ended since the last request: the next answer is likely 204. */
  let complete = false
  async function request(abort: AbortSignal, mode: Mode, link: Link): Promise<Response> {
    const headers = await headersNow(abort)
    headers.set('accept', 'text/event-stream')
    if (decoder.cursor !== undefined) headers.set('last-event-id', decoder.cursor)
    // The first poll doesn't wait for news: that it was answered is some.
    const poll = mode === 'poll' ? { mode, wait: way.polling ? undefined : 0 } : {}
    const { url, ...init } = ask(headers, poll)
    if (mode === 'stream' && options.fallback !== undefined) link.expect(BEGINNING)
    return (options.fetch ?? fetch)(url, { ...init, headers, cache: 'no-store', signal: abort })
  }
  const isAborted = () => signal?.aborted === true
  try {
    while (!isAborted()) {
      const mode = way.next()
      if (!way.polling) onState({ state: 'connecting' })
      decoder.restart()
      const link = createLink(signal, timer)
      let asked = 0
      /** A poll's answer has come to its end. */
      let whole = false
      let goodbye = false
      try {
        const response = await link.within(PATIENCE * decoder.heartbeat, (abort) =>
          request(abort, mode, link),
        )
        if (response?.status === 204) {
          onState({ state: 'ended', reason: response.headers.get('sluice-ended') ?? undefined })
          return
        }
        if (response !== undefined && !isEventStream(response)) {
          const refuse = () => gatewayError(response)
          const error = await link.within(PATIENCE * decoder.heartbeat, refuse)
          if (error?.retryable === false) throw error
          asked = error?.retryAfter ?? 0
          if (error !== undefined) link.reason = error.message
        }
        const body = response && isEventStream(response) ? response.body?.getReader() : undefined
        while (body !== undefined) {
          const chunk = await link.within(PATIENCE * decoder.heartbeat, () => body.read())
          if (chunk?.value === undefined) {
            whole = mode === 'poll' && chunk?.done === true
            break
          }
          link.goesOn()
          for (const item of decoder.feed(chunk.value)) {
            if (item.type === 'live') link.begun()
            if (item.type === 'ready') {
              way.onReady()
              failures = 0
              onState({ state: 'open', mode: 'stream' })
            }
            if (item.type === 'end')
              complete = session === undefined && decoder.ended === channels.size
            if (item.type === 'bye') goodbye = true
            yield item
            if (isAborted()) return
            if (item.type === 'bye' && !item.reconnect) return
          }
        }
      } finally {
        link.close()
      }
      if (whole && !goodbye) {
        failures = 0
        if (way.onPolled()) onState({ state: 'open', mode: 'poll' })
      }
      if (complete && failures === 0) {
        // Asked once without a wait; a 204 is nothing that a crowd could come back for.
        complete = false
        continue
      }
      if (link.held) {
        way.onHeld()
        continue
      }
      if (whole && !goodbye) {
        await pause(POLL_SPACING_MS, timer, signal)
        continue
      }
      way.onFailed(mode)
      const ms = backoff(Math.max(asked, decoder.retry), failures++, random)
      if (isAborted()) return
      onState({ state: 'waiting', ms, reason: decoder.comment ?? link.reason })
      await pause(ms, timer, signal, options.wake)
    }
  } finally {
    way.close()
  }
}

/** Members of a request that is a poll. */
interface Poll {
  readonly mode?: Mode
  readonly wait?: number | undefined
}

/** How it is asked: as an address that says it all, or with a session, which no address should name. */
function createAsk(options: SubscribeOptions, channels: ReadonlySet<string>) {
  const { session, after, rewind, presence } = options
  if (session === undefined) {
    const url = resourceUrl(options.url, '/v1/events')
    for (const channel of channels) url.searchParams.append('channel', channel)
    if (after !== undefined) url.searchParams.set('after', after)
    if (rewind !== undefined) url.searchParams.set('rewind', String(rewind))
    if (presence !== undefined) url.searchParams.set('presence', JSON.stringify(presence))
    return (_headers: Headers, poll: Poll) => {
      const asked = new URL(url)
      for (const [name, value] of Object.entries(poll)) {
        if (value !== undefined) asked.searchParams.set(name, String(value))
      }
      return { url: asked }
    }
  }
  const url = resourceUrl(options.url, '/v1/events/stream')
  const channel = channels.size === 0 ? undefined : [...channels]
  return (headers: Headers, poll: Poll) => {
    headers.set('content-type', 'application/json')
    const body = JSON.stringify({ session, channel, after, rewind, presence, ...poll })
    return { url, method: 'POST', body }
  }
}

/** Throws where a 200 isn't the gateway's: a login page, a proxy's welcome. */
function isEventStream(response: Response): boolean {
  if (response.status !== 200) return false
  const type = response.headers.get('content-type') ?? 'nothing'
  if (/^text\/event-stream\b/.test(type)) return true
  throw new GatewayError(200, `the answer is ${type}, not text/event-stream: is this a gateway?`)
}

type Link = ReturnType<typeof createLink>

/** One request, with everything that may end it. */
function createLink(signal: AbortSignal | undefined, timer: Timer) {
  const controller = new AbortController()
  const abort = () => controller.abort()
  signal?.addEventListener('abort', abort)
  if (signal?.aborted) abort()
  let cancelBeginning = () => {}
  const link = {
    reason: 'the connection ended',
    /** It fell silent before it had begun. */
    held: false,
    /** Until `begun` is called it is over where neither that nor `goesOn` is for `ms`. */
    expect(ms: number): void {
      link.goesOn = () => {
        cancelBeginning()
        cancelBeginning = timer(ms, () => {
          link.held = true
          abort()
        })
      }
      link.goesOn()
    },
    goesOn: () => {},
    begun(): void {
      link.goesOn = () => {}
      cancelBeginning()
    },
    /** What `start` gives within `ms`; undefined where the connection failed or fell silent. */
    async within<T>(ms: number, start: (abort: AbortSignal) => Promise<T>): Promise<T | undefined> {
      const cancel = timer(ms, () => {
        link.reason = `nothing came for ${Math.round(ms / 100) / 10} s`
        abort()
      })
      try {
        return await start(controller.signal)
      } catch (error) {
        if (!controller.signal.aborted) link.reason = reasonOf(error)
        return undefined
      } finally {
        cancel()
      }
    },
    close() {
      link.begun()
      signal?.removeEventListener('abort', abort)
      abort()
    },
  }
  return link
}
