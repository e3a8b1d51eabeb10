/** An HTTP server of somebody else, which the gateway asks: on a port of its own, answering as it is told. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text as it is, anything else as JSON. Default: nothing. */
  readonly body?: unknown
}

export interface Backend {
  readonly url: string
  readonly port: number
  /** All that it was asked. */
  readonly asked: readonly Asked[]
  /** Connections that were made to it. */
  readonly connections: number
  /** How it answers from now on; a promise is an answer that takes its time. */
  answer: (asked: Asked) => Reply | Promise<Reply>
  /** Resolves with the next question, also while its answer is held back. */
  next(): Promise<Asked>
  /** Cuts all connections, and takes no more. */
  stop(): Promise<void>
  /** Takes connections again, on the same port. */
  restart(): Promise<void>
}

export async function startBackend(
  t: Test,
  tls?: { readonly cert: string; readonly key: string },
): Promise<Backend> {
  const asked: Asked[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  let waiting: ((asked: Asked) => void)[] = []
  const server = tls === undefined ? createServer() : createSecureServer(tls)
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('request', async (request: IncomingMessage, response) => {
    let body = ''
    for await (const part of request.setEncoding('utf8')) body += part
    const { method = '', url = '', headers } = request
    const one = { method, path: url, headers, body }
    asked.push(one)
    for (const resolve of waiting.splice(0)) resolve(one)
    const reply = await backend.answer(one)
    response.writeHead(reply.status ?? 200, reply.headers)
    response.end(textOf(reply.body))
  })

  async function listen(port: number): Promise<number> {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  async function stop(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }

  const port = await listen(0)
  t.teardown(stop)
  const backend: Backend = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/`,
    port,
    asked,
    get connections() {
      return connections
    },
    answer: () => ({}),
    next: () => new Promise((resolve) => waiting.push(resolve)),
    stop,
    async restart() {
      waiting = []
      await listen(port)
    },
  }
  return backend
}

const textOf = (body: unknown) =>
  body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
