/** A road to Redis that can be led elsewhere: what a failover looks like from a gateway. */
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

export interface Switch {
  readonly url: string
  /** Cuts all connections; new ones go to this port, or nowhere. */
  to(port: number | undefined): void
  stop(): Promise<void>
}

export async function startSwitch(port: number): Promise<Switch> {
  const sockets = new Set<Socket>()
  let target: number | undefined = port
  const server = createServer((client) => {
    if (target === undefined) {
      client.destroy()
      return
    }
    const upstream = createConnection(target, '127.0.0.1')
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
      socket.pipe(other)
    }
  })
  const to = (port: number | undefined) => {
    target = port
    for (const socket of sockets) socket.destroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    to,
    async stop() {
      to(undefined)
      server.close()
      await once(server, 'close')
    },
  }
}
