/** One event to the gateway, once. */
import { GatewayError, gatewayError, resourceUrl } from './gateway.js'
import { createSecret } from './secret.js'
import { backoff, pause, systemTimer, type Timer } from './timing.js'
import { createHeaders, type Token } from './token.js'

export interface PublishOptions {
  /** The gateway: `http://127.0.0.1:8080`. */
  readonly url: string | URL
  readonly channel: string
  /** Any JSON value. One of `data` and `json`. */
  readonly data?: unknown
  /** The data as JSON text, which goes as it is. */
  readonly json?: string | undefined
  /** Default `message`. */
  readonly name?: string | undefined
  /** Idempotency key. Default: a random one, so that a repetition is never a second event. */
  readonly key?: string | undefined
  /** For readers that are live now only: not stored, has no id, is tried once. Default false. */
  readonly ephemeral?: boolean | undefined
  /** Sent as `Authorization: Bearer`. A function is asked at each attempt. Default none. */
  readonly token?: Token | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Gives up, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** How often it is tried where the failure may pass. Default 6, within about half a minute. */
  readonly attempts?: number | undefined
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Default: setTimeout. */
  readonly timer?: Timer | undefined
  /** Default: Math.random. */
  readonly random?: (() => number) | undefined
}

/** The gateway has the event. */
export interface PublishReceipt {
  /** Its position; undefined for an ephemeral event. */
  readonly id?: string | undefined
  readonly channel: string
  /** Milliseconds since the epoch; undefined for an ephemeral event. */
  readonly time?: number | undefined
  /** The key was seen before: this is the answer that was given then. */
  readonly duplicate: boolean
}

/** Publishes; resolves once the gateway has accepted the event. Throws a GatewayError or a network error. */
export async function publish(options: PublishOptions): Promise<PublishReceipt> {
  const { channel, signal, timer = systemTimer, random = Math.random } = options
  if (typeof channel !== 'string') throw new TypeError('name the channel: {channel: "…"}')
  const { key = createSecret(), ephemeral = false, attempts = 6 } = options
  const body = options.json ?? JSON.stringify(options.data)
  if (body === undefined) throw new TypeError('the data of an event must be a JSON value')
  const headersNow = createHeaders(options.headers, options.token)
  const url = resourceUrl(options.url, '/v1/events')
  url.searchParams.set('channel', channel)
  if (options.name !== undefined) url.searchParams.set('name', options.name)
  if (ephemeral) url.searchParams.set('ephemeral', 'true')
  async function request(): Promise<Response> {
    const headers = await headersNow(signal)
    headers.set('content-type', 'application/json')
    // An ephemeral event is tried once: there is nothing that a key could hold together.
    if (!ephemeral || options.key !== undefined) headers.set('idempotency-key', key)
    const init = { method: 'POST', headers, body, ...(signal && { signal }) }
    return (options.fetch ?? fetch)(url, init)
  }

  for (let failures = 0; ; failures++) {
    let asked = 0
    try {
      const response = await request()
      if (response.ok) {
        const receipt = response.status === 202 ? {} : await response.json()
        return { channel, duplicate: false, ...receipt }
      }
      throw await gatewayError(response)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof GatewayError) {
        if (!error.retryable) throw error
        asked = error.retryAfter
      }
      if (ephemeral || failures + 1 >= attempts) throw error
    }
    await pause(backoff(asked, failures, random), timer, signal)
  }
}
