/** An upstream on a port of its own that answers as a test says; and a client to ask it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'
import { UpstreamFault, type UpstreamFaultCode } from '../../../src/relay/faults.js'
import {
  createUpstreamClient,
  type UpstreamClientOptions,
  type UpstreamRequest,
} from '../../../src/relay/request.js'
import type { Upstream } from '../../../src/relay/upstreams.js'
import { createClock } from '../../auth/support/clock.js'

/** What must never reach a caller. */
export const SECRET = 'sk-upstream-secret'

export async function startUpstream(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
) {
  const sockets = new Set<Socket>()
  const server = createServer(answer)
  let connections = 0
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  async function stop(): Promise<void> {
    if (!server.listening) return
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  t.teardown(stop)
  return {
    port,
    stop,
    get connections() {
      return connections
    },
  }
}

/** One that is reached at a port of this machine. */
export function upstreamAt(port: number, more: Partial<Upstream> = {}): Upstream {
  return {
    name: 'model',
    url: new URL(`http://127.0.0.1:${port}`),
    headers: { authorization: `Bearer ${SECRET}` },
    allow: [],
    headTimeoutMs: 60_000,
    idleTimeoutMs: 120_000,
    maxEventBytes: 1024 * 1024,
    ...more,
  }
}

/** A client whose time stands still. */
export function startClient(t: Test, options: UpstreamClientOptions = {}) {
  const clock = createClock()
  const client = createUpstreamClient({ later: clock.later, ...options })
  t.teardown(() => client.close())
  const ask = (upstream: Upstream, more: Partial<UpstreamRequest> = {}) =>
    client.open({ upstream, path: '/v1/x', method: 'POST', body: '{}', ...more })
  return { clock, client, ask }
}

/** Waits for the end of something that fails, and looks at all that a caller could get to see of it. */
export async function failing(
  t: Test,
  work: Promise<unknown>,
  code: UpstreamFaultCode,
  about = '',
) {
  const error: unknown = await work.then(
    () => undefined,
    (it) => it,
  )
  if (!(error instanceof UpstreamFault)) return t.fail(`${about}: no fault`, { error })
  t.equal(error.code, code, about)
  const seen = [error.message, error.detail, JSON.stringify(error), String(error.cause)].join(' ')
  t.notMatch(seen, /127\.0\.0\.1|169\.254|localhost|\.example|:\d{4}|secret/, 'nothing leaks')
}

export async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts).toString()
}

/** A promise with its ends in hand. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((it) => {
    resolve = it
  })
  return { promise, resolve: (value: T) => resolve(value) }
}
