/** `/client.js`: the client as one file, for pages that have no build of their own. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SluiceError } from '../wire/errors.js'

/** What `npm run build` makes; as far away from src/routes as from dist/routes. */
const FILES = new URL('../../dist/browser/', import.meta.url)

const HEAD = {
  // Looked at each time, sent once: the client is of the gateway's own version.
  'cache-control': 'no-cache',
  vary: 'Accept-Encoding, Origin',
  // As a shared worker it may do what it is for, whichever gateway that speaks to.
  'content-security-policy': "default-src 'none'; connect-src *; frame-ancestors 'none'",
}

export function browserClientRoutes(app: FastifyInstance): void {
  serve('/client.js', 'text/javascript; charset=utf-8')
  serve('/client.js.map', 'application/json; charset=utf-8')

  function serve(path: string, type: string): void {
    let file: { plain: Buffer; packed: Buffer; etag: string } | undefined
    /** Read at the first request: who embeds the gateway may have no use for it. */
    const read = () => {
      try {
        const plain = readFileSync(new URL(`.${path}`, FILES))
        const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 16)
        return { plain, packed: gzipSync(plain, { level: 9 }), etag: `W/"${hash}"` }
      } catch {
        throw new SluiceError('not_found')
      }
    }
    app.get(path, { config: { public: true } }, (request: FastifyRequest, reply: FastifyReply) => {
      file ??= read()
      reply.headers({ ...HEAD, etag: file.etag })
      if (request.headers['if-none-match'] === file.etag) return reply.code(304).send()
      reply.type(type)
      if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(file.plain)
      return reply.header('content-encoding', 'gzip').send(file.packed)
    })
  }
}
