/** An HTTP proxy that is bad on purpose, in the ways of real ones. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Badness =
  /** It is not bad. */
  | 'none'
  /** Buffers: a body leaves when it is whole. */
  | 'holds-body'
  /** A scanner: what came last leaves when something comes after it. */
  | 'holds-last'
  /** Cuts connections on which nothing has moved for five seconds. */
  | 'cuts-idle'
  /** Comments of event streams are lost on the way. */
  | 'strips-comments'
  /** Has no gateway behind it. */
  | 'answers-502'

/** Milliseconds without a byte that an idle cutter allows. */
const IDLE_MS = 5_000

export interface BadProxy {
  readonly url: string
  /** From the next response on; what is held then stays held. */
  badness: Badness
  /** Streams that are open now get nothing more; other answers do. */
  hold(): void
  /** Requests for streams, without an end, so far. */
  readonly streams: number
  stop(): Promise<void>
}

export async function startBadProxy(target: () => number, badness: Badness): Promise<BadProxy> {
  let streams = 0
  const open = new Set<IncomingMessage>()
  const server = createServer((req, res) => {
    if (/^\/v1\/events\?/.test(req.url ?? '') && !/mode=poll/.test(req.url!)) streams++
    if (proxy.badness === 'answers-502') {
      res.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>')
      return
    }
    const { url, method, headers } = req
    const upstream = request({ host: '127.0.0.1', port: target(), path: url, method, headers })
    req.pipe(upstream)
    const stop = () => {
      upstream.destroy()
      res.destroy()
    }
    upstream.on('error', stop)
    res.on('close', stop)
    res.on('error', stop)
    upstream.on('response', (answer) => {
      answer.on('error', stop)
      open.add(answer)
      answer.on('close', () => open.delete(answer))
      pass(answer, res, proxy.badness)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    badness,
    hold() {
      for (const answer of open) {
        answer.unpipe()
        answer.pause()
      }
    },
    get streams() {
      return streams
    },
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return proxy
}

function pass(answer: IncomingMessage, res: ServerResponse, badness: Badness): void {
  const { statusCode = 502, headers } = answer
  const isStream = /^text\/event-stream/.test(headers['content-type'] ?? '')
  const begin = () => {
    const { 'content-length': length, ...rest } = headers
    res.writeHead(statusCode, badness === 'strips-comments' && isStream ? rest : headers)
    res.flushHeaders()
    return length
  }
  if (badness === 'holds-body') {
    const chunks: Buffer[] = []
    answer.on('data', (chunk: Buffer) => chunks.push(chunk))
    answer.on('end', () => {
      begin()
      res.end(Buffer.concat(chunks))
    })
    return
  }
  begin()
  if (badness === 'holds-last') {
    let held: Buffer | undefined
    answer.on('data', (chunk: Buffer) => {
      if (held) res.write(held)
      held = chunk
    })
    answer.on('end', () => res.end(held))
    return
  }
  if (badness === 'strips-comments' && isStream) {
    answer.on('data', (chunk: Buffer) =>
      res.write(chunk.toString('latin1').replace(/^:.*\n/gm, ''), 'latin1'),
    )
    answer.on('end', () => res.end())
    return
  }
  answer.pipe(res)
  if (badness === 'cuts-idle') {
    let timer: NodeJS.Timeout
    const restart = () => {
      clearTimeout(timer)
      timer = setTimeout(() => res.destroy(), IDLE_MS)
    }
    restart()
    answer.on('data', restart)
    res.on('close', () => clearTimeout(timer))
  }
}
