/** Debian's Chromium, and pages on an origin of their own. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium } from 'playwright-core'

export const BROWSER_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** One browser serves a whole file; each test opens a context of its own. */
export function startBrowser(args: readonly string[] = BROWSER_ARGS): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: [...args] })
}

export interface PageServer {
  /** To be named in SLUICE_CORS_ORIGINS. */
  readonly origin: string
  stop(): Promise<void>
}

/** Serves one HTML page at every path. */
export async function startPageServer(html: string): Promise<PageServer> {
  const server = createServer((_req, res) => {
    res.setHeader('content-type', 'text/html; charset=utf-8')
    res.end(html)
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
