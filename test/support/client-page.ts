/** A page that imports the client as browsers get it: compiled modules, found by an import map. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { PageServer } from './browser.js'

const COMPILED = new URL('../../dist/', import.meta.url)
const PARSER = new URL(import.meta.resolve('eventsource-parser'))

const IMPORTS = JSON.stringify({
  imports: { 'sluice/client': '/client/index.js', 'eventsource-parser': '/eventsource-parser.js' },
})

/** `body`: the page; `script`: its module. */
export async function startClientPages(body: string, script: string): Promise<PageServer> {
  const html = `<!doctype html><title>Client</title><link rel="icon" href="data:,">
    <script type="importmap">${IMPORTS}</script>${body}<script type="module">${script}</script>`
  const server = createServer(async ({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://page')
    if (pathname === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      return response.end(html)
    }
    const [, module] = /^\/((?:client|wire)(?:\/[\w-]+)+\.js)$/.exec(pathname) ?? []
    const file = pathname === '/eventsource-parser.js' ? PARSER : new URL(module ?? '', COMPILED)
    try {
      response.setHeader('content-type', 'text/javascript; charset=utf-8')
      response.end(await readFile(file))
    } catch {
      response.writeHead(404).end()
    }
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
