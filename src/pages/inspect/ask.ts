/** Asks the gateway that has served the page, with the token of this tab. */
import { GatewayError } from '../../client/index.js'

const KEPT = 'sluice.inspect.token'

/** It must be said who looks, or somebody else must. */
export class RefusedError extends Error {
  /** There was a token, and it doesn't do. */
  readonly had: boolean

  constructor(message: string, had: boolean) {
    super(message)
    this.had = had
  }
}

export function token(): string | undefined {
  return sessionStorage.getItem(KEPT) ?? undefined
}

export function keepToken(text: string | undefined): void {
  if (text === undefined) sessionStorage.removeItem(KEPT)
  else sessionStorage.setItem(KEPT, text)
}

/** Whether the gateway wants to know who looks. Asked of its page, for a refusal would be an error in the console. */
export async function isLocked(): Promise<boolean> {
  const { headers } = await fetch(location.pathname, { method: 'HEAD', cache: 'no-store' })
  return headers.get('sluice-locked') === '?1'
}

/** ms that an answer may take: what is older than that is no picture of now. */
const PATIENCE_MS = 10_000

/** Throws a RefusedError, a GatewayError with the gateway's words, or a TypeError where there is no answer. */
export async function ask<T>(
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<T> {
  const url = new URL(path, location.href)
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value)
  const own = token()
  const headers = new Headers({ accept: 'application/json' })
  if (own !== undefined) headers.set('authorization', `Bearer ${own}`)
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const response = await fetch(url, { headers, signal, cache: 'no-store' })
  if (response.ok) return (await response.json()) as T
  const problem = await response.json().catch(() => undefined)
  const words = problem?.detail ?? `the answer is ${response.status}`
  if (response.status === 401 || response.status === 403)
    throw new RefusedError(words, own !== undefined)
  throw new GatewayError(response.status, words, problem)
}
