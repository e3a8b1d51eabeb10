/** A proxy in front of Redis that swallows Pub/Sub messages and cuts connections. */
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

export interface LosingProxy {
  readonly url: string
  /** Swallows the next message, the connection stays open. Resolves once it is gone. */
  loseNext(): Promise<void>
  /** Cuts all connections, with whatever is on its way. */
  cutAll(): void
  stop(): Promise<void>
}

export async function startLosingProxy(port: number): Promise<LosingProxy> {
  const sockets = new Set<Socket>()
  let lost: (() => void) | undefined
  const server = createServer((client) => {
    const upstream = createConnection(port, '127.0.0.1')
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      // An idle subscriber gets a message as a chunk of its own: a push of three strings.
      if (lost !== undefined && chunk.includes('>3\r\n$8\r\nsmessage\r\n')) {
        lost()
        lost = undefined
      } else client.write(chunk)
    })
  })
  const cutAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseNext: () =>
      new Promise((resolve) => {
        lost = resolve
      }),
    cutAll,
    async stop() {
      cutAll()
      server.close()
      await once(server, 'close')
    },
  }
}
