/** A site of its own origin that has the client's file, as one that serves it beside its pages. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PAGE } from './page-driver.js'

export interface SiteServer {
  readonly origin: string
  stop(): Promise<void>
}

/** `gateway`: where the file comes from. */
export async function startSite(gateway: string): Promise<SiteServer> {
  const script = await (await fetch(`${gateway}/client.js`)).text()
  const server = createServer((req, res) => {
    const isScript = req.url === '/client.js'
    const type = isScript ? 'text/javascript' : 'text/html; charset=utf-8'
    res.writeHead(200, { 'content-type': type }).end(isScript ? script : PAGE)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
