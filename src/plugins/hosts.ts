/**
 * By which names the gateway may be called. A page of evil.example whose name was made to lead to
 * 127.0.0.1 is "same-origin" to its browser, which then sends no Origin: only the Host header shows it
 * (DNS rebinding).
 */
import type { FastifyInstance } from 'fastify'
import { isThisMachine } from '../auth/addresses.js'
import { type Config, isLocked } from '../config.js'
import { SluiceError } from '../wire/errors.js'

const LOOPBACK = /^(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/

/** Whether a request with this Host header is served. With `name`, any port is meant. */
export function hostCheck(
  allowed: 'any' | 'loopback' | readonly string[],
): (host: string) => boolean {
  if (allowed === 'any') return () => true
  if (allowed === 'loopback') return (host) => LOOPBACK.test(host.toLowerCase())
  const listed = new Set(allowed)
  return (host) => {
    const name = host.toLowerCase()
    return listed.has(name) || listed.has(name.replace(/:\d{1,5}$/, ''))
  }
}

/**
 * What holds where nobody says. `reachable`: others can reach the address it listens on; an application
 * around the gateway decides that itself, and then it counts whether the gateway is locked.
 */
export function defaultHosts(config: Config, reachable: boolean): 'any' | 'loopback' {
  return reachable && isLocked(config) ? 'any' : 'loopback'
}

const FORWARDED = ['x-forwarded-for', 'x-forwarded-host', 'forwarded', 'via', 'x-real-ip']

/**
 * Without keys a gateway serves this machine alone, also where an application around it listens
 * elsewhere, and where a proxy on this machine passes on what others send: its Host is what they wrote.
 */
export function registerLocalOnly(app: FastifyInstance, trustsProxies: boolean): void {
  app.addHook('onRequest', (request, _reply, next) => {
    const { headers, socket } = request.raw
    const forwarded = !trustsProxies && FORWARDED.some((name) => headers[name] !== undefined)
    // No address: a Unix socket. `ip` is what a trusted proxy says.
    const local = socket.remoteAddress === undefined || isThisMachine(request.ip)
    next(forwarded || !local ? new SluiceError('forbidden', { detail: LOCAL_ONLY }) : undefined)
  })
}

const LOCAL_ONLY =
  'Without keys the gateway serves its own machine only, and nobody through a proxy that isn’t trusted'

export function registerHosts(
  app: FastifyInstance,
  allowed: 'any' | 'loopback' | readonly string[],
): void {
  if (allowed === 'any') return
  const fits = hostCheck(allowed)
  app.addHook('onRequest', (request, _reply, next) => {
    // HTTP/1.0 may come without one; HTTP/2 has it as `:authority`.
    const host =
      request.raw.headers.host ?? (request.raw.headers[':authority'] as string | undefined)
    if (host === undefined || fits(host)) next()
    else next(new SluiceError('host_forbidden'))
  })
}
