import { once } from 'node:events'

/** Listens, on loopback unless told otherwise; port 0 takes a free one. Rejects where the port is taken. */
export async function listen(server, port = 0, host = '127.0.0.1') {
  server.listen(port, host)
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close()
      server.closeAllConnections?.()
    },
  }
}
