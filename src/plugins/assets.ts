/** Files of the build, for browsers: read at the first request, sent once, looked at each time. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SluiceError } from '../wire/errors.js'

export interface Asset {
  readonly path: string
  /** Media type. */
  readonly type: string
  readonly file: URL
  /** Sent with it. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Answers `path` with a file, to everybody; 404 where the build hasn't made it. */
export function serveAsset(app: FastifyInstance, asset: Asset): void {
  let held: { plain: Buffer; packed: Buffer; etag: string } | undefined
  const read = () => {
    try {
      const plain = readFileSync(asset.file)
      const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 16)
      return { plain, packed: gzipSync(plain, { level: 9 }), etag: `W/"${hash}"` }
    } catch {
      throw new SluiceError('not_found')
    }
  }
  app.get(
    asset.path,
    { config: { public: true } },
    (request: FastifyRequest, reply: FastifyReply) => {
      held ??= read()
      // Always the one that belongs to this version of the gateway.
      reply.headers({ 'cache-control': 'no-cache', vary: 'Accept-Encoding, Origin' })
      reply.headers({ ...asset.headers, etag: held.etag })
      if (request.headers['if-none-match'] === held.etag) return reply.code(304).send()
      reply.type(asset.type)
      if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(held.plain)
      return reply.header('content-encoding', 'gzip').send(held.packed)
    },
  )
}
