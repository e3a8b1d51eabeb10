/** A proxy in front of Redis that swallows one direction and says nothing: a line that is half open. */
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

export type Direction = 'to Redis' | 'from Redis'

export interface HalfOpenProxy {
  readonly port: number
  readonly url: string
  /** Everything in this direction vanishes from now on, also on connections that are still to come. */
  swallow(direction: Direction): void
  /** Connections that are made from now on are sound. Those that lost something stay as they are. */
  heal(): void
  stop(): Promise<void>
}

export async function startHalfOpenProxy(target: number): Promise<HalfOpenProxy> {
  const sockets = new Set<Socket>()
  let lines = new Set<Set<Direction>>()
  const broken = new Set<Direction>()

  const server = createServer((client) => {
    const upstream = createConnection(target, '127.0.0.1')
    const swallowed = new Set(broken)
    lines.add(swallowed)
    const pass = (from: Socket, to: Socket, direction: Direction) => {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.on('data', (chunk) => {
        if (!swallowed.has(direction)) to.write(chunk)
      })
    }
    pass(client, upstream, 'to Redis')
    pass(upstream, client, 'from Redis')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    swallow(direction) {
      broken.add(direction)
      for (const line of lines) line.add(direction)
    },
    heal() {
      broken.clear()
      lines = new Set()
    },
    async stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
