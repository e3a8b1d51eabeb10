/**
 * Which headers pass through the gateway, in both directions. Lists of what passes, not of what is kept
 * back: a header that nobody thought of is then one that doesn't leak.
 */
import type { IncomingHttpHeaders } from 'node:http'

/**
 * What a caller may say to an upstream. Not `user-agent`: it tells of a person's browser, and upstreams
 * take one server behind it for many. Not `openai-organization` and its like, which choose who pays, nor
 * `idempotency-key`: it is the gateway's, and callers that chose the same one would share an answer.
 */
const TO_UPSTREAM = ['accept', 'content-type', 'anthropic-version', 'anthropic-beta', 'openai-beta']
/** What an SDK says of itself, its retries among it. */
const OF_SDK = 'x-stainless-'

/**
 * What an upstream may say to a caller. Not `location`, `set-cookie`, `www-authenticate`, `server`, `via`
 * or an organisation's name, which tell who it is or are meant for the gateway; nor CORS, which is ours.
 */
const TO_CALLER = [
  ...['content-type', 'content-encoding', 'content-disposition', 'x-vercel-ai-ui-message-stream'],
  // What SDKs retry by, and what one names to a vendor's support.
  ...['retry-after', 'retry-after-ms', 'x-should-retry', 'request-id', 'x-request-id'],
]

/** One connection's own (RFC 9110 § 7.6.1), or what the gateway says of each request itself. */
const OF_CONNECTION = [
  ...['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'],
  ...['proxy-connection', 'host', 'content-length', 'accept-encoding'],
]

/** Whether no operator may set it. `name`: in lower case. */
export function isOfConnection(name: string): boolean {
  return OF_CONNECTION.includes(name)
}

/** What is sent upstream: of the caller's headers those that pass, then the upstream's own, which win. */
export function headersToUpstream(
  caller: IncomingHttpHeaders,
  own: Readonly<Record<string, string>>,
  bodyLength: number | undefined,
): Record<string, string> {
  return {
    accept: '*/*',
    'user-agent': 'sluice',
    ...picked(caller, (name) => TO_UPSTREAM.includes(name) || name.startsWith(OF_SDK)),
    ...own,
    // Compressed events would have to be unpacked before they could be kept.
    'accept-encoding': 'identity',
    // Without: Node would send the body of a DELETE in chunks, which not every server can read.
    ...(bodyLength !== undefined && { 'content-length': `${bodyLength}` }),
  }
}

/** What a caller gets of an answer's headers. */
export function headersToCaller(answer: IncomingHttpHeaders): Record<string, string> {
  return picked(answer, (name) => TO_CALLER.includes(name))
}

function picked(
  headers: IncomingHttpHeaders,
  passes: (name: string) => boolean,
): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && passes(name)) result[name] = String(value)
  }
  return result
}

/**
 * Whether an answer speaks to the gateway rather than to its caller: a redirect names an address, and
 * what is wrong with the operator's key is often said with a part of that key.
 */
export function isForOperator(status: number): boolean {
  return (status >= 300 && status < 400) || status === 401 || status === 403 || status === 407
}

/** What an operator is to look at where an answer speaks to the gateway. */
export function hintOf(status: number, upstream: string): string {
  if (status < 400) return `check url of upstreams.${upstream}: redirects are not followed`
  return `check headers of upstreams.${upstream}: the key, and what it may do`
}

/** Whether an answer is a stream of events. */
export function isEventStream(answer: IncomingHttpHeaders): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(answer['content-type'] ?? '')
}

/** Whether it came compressed, although it was asked not to. */
export function isCompressed(answer: IncomingHttpHeaders): boolean {
  return !/^\s*(?:identity\s*)?$/i.test(answer['content-encoding'] ?? '')
}
