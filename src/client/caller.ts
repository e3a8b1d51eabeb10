/** Requests to one gateway: whose they are, and how long the way is. */
import { type GatewayError, gatewayError, resourceUrl } from './gateway.js'
import { type Timer, within } from './timing.js'
import { bearer } from './token.js'

/** Milliseconds after which an answer that needn't wait counts as lost, and until a token is asked for anew. */
const PATIENCE_MS = 15_000
const TOKEN_MS = 30_000

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
  readonly timer: Timer
  readonly now: () => number
  /** Fires when nobody waits for an answer any more. */
  readonly closing: AbortSignal
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
  /** The JSON of an answer that comes at once. Rejects with a GatewayError where it isn't 2xx, and where it is late. */
  ask(path: string, request: Omit<Request, 'signal'>): Promise<unknown>
  /** What `start` gives, if it does so in time. */
  inTime<T>(start: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** A new token, at the next request. */
  expire(reason: TokenReason): void
  /** Whether the refusal of a token may be over with the next one. */
  readonly renews: boolean
}

export function createCaller(options: CallerOptions): Caller {
  const { token, getToken, onMeasured, timer, now, closing } = options
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
      const forget = () => {
        if (current === asked) current = undefined
      }
      // Whoever gives tokens may never answer.
      const cancel = timer(TOKEN_MS, forget)
      asked.catch(forget).finally(cancel)
    }
    return current
  }

  async function send(path: string, request: Request): Promise<Response> {
    const { method = 'GET', query = [], body, signal } = request
    const headers = new Headers({ ...options.headers, ...request.headers })
    const held = tokenNow()
    if (held !== undefined) headers.set('authorization', bearer(await held))
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

  function inTime<T>(start: (signal: AbortSignal) => Promise<T>, signal = closing): Promise<T> {
    return within(PATIENCE_MS, timer, signal, start)
  }

  return {
    renews: getToken !== undefined,
    open,
    expire,
    inTime,
    ask: (path, request) =>
      inTime(async (signal) => {
        const began = now()
        const response = await open(path, { ...request, signal })
        onMeasured(now() - began)
        if (!response.ok) throw await gatewayError(response)
        const text = await response.text()
        return text && JSON.parse(text)
      }),
  }
}

/** Whether asking again could help: only the gateway's own word counts against it. */
export function isFinal(error: unknown, caller: Pick<Caller, 'renews'>): boolean {
  const { problem, status } = error as Partial<GatewayError>
  if (problem === undefined || problem.retryable) return false
  return !(status === 401 && caller.renews)
}
