/** Who the client is. */

/** A token or an API key; or what gives one, asked anew at each connection. */
export type Token = string | (() => string | Promise<string>)

/** What a header carries (RFC 6750 § 2.1), as wide as the gateway takes it. */
const VISIBLE = /^[\x21-\x7e]+$/

/** The value of Authorization. Of a wrong token it says nothing but that: messages end up in logs. */
export function bearer(token: string): string {
  if (typeof token === 'string' && VISIBLE.test(token)) return `Bearer ${token}`
  throw new TypeError('a token is a text of visible ASCII, without "Bearer"')
}

/**
 * The headers of each request: those that are always the same, and the token of the moment. They reject
 * where it can't be had, and when `signal` fires, for whoever gives tokens may never answer. Throws at
 * once where a token that is given once and for all can't be sent: trying again couldn't help.
 */
export function createHeaders(
  common: Readonly<Record<string, string>> | undefined,
  token: Token | undefined,
): (signal: AbortSignal | undefined) => Promise<Headers> {
  if (typeof token === 'string') bearer(token)
  return async (signal) => {
    // Rejected: a plain object, in which `Authorization` and `authorization` are two that fetch joins.
    const headers = new Headers(common)
    if (token !== undefined) {
      const text = typeof token === 'string' ? token : await unlessAborted(token, signal)
      headers.set('authorization', bearer(text))
    }
    return headers
  }
}

function unlessAborted<T>(
  start: () => T | Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason)
    if (signal?.aborted) return abort()
    signal?.addEventListener('abort', abort)
    const asked = (async () => start())()
    asked.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
  })
}
