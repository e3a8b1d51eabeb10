/** The server of the page: its files, the client as it was compiled, and the way to the gateway. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request as ask, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { fileURLToPath } from 'node:url'
import { listen } from '../llm/listen.mjs'

const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  js: 'text/javascript; charset=utf-8',
}
const page = (name) => new URL(`page/${name}`, import.meta.url)
const CLIENT = new URL('../../dist/', import.meta.url)
const PARSER = import.meta.resolve('eventsource-parser')
/** What of the gateway the page has a use for. */
const FORWARDED = /^\/v1\/(?:rooms\/|events\/stream$|ice-servers$)/

/** Where the file for a path is; undefined where there is none. */
function locate(pathname) {
  if (pathname === '/') return page('index.html')
  if (pathname === '/eventsource-parser.js') return new URL(PARSER)
  const [, compiled] = /^\/sluice\/((?:client|wire)(?:\/[\w-]+)+\.js)$/.exec(pathname) ?? []
  if (compiled !== undefined) return new URL(compiled, CLIENT)
  const [, name] = /^\/([\w-]+\.(?:js|css|svg))$/.exec(pathname) ?? []
  return name === undefined ? undefined : page(name)
}

/** The one script that stands in the page itself (no browser takes an import map from elsewhere). */
function importMapHash() {
  const html = readFileSync(page('index.html'), 'utf8')
  const [, text] = /<script type="importmap">(.*?)<\/script>/s.exec(html)
  return createHash('sha256').update(text).digest('base64')
}

/** `tls`: a certificate and its key; browsers give cameras to pages of this machine and to HTTPS alone. */
export function startPages({ host, port, tls, gateway }) {
  const headers = {
    'content-security-policy': `default-src 'none'; script-src 'self' 'sha256-${importMapHash()}'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'`,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  }
  const to = new URL(gateway)

  function answer(request, response) {
    const { pathname } = new URL(request.url ?? '/', 'http://page')
    if (FORWARDED.test(pathname)) return forward(request, response)
    try {
      const text = readFileSync(fileURLToPath(locate(pathname)))
      const type = TYPES[/\w+$/.exec(pathname)?.[0] ?? 'html']
      response.writeHead(200, { ...headers, 'content-type': type }).end(text)
    } catch {
      response.writeHead(404, headers).end()
    }
  }

  /** One address for page and gateway: so one certificate does, and one link is an invitation. */
  function forward(request, response) {
    const { origin, host: asked, ...rest } = request.headers
    const own = `${tls ? 'https' : 'http'}://${asked}`
    // The gateway would judge an Origin by its own address. That the page is ours is judged here.
    if (origin !== undefined && origin !== own) return response.writeHead(403).end()
    const { hostname, port, host } = to
    const upstream = ask({
      hostname,
      port,
      path: request.url,
      method: request.method,
      headers: { ...rest, host },
    })
    upstream.on('response', (answered) => {
      response.writeHead(answered.statusCode, answered.headers)
      response.flushHeaders()
      answered.pipe(response)
      answered.on('error', () => response.destroy())
    })
    upstream.on('error', () => {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    })
    response.on('close', () => upstream.destroy())
    request.pipe(upstream)
  }

  const server = tls ? createSecureServer(tls, answer) : createServer(answer)
  return listen(server, port, host)
}
