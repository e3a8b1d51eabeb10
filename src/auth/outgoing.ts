/**
 * How the gateway asks others: a URL that the operator configured, one exchange, bounded in time and
 * size. On node:http rather than `fetch`, whose DNS can't be reached into: here the address that was
 * judged is the very one that is connected to, so a name that answers differently the next time
 * (DNS rebinding) gains nothing. Redirects are answers like any other and are never followed.
 */
import dns from 'node:dns'
import http from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { urlToHttpOptions } from 'node:url'
import { ForbiddenTarget, isForbiddenHost, judging } from './targets.js'

export interface Question {
  /** Default: GET. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Milliseconds for all of it, from the look-up of the name to the answer's last byte. Default: 5000. */
  readonly timeoutMs?: number
  /** Longest body of an answer, in bytes. Default: 1 MiB. */
  readonly maxBytes?: number
  /**
   * It does no harm if the other side gets the question twice: it is sent again where a connection that
   * was kept open turns out to be closed. Default: for GET and HEAD.
   */
  readonly repeatable?: boolean
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/** Rejects with an `OutgoingError` where there is no complete answer. */
export type Ask = (url: string | URL, question?: Question) => Promise<Answer>

export type OutgoingFault =
  /** No URL of HTTP, or one that leads where the gateway never goes. */
  | 'target'
  | 'late'
  | 'too_large'
  /** Given up by the question's own signal, or by `close`. */
  | 'aborted'
  /** No connection, or no HTTP, or the answer broke off. */
  | 'failed'

/** Why there is no answer. For the gateway's log; clients never see it. */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError'
  readonly fault: OutgoingFault

  constructor(fault: OutgoingFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}

export interface OutgoingOptions {
  /** How names become addresses. Default: that of the system. What it answers is judged in any case. */
  readonly lookup?: LookupFunction
  /** Certificates to trust instead of the usual ones, in PEM. */
  readonly ca?: string
}

export interface Outgoing {
  readonly ask: Ask
  /** Gives up what is under way, and closes the connections. Nothing is asked any more. */
  close(): void
}

const TIMEOUT = 5_000
const MAX_BYTES = 1024 * 1024
/** Connections to one server at one time; questions beyond it wait, and their time runs. */
const SOCKETS = 32
/** Connections kept for the next question, and for how many ms. */
const SPARE_SOCKETS = 4
const SPARE = 15_000

/** What is asked, if it may be. */
function judged(url: string | URL): URL {
  if (!URL.canParse(url)) throw new OutgoingError('target', 'it is not a URL')
  const target = new URL(url)
  if (target.protocol !== 'http:' && target.protocol !== 'https:') {
    throw new OutgoingError('target', 'its scheme is neither http nor https')
  }
  if (isForbiddenHost(target)) throw new ForbiddenTarget()
  return target
}

export function createOutgoing(options: OutgoingOptions = {}): Outgoing {
  const lookup = judging(options.lookup ?? (dns.lookup as LookupFunction))
  const trust = options.ca === undefined ? {} : { ca: options.ca }
  const keep = {
    keepAlive: true,
    maxSockets: SOCKETS,
    maxFreeSockets: SPARE_SOCKETS,
    timeout: SPARE,
  }
  // Agents of our own: the global ones may have been given a proxy, which would resolve names itself.
  const agents = { 'http:': new http.Agent(keep), 'https:': new https.Agent(keep) }

  const underWay = new Set<(error: Error) => void>()
  let closed = false

  function exchange(
    target: URL,
    question: Question,
    deadline: number,
    kept: boolean,
  ): Promise<Answer> {
    const { method = 'GET', maxBytes = MAX_BYTES, signal } = question
    const { repeatable = method === 'GET' || method === 'HEAD' } = question
    const secure = target.protocol === 'https:'
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).request({
        ...urlToHttpOptions(target),
        ...trust,
        method,
        headers: headersOf(question),
        lookup,
        // Without: a connection for this question alone.
        agent: kept && agents[secure ? 'https:' : 'http:'],
        ...(signal && { signal }),
      })
      const timer = setTimeout(
        () => fail(new OutgoingError('late', 'no complete answer in time')),
        deadline - performance.now(),
      )
      underWay.add(fail)
      /** Whether it wasn't yet. */
      function settle(): boolean {
        clearTimeout(timer)
        return underWay.delete(fail)
      }
      function fail(error: Error): void {
        if (!settle()) return
        reject(error)
        request.destroy()
      }

      let answered = false
      request.on('response', (response) => {
        answered = true
        collect(response, maxBytes).then(
          (body) => {
            settle()
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
          },
          (error: Error) => fail(explained(error, signal)),
        )
      })
      request.on('error', (error: NodeJS.ErrnoException) => {
        // What was given up ends like a connection that is stale.
        if (!underWay.has(fail)) return
        const stale = error.code === 'ECONNRESET' || error.code === 'EPIPE'
        if (stale && request.reusedSocket && repeatable && !answered && !signal?.aborted) {
          settle()
          resolve(exchange(target, question, deadline, false))
        } else fail(explained(error, signal))
      })
      // An answer to a question nobody asked ("101 Switching Protocols") ends without an error.
      request.on('close', () => {
        if (!answered) fail(new OutgoingError('failed', 'the connection was closed'))
      })
      request.end(question.body)
    })
  }

  return {
    async ask(url, question = {}) {
      if (closed) throw new OutgoingError('aborted', 'nothing is asked any more')
      const deadline = performance.now() + (question.timeoutMs ?? TIMEOUT)
      try {
        return await exchange(judged(url), question, deadline, true)
      } catch (error) {
        // Node throws where a header can't be sent.
        throw explained(error as Error, question.signal)
      }
    },
    close() {
      closed = true
      for (const fail of underWay) fail(new OutgoingError('aborted', 'it was given up'))
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

async function collect(response: http.IncomingMessage, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length
    if (size > maxBytes) {
      throw new OutgoingError('too_large', `the answer is longer than ${maxBytes} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts, size)
}

function headersOf({ headers, body }: Question): Record<string, string> {
  // Node would send the body of a DELETE in chunks, which not every backend can read.
  const length = body === undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` }
  return { 'user-agent': 'sluice', ...headers, ...length }
}

function explained(error: NodeJS.ErrnoException, signal: AbortSignal | undefined): Error {
  if (error instanceof OutgoingError) return error
  if (error instanceof ForbiddenTarget) return new OutgoingError('target', error.message)
  if (signal?.aborted) return new OutgoingError('aborted', 'it was given up', { cause: error })
  // Where all addresses of a name fail, Node's error has a code and no message.
  const message = error.message || error.code || error.name
  return new OutgoingError('failed', message, { cause: error })
}
