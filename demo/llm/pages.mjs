/** The server of the page: files as they stand, and the few things that the page asks of the demo. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { listen } from './listen.mjs'

/** It looks like the gateway's own page of tokens. */
const BUILT = '../../dist/pages'
const FILES = {
  '/': ['page/index.html', 'text/html; charset=utf-8'],
  '/style.css': [`${BUILT}/tokens.css`, 'text/css; charset=utf-8'],
  '/icon.svg': [`${BUILT}/icon.svg`, 'image/svg+xml'],
  '/main.js': ['page/main.js', 'text/javascript; charset=utf-8'],
  '/reader.js': ['page/reader.js', 'text/javascript; charset=utf-8'],
  '/viewer.js': ['page/viewer.js', 'text/javascript; charset=utf-8'],
}
/** ms that a wire stays cut. */
const CUT_MS = 3000

/** `setup`: what the page needs to know, with the addresses that it may call under `gateway` and `viewers`. */
export function startPages({ port, setup, upstream, wires }) {
  const mayCall = [setup.gateway, ...setup.viewers].join(' ')
  const headers = {
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ${mayCall}; base-uri 'none'; form-action 'none'`,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  }

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page')
    const [, id] = /^\/generated\/([\w-]+)$/.exec(pathname) ?? []
    const [, wire] = /^\/wires\/(\d)\/cut$/.exec(pathname) ?? []
    if (request.method === 'POST') {
      // Another site's page may send this, too: it costs three seconds of a demo.
      wires[wire]?.cut(CUT_MS)
      response.writeHead(wires[wire] ? 204 : 404).end()
    } else if (pathname === '/setup.json') {
      response.writeHead(200, { ...headers, 'content-type': 'application/json' })
      response.end(JSON.stringify(setup))
    } else if (id !== undefined) void generated(id, response)
    else file(pathname, response)
  })

  function file(pathname, response) {
    const [name, type] = Object.hasOwn(FILES, pathname) ? FILES[pathname] : []
    if (name === undefined) return response.writeHead(404).end()
    response.writeHead(200, { ...headers, 'content-type': type })
    response.end(readFileSync(new URL(name, import.meta.url)))
  }

  /** What the upstream says that it wrote: for the comparison alone. */
  async function generated(id, response) {
    try {
      const answer = await fetch(`${upstream}/generated/${id}`)
      response.writeHead(answer.status, { ...headers, 'content-type': 'application/json' })
      response.end(await answer.text())
    } catch {
      response.writeHead(502).end()
    }
  }

  return listen(server, port)
}
