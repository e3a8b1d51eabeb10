/** A TCP proxy that tears connections at a chosen byte, and can hold them. */
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import type { Random } from './random.js'

export interface CutterOptions {
  /** Port on 127.0.0.1. */
  readonly target: number | (() => number)
  readonly random: Random
  /**
   * After how many bytes towards the client the next connection is cut; undefined: never. Asked once
   * for each connection.
   */
  readonly budget: (random: Random) => number | undefined
}

export interface Cutter {
  readonly port: number
  readonly url: string
  /** Connections torn so far. */
  readonly cuts: number
  /** Connections open at the moment. */
  readonly open: number
  /** Resolves once `count` connections were torn in all. */
  reached(count: number): Promise<void>
  /** Tears what is open, now: all, or about that share of it. */
  cutAll(share?: number): void
  /** No more cuts: what is open stays, what comes is passed on whole. */
  heal(): void
  /** Passes on nothing towards the client until `release`; connections stay open. */
  hold(): void
  release(): void
  stop(): Promise<void>
}

export async function startCutter(options: CutterOptions): Promise<Cutter> {
  const { random } = options
  const target =
    typeof options.target === 'number' ? () => options.target as number : options.target
  const told = new EventEmitter()
  const connections = new Set<{ tear(): void; pump(): void }>()
  /** Also those that are no connection any more, but wait for a peer to end its side. */
  const sockets = new Set<Socket>()
  let cuts = 0
  let healed = false
  let held = false

  const join = (client: Socket): void => {
    const upstream = createConnection(target(), '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    client.setNoDelay(true)
    upstream.setNoDelay(true)
    let left = healed ? undefined : options.budget(random)
    const kill = (): void => {
      connections.delete(connection)
      client.destroy()
      upstream.destroy()
    }
    const tear = (): void => {
      if (!connections.delete(connection)) return
      upstream.destroy()
      // A reset throws away what the client's kernel holds; an end leaves it and looks like a body
      // that is over. Both happen on real lines.
      if (random.next() < 0.5) client.resetAndDestroy()
      else client.end(() => client.destroy())
      cuts++
      told.emit('cut')
    }
    const pump = (): void => {
      if (held) return
      for (;;) {
        const chunk = upstream.read() as Buffer | null
        if (chunk === null) return
        if (healed) left = undefined
        if (left !== undefined && chunk.length >= left) {
          client.write(chunk.subarray(0, left))
          tear()
          return
        }
        if (left !== undefined) left -= chunk.length
        if (!client.write(chunk)) {
          client.once('drain', pump)
          return
        }
      }
    }
    const connection = { tear, pump }
    connections.add(connection)
    client.pipe(upstream)
    upstream.on('readable', pump)
    upstream.on('end', () => {
      // A held connection has not shown its end yet either.
      if (connections.delete(connection)) client.end()
    })
    for (const socket of [client, upstream]) {
      socket.on('error', kill)
      socket.on('close', () => {
        if (socket === client) kill()
      })
    }
  }

  const server = createServer({ allowHalfOpen: false }, join).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    get cuts() {
      return cuts
    },
    get open() {
      return connections.size
    },
    async reached(count) {
      while (cuts < count) await once(told, 'cut')
    },
    cutAll(share = 1) {
      for (const connection of [...connections]) if (random.next() < share) connection.tear()
    },
    heal() {
      healed = true
    },
    hold() {
      held = true
    },
    release() {
      held = false
      for (const connection of [...connections]) connection.pump()
    },
    async stop() {
      server.close()
      for (const socket of [...sockets]) socket.destroy()
      await once(server, 'close')
    },
  }
}
