/** A subscription that outlives its connections. */
import { rawMembers } from '../wire/json.js'
import { createDecoder } from './decode.js'
import { GatewayError, gatewayError, resourceUrl } from './gateway.js'
import type { Item } from './items.js'
import { reasonOf } from './reason.js'
import { backoff, pause, systemTimer, type Timer } from './timing.js'
import { createHeaders, type Token } from './token.js'

/** How the connection fares. */
export type State =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
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
   * Sent as `Authorization: Bearer`. A function is asked at each connection, so that a fresh token
   * follows one that has expired; where it fails, that counts as a failed connection. Default none.
   */
  readonly token?: Token | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
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
  let failures = 0
  /** Every channel has ended since the last request: the next answer is likely 204. */
  let complete = false
  async function request(abort: AbortSignal): Promise<Response> {
    const headers = await headersNow(abort)
    headers.set('accept', 'text/event-stream')
    if (decoder.cursor !== undefined) headers.set('last-event-id', decoder.cursor)
    const { url, ...init } = ask(headers)
    return (options.fetch ?? fetch)(url, { ...init, headers, cache: 'no-store', signal: abort })
  }
  const isAborted = () => signal?.aborted === true
  while (!isAborted()) {
    onState({ state: 'connecting' })
    decoder.restart()
    const link = createLink(signal, timer)
    let asked = 0
    try {
      const response = await link.within(PATIENCE * decoder.heartbeat, request)
      if (response?.status === 204) {
        onState({ state: 'ended', reason: response.headers.get('sluice-ended') ?? undefined })
        return
      }
      if (response !== undefined && !isEventStream(response)) {
        const error = await link.within(PATIENCE * decoder.heartbeat, () => gatewayError(response))
        if (error?.retryable === false) throw error
        asked = error?.retryAfter ?? 0
        if (error !== undefined) link.reason = error.message
      }
      const body = response && isEventStream(response) ? response.body?.getReader() : undefined
      while (body !== undefined) {
        const chunk = await link.within(PATIENCE * decoder.heartbeat, () => body.read())
        if (chunk?.value === undefined) break
        for (const item of decoder.feed(chunk.value)) {
          if (item.type === 'ready') {
            failures = 0
            onState({ state: 'open' })
          }
          if (item.type === 'end')
            complete = session === undefined && decoder.ended === channels.size
          yield item
          if (isAborted()) return
          if (item.type === 'bye' && !item.reconnect) return
        }
      }
    } finally {
      link.close()
    }
    if (complete && failures === 0) {
      // Asked once without a wait; a 204 is nothing that a crowd could come back for.
      complete = false
      continue
    }
    const ms = backoff(Math.max(asked, decoder.retry), failures++, random)
    if (isAborted()) return
    onState({ state: 'waiting', ms, reason: decoder.comment ?? link.reason })
    await pause(ms, timer, signal, options.wake)
  }
}

/** How it is asked: as an address that says it all, or with a session, which no address should name. */
function createAsk(options: SubscribeOptions, channels: ReadonlySet<string>) {
  const { session, after, rewind } = options
  if (session === undefined) {
    const url = resourceUrl(options.url, '/v1/events')
    for (const channel of channels) url.searchParams.append('channel', channel)
    if (after !== undefined) url.searchParams.set('after', after)
    if (rewind !== undefined) url.searchParams.set('rewind', String(rewind))
    return () => ({ url })
  }
  const url = resourceUrl(options.url, '/v1/events/stream')
  const channel = channels.size === 0 ? undefined : [...channels]
  const body = JSON.stringify({ session, channel, after, rewind })
  return (headers: Headers) => {
    headers.set('content-type', 'application/json')
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

/** One request, with everything that may end it. */
function createLink(signal: AbortSignal | undefined, timer: Timer) {
  const controller = new AbortController()
  const abort = () => controller.abort()
  signal?.addEventListener('abort', abort)
  if (signal?.aborted) abort()
  const link = {
    reason: 'the connection ended',
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
      signal?.removeEventListener('abort', abort)
      abort()
    },
  }
  return link
}
