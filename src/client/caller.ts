/** Requests to one gateway: whose they are, and how long the way is. */
import { type GatewayError, gatewayError, resourceUrl } from './gateway.js'
import { bearer } from './token.js'

/** Why a token is asked for. */
export type TokenReason =
  /** There is none yet. */
  | 'start'
  /** The last one ends within the next half minute, or has ended. */
  | 'expiring'
  /** The gateway has refused the last one. */
  | 'refused'

export interface CallerOptions {
  readonly url: string | URL
  readonly token?: string | undefined
  readonly getToken?: ((reason: TokenReason) => string | Promise<string>) | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly credentials?: RequestCredentials | undefined
  readonly fetch: typeof globalThis.fetch
  /** Milliseconds, of any beginning. */
  readonly now: () => number
  /** Milliseconds that a request that needn't wait has taken. */
  readonly onMeasured: (ms: number) => void
}

export interface Request {
  readonly method?: 'GET' | 'POST' | 'PATCH'
  readonly query?: readonly (readonly [string, string | number])[]
  readonly headers?: Readonly<Record<string, string>>
  /** Goes as JSON. */
  readonly body?: string
  readonly signal?: AbortSignal
}

export interface Caller {
  /** What the gateway answers to a path below `/v1/`, whatever it is. Rejects where nothing comes. */
  open(path: string, request: Request): Promise<Response>
  /** An answer that comes at once. Throws a GatewayError where it isn't 2xx. */
  ask(path: string, request: Request): Promise<Response>
  /** A new token, at the next request. */
  expire(reason: TokenReason): void
  /** Whether the refusal of a token may be over with the next one. */
  readonly renews: boolean
}

export function createCaller(options: CallerOptions): Caller {
  const { token, getToken, onMeasured, now } = options
  if (token !== undefined) bearer(token)
  const base = resourceUrl(options.url, '/v1/events').href.replace(/events$/, '')
  let current: Promise<string> | undefined
  let reason: TokenReason = 'start'

  /** One that can't be had is asked for again at the next request. */
  function tokenNow(): Promise<string> | undefined {
    if (getToken === undefined) return token === undefined ? undefined : Promise.resolve(token)
    if (current === undefined) {
      const asked = (async () => getToken(reason))()
      current = asked
      asked.catch(() => {
        if (current === asked) current = undefined
      })
    }
    return current
  }

  async function send(path: string, request: Request): Promise<Response> {
    const { method = 'GET', query = [], body, signal } = request
    const headers = new Headers({ ...options.headers, ...request.headers })
    const held = tokenNow()
    if (held !== undefined) headers.set('authorization', bearer(await unlessAborted(held, signal)))
    if (body !== undefined) headers.set('content-type', 'application/json')
    const url = new URL(base + path)
    for (const [name, value] of query) url.searchParams.append(name, `${value}`)
    const response = await options.fetch(url.href, {
      ...{ method, headers, cache: 'no-store' },
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
      ...(options.credentials && { credentials: options.credentials }),
    })
    // It was right when it was asked for: a fresh one, once, and then the answer counts.
    if (response.status === 401 && held !== undefined && current === held) expire('refused')
    return response
  }

  async function open(path: string, request: Request): Promise<Response> {
    const first = await send(path, request)
    if (first.status !== 401 || getToken === undefined) return first
    await first.body?.cancel()
    return send(path, request)
  }

  function expire(why: TokenReason): void {
    reason = why
    current = undefined
  }

  return {
    renews: getToken !== undefined,
    open,
    expire,
    async ask(path, request) {
      const began = now()
      const response = await open(path, request)
      onMeasured(now() - began)
      if (!response.ok) throw await gatewayError(response)
      return response
    },
  }
}

/** Whether asking again could help: only the gateway's own word counts against it. */
export function isFinal(error: unknown, caller: Pick<Caller, 'renews'>): boolean {
  const { problem, status } = error as Partial<GatewayError>
  if (problem === undefined || problem.retryable) return false
  return !(status === 401 && caller.renews)
}

/** Whoever gives tokens may never answer. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
