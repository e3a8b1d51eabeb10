/**
 * Asks an upstream: one request, whose answer's body comes as it is made. Like auth/outgoing.ts for what
 * is answered in one piece, and with the same care: the address that was judged is the one that is
 * connected to, and redirects are answers like any other.
 */
import dns from 'node:dns'
import http from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { urlToHttpOptions } from 'node:url'
import { ForbiddenTarget, isForbiddenHost, judging } from '../auth/targets.js'
import { bodyOf, type Later } from './body.js'
import { UpstreamFault } from './faults.js'
import { headersToUpstream, isCompressed, isEventStream } from './headers.js'
import type { Target } from './upstreams.js'

export interface UpstreamRequest extends Target {
  readonly method: string
  /** The caller's. Few of them pass. Default: none. */
  readonly headers?: http.IncomingHttpHeaders
  readonly body?: string | Uint8Array
  /** Gives the request up, or its answer. */
  readonly signal?: AbortSignal
}

export interface UpstreamAnswer {
  readonly status: number
  /** All of them, with what no caller may see: `headersToCaller` picks. */
  readonly headers: http.IncomingHttpHeaders
  /** To be read once, or given up: its connection is held until then. Throws UpstreamFaults. */
  readonly body: AsyncIterable<Buffer>
  /** Ends the connection at once. Nothing after the end. */
  abort(): void
}

export interface UpstreamClientOptions {
  /** How names become addresses. Default: that of the system. What it answers is judged in any case. */
  readonly lookup?: LookupFunction
  /** Certificates to trust instead of the usual ones, in PEM. */
  readonly ca?: string
  readonly later?: Later
}

export interface UpstreamClient {
  /** Resolves with the head of the answer, whatever its status. Rejects with an UpstreamFault. */
  open(request: UpstreamRequest): Promise<UpstreamAnswer>
  /** Gives up what is under way, and closes the connections. Nothing is asked any more. */
  close(): void
}

/** Connections to one server that are kept for the next request. How many there are is up to the runs. */
const SPARE_SOCKETS = 256
/**
 * ms that they are kept: less than the 5 s after which Node's and uvicorn's servers close them. A POST
 * that meets a closed connection fails, for it can't be sent twice without perhaps being done twice.
 */
const SPARE = 4_000

export const inRealTime: Later = (run, ms) => {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

export function createUpstreamClient(options: UpstreamClientOptions = {}): UpstreamClient {
  const { later = inRealTime } = options
  const lookup = judging(options.lookup ?? (dns.lookup as LookupFunction))
  const trust = options.ca === undefined ? {} : { ca: options.ca }
  const keep = { keepAlive: true, maxFreeSockets: SPARE_SOCKETS, timeout: SPARE }
  // Agents of our own: the global ones may have been given a proxy, which would resolve names itself.
  const agents = { 'http:': new http.Agent(keep), 'https:': new https.Agent(keep) }
  const underWay = new Set<(fault: UpstreamFault) => void>()
  let closed = false

  function exchange(question: UpstreamRequest, kept: boolean): Promise<UpstreamAnswer> {
    const { upstream, path, method, body, signal } = question
    const { url, headTimeoutMs, idleTimeoutMs } = upstream
    const secure = url.protocol === 'https:'
    const length = body === undefined ? undefined : Buffer.byteLength(body)
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).request({
        ...urlToHttpOptions(url),
        ...trust,
        // Not through a URL, which would make it another spelling of the path.
        path,
        method,
        headers: headersToUpstream(question.headers ?? {}, upstream.headers, length),
        lookup,
        // Without: a connection for this request alone.
        agent: kept && agents[secure ? 'https:' : 'http:'],
      })
      let connected = false
      let answer: http.IncomingMessage | undefined
      let reason: UpstreamFault | undefined
      const cancel = later(() => giveUp(new UpstreamFault('head_timeout')), headTimeoutMs)
      const abort = () => giveUp(new UpstreamFault('aborted'))
      signal?.addEventListener('abort', abort)
      underWay.add(giveUp)

      function settle(): void {
        cancel()
        signal?.removeEventListener('abort', abort)
        underWay.delete(giveUp)
      }
      function giveUp(fault: UpstreamFault): void {
        settle()
        reason ??= fault
        reject(reason)
        // A response that has been read leaves its connection to the next request.
        if (answer === undefined) request.destroy()
        else answer.destroy()
      }

      request.on('socket', (socket) => {
        connected = request.reusedSocket
        // One that is kept would keep a listener of each request that it has served.
        if (connected) return
        socket.once(secure ? 'secureConnect' : 'connect', () => {
          connected = true
        })
      })
      request.on('response', (response) => {
        cancel()
        answer = response
        const { statusCode: status = 0, headers } = response
        const parts = bodyOf(response, { idleTimeoutMs, later, giveUp, reason: () => reason })
        // RFC 9110 § 15: three digits that begin with 1 to 5, and those with 1 don't come here.
        if (status < 200 || status > 599) {
          giveUp(new UpstreamFault('broken', 'its status is none of HTTP'))
        } else if (isEventStream(headers) && isCompressed(headers)) {
          giveUp(new UpstreamFault('broken', 'its events are compressed'))
        } else resolve({ status, headers, body: parts, abort })
      })
      request.on('error', (error: NodeJS.ErrnoException) => {
        // The body tells.
        if (answer !== undefined) return
        const stale = error.code === 'ECONNRESET' || error.code === 'EPIPE'
        const repeatable = method === 'GET' || method === 'HEAD'
        if (stale && request.reusedSocket && repeatable && reason === undefined) {
          resolve(exchange(question, false))
        } else reject(reason ?? explained(error, connected))
      })
      // "101 Switching Protocols", which nobody asked for, ends without an error.
      request.on('close', () => {
        // What came is still to be read, and may still be given up.
        if (answer !== undefined) return
        settle()
        reject(reason ?? new UpstreamFault('broken', 'the connection was closed'))
      })
      request.end(body)
    })
  }

  return {
    async open(request) {
      if (closed || request.signal?.aborted) throw new UpstreamFault('aborted')
      if (isForbiddenHost(request.upstream.url)) throw new UpstreamFault('blocked')
      try {
        return await exchange(request, true)
      } catch (error) {
        // Node throws where a header can't be sent.
        throw explained(error as Error, false)
      }
    },
    close() {
      closed = true
      for (const giveUp of underWay) giveUp(new UpstreamFault('aborted'))
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

/** `connected`: the upstream may have got the request. */
function explained(error: NodeJS.ErrnoException, connected: boolean): UpstreamFault {
  if (error instanceof UpstreamFault) return error
  if (error instanceof ForbiddenTarget) return new UpstreamFault('blocked')
  return new UpstreamFault(connected ? 'broken' : 'unreachable', error.code ?? error.name)
}
