/** The page's address: hands everything on to the gateway that has the page, by HTTPS where asked. */
import { request as ask, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { isIP } from 'node:net'
import { listen } from '../llm/listen.mjs'

/** `tls`: a certificate and its key; browsers give cameras to pages of this machine and to HTTPS alone. */
export function startForwarder({ host, port, tls, gateway }) {
  const to = new URL(gateway)

  /** One address for page and gateway: so one certificate does, and one link is an invitation. */
  function forward(request, response) {
    const { origin, host: asked = '', ...rest } = request.headers
    // The gateway would judge both by its own address. Here they are judged by the page's.
    if (!isOurs(asked)) return response.writeHead(403).end()
    if (origin !== undefined && origin !== `${tls ? 'https' : 'http'}://${asked}`) {
      return response.writeHead(403).end()
    }
    const { hostname, port, host } = to
    const { url: path, method } = request
    const upstream = ask({ hostname, port, path, method, headers: { ...rest, host } })
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

  /**
   * A name of somebody else's that was made to lead here is "same-origin" to its page: without a
   * certificate, which wouldn't be that name's, addresses count alone.
   */
  function isOurs(asked) {
    const name = asked.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1')
    return tls !== undefined || name === 'localhost' || isIP(name) !== 0
  }

  return listen(tls ? createSecureServer(tls, forward) : createServer(forward), port, host)
}
