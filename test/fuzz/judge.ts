/** What an answer may be. Each function answers what is wrong, undefined where nothing is. */
import { ERROR_TABLE } from '../../src/wire/errors.js'
import { parseBlock } from '../routes/support/stream.js'
import { type Answer, Malformed } from './answers.js'

/** What the protocol page knows, beside the statuses of errors. */
const GOOD = [200, 201, 202, 204]
const STATUSES = new Set([...GOOD, ...Object.values(ERROR_TABLE).map(({ status }) => status)])
/** The gateway's own pages, and what they need: a target may become one of them, or lead to one. */
const REDIRECTS = [302, 308]
const PAGES = /^(text\/(html|css|javascript)|image\/svg\+xml)\b/
/** What only somebody inside could know. */
const INSIDE = /node_modules|\bdist\/|\bsrc\/|\bnode:internal|\n\s+at |Error: /

/** Of whoever judges the judge: no answer of the given status counts as good. */
export type Forbidden = number | undefined

export function wrongWith(answer: Answer, forbidden?: Forbidden): string | undefined {
  const { status, headers, body, headOnly, complete } = answer
  const type = headers.get('content-type') ?? ''
  if (status === 500) return `500 ${excerpt(body)}`
  if (REDIRECTS.includes(status)) {
    const to = headers.get('location') ?? ''
    return /^\/(?!\/)/.test(to) ? undefined : `a redirect to ${JSON.stringify(to)}`
  }
  if (!STATUSES.has(status)) return `a status that the protocol doesn’t know: ${status}`
  if (status === forbidden) return `${status}, which was forbidden for this run`
  if (status >= 400) return wrongProblem(answer, type)
  if (!complete || headOnly || status === 204) return undefined
  if (type.startsWith('application/json'))
    return isJson(body) ? undefined : `not JSON: ${excerpt(body)}`
  if (type.startsWith('text/event-stream') || PAGES.test(type)) return undefined
  return status === 204 || body.length === 0 ? undefined : `a body of type ${JSON.stringify(type)}`
}

function wrongProblem({ status, headers, body, headOnly, complete }: Answer, type: string) {
  // What /readyz says to load balancers.
  const isHealth = headOnly || body.includes('"status":"unready"')
  if (status === 503 && type.startsWith('application/json') && isHealth) return undefined
  if (!type.startsWith('application/problem+json')) {
    return `${status} of type ${JSON.stringify(type)}: ${excerpt(body)}`
  }
  if (status === 405 && !headers.has('allow')) return '405 without Allow'
  if ((status === 429 || status === 503) && !headers.has('retry-after')) {
    return `${status} without Retry-After`
  }
  if (headOnly) return undefined
  if (!complete) return `${status} that was cut: ${excerpt(body)}`
  if (!isJson(body)) return `${status} without a problem document: ${excerpt(body)}`
  const problem = JSON.parse(body.toString()) as Record<string, unknown>
  if (problem.status !== status) return `${status} whose document says ${problem.status}`
  if (!Object.hasOwn(ERROR_TABLE, String(problem.code))) return `an unknown code: ${problem.code}`
  if (INSIDE.test(body.toString())) return `what is nobody’s business: ${excerpt(body)}`
  return undefined
}

function isJson(body: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return true
  } catch {
    return false
  }
}

function excerpt(body: Buffer): string {
  return JSON.stringify(body.toString('latin1', 0, 300))
}

/**
 * Takes the bytes of an event stream and throws where they aren't blocks as the gateway writes them: a
 * line end that got through would make a line of its own.
 */
export function createStreamCheck(): (bytes: Buffer) => void {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest = ''
  return (bytes) => {
    const parts = (rest + utf8.decode(bytes, { stream: true })).split('\n\n')
    rest = parts.pop()!
    for (const part of parts) {
      const { event, json } = parseBlock(part)
      if (event?.startsWith('stream.') && json === undefined) {
        throw new Malformed(`a control event without its data: ${JSON.stringify(part)}`)
      }
    }
  }
}
