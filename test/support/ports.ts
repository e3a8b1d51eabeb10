import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port that was free a moment ago, for programs that can't pick one themselves. Below those that
 * the kernel gives to connections (32768 and up, in Linux): a server that is away for a while would
 * otherwise find its port taken by some connection, even by one that tries to reach it: a socket
 * that is given the very port it connects to is connected with itself.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; ; tries++) {
    const server = createServer()
    try {
      server.listen(12_000 + Math.floor(Math.random() * 20_000), '127.0.0.1')
      await once(server, 'listening')
    } catch (error) {
      if (tries === 20) throw error
      continue
    }
    const { port } = server.address() as { port: number }
    server.close()
    await once(server, 'close')
    return port
  }
}
