/**
 * A wire between a viewer and the gateway, for somebody to cut: a page can't break its own connections,
 * it can only close them, and then nothing comes back by itself. It knows nothing of HTTP.
 */
import { connect, createServer } from 'node:net'
import { listen } from './listen.mjs'

/** `to`: the port on loopback at its other end. */
export async function startWire(to) {
  const sockets = new Set()
  let cutUntil = 0

  const server = createServer((near) => {
    if (performance.now() < cutUntil) return near.destroy()
    const far = connect(to, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      // A token is smaller than a packet, and mustn't wait for the next one.
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.pipe(other)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })

  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  const { url, close } = await listen(server)
  return {
    url,
    /** Breaks what is open, and whatever comes within `ms`. */
    cut(ms) {
      cutUntil = performance.now() + ms
      drop()
    },
    close() {
      close()
      drop()
    },
  }
}
