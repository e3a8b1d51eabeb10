/** `/client.js`: the client as one file, for pages that have no build of their own. */
import type { FastifyInstance } from 'fastify'
import { serveAsset } from '../plugins/assets.js'

/** What `npm run build` makes; as far away from src/routes as from dist/routes. */
const FILES = new URL('../../dist/browser/', import.meta.url)

const headers = {
  // As a shared worker it may do what it is for, whichever gateway that speaks to.
  'content-security-policy': "default-src 'none'; connect-src *; frame-ancestors 'none'",
}

export function browserClientRoutes(app: FastifyInstance): void {
  const serve = (name: string, type: string) =>
    serveAsset(app, { path: `/${name}`, type, file: new URL(name, FILES), headers })
  serve('client.js', 'text/javascript; charset=utf-8')
  serve('client.js.map', 'application/json; charset=utf-8')
}
