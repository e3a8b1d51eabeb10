/** What all requests share: the addresses of resources, and answers that say no. */
import type { Problem } from '../wire/errors.js'

/** A resource, `/v1/events`, of the gateway at `url`, which may have a path of its own in front. */
export function resourceUrl(url: string | URL, resource: string): URL {
  const found = new URL(url, globalThis.location?.href)
  found.pathname = found.pathname.replace(/\/?$/, resource)
  return found
}

/** The gateway, or something on the way to it, refused. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  /** HTTP status. */
  readonly status: number
  /** The gateway's own words; undefined where the answer came from something else. */
  readonly problem: Problem | undefined
  /** The same request may succeed later. */
  readonly retryable: boolean
  /** Milliseconds that the answer asks to wait; 0 where it doesn't say. */
  readonly retryAfter: number

  constructor(status: number, message: string, problem?: Problem, retryAfter = 0) {
    super(message)
    this.status = status
    this.problem = problem
    this.retryable = problem?.retryable === true || status === 429 || status >= 500
    this.retryAfter = retryAfter
  }
}

/** Reads an answer that isn't the one hoped for. */
export async function gatewayError(response: Response): Promise<GatewayError> {
  const { status } = response
  // Retry-After as a date is left to the backoff: it needs both clocks to agree.
  const seconds = Number(response.headers.get('retry-after') ?? 0)
  const retryAfter = seconds > 0 ? seconds * 1000 : 0
  const text = await response.text()
  if (response.headers.get('content-type')?.includes('problem+json')) {
    try {
      const problem = JSON.parse(text) as Problem
      return new GatewayError(status, `${problem.title}: ${problem.detail}`, problem, retryAfter)
    } catch {
      // Cut short on the way: the status still says enough.
    }
  }
  const message = `the answer is ${status} ${response.statusText}`.trimEnd()
  return new GatewayError(status, message, undefined, retryAfter)
}
