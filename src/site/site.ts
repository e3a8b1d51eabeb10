/**
 * Pages that come with the gateway: what it is, demos on this very gateway where it is open, and
 * `/inspect`, which looks into it.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { serveAsset } from '../plugins/assets.js'
import { SluiceError } from '../wire/errors.js'
import { createStoryteller } from './storyteller.js'

/** What `npm run build` makes of src/pages; as far away from src/site as from dist/site. */
const FILES = new URL('../../dist/pages/', import.meta.url)

/** Demos, by path. */
const DEMOS = ['/', '/chat', '/tokens', '/notifications', '/call']
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  js: 'text/javascript; charset=utf-8',
  map: 'application/json; charset=utf-8',
}

/** Asked for without a token. */
const PUBLIC = { config: { public: true } }

const headers = {
  'content-security-policy': [
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'",
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
}

/** Channels of the demos; rules of the operator's come first. */
export const DEMO_CHANNELS = [
  { pattern: 'demo:*', presence: true, retentionEvents: 1_000, retentionAgeMs: 86_400_000 },
] as const

/** `demos`: the gateway is open, and everybody who comes may try everything. */
export const sitePlugin: FastifyPluginAsync<{ readonly demos: boolean }> = async (app, options) => {
  // So that the page knows before it asks: a browser's console shows every refusal.
  servePage(app, '/inspect', { 'sluice-locked': options.demos ? '?0' : '?1' })
  for (const name of builtFiles()) serveFile(app, name)
  if (options.demos) demoRoutes(app)
  // Whoever opens a locked gateway in a browser is led to the one page that it has.
  else app.get('/', PUBLIC, (_request, reply) => reply.redirect('/inspect', 302))
}

/** What pages need beside themselves. None before a build. */
function builtFiles(): string[] {
  if (!existsSync(FILES)) return []
  return readdirSync(FILES).filter((name) => !name.endsWith('.html'))
}

function servePage(app: FastifyInstance, path: string, more = {}): void {
  const name = path === '/' ? 'home' : path.slice(1)
  const file = new URL(`${name}.html`, FILES)
  serveAsset(app, { path, type: TYPES.html!, file, headers: { ...headers, ...more } })
  if (path !== '/') app.get(`${path}/`, PUBLIC, withoutSlash)
}

/** `/chat/?room=a`, as people type it: the page is `/chat?room=a`. */
function withoutSlash({ url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.redirect(url.replace(/\/(?=\?|$)/, ''), 308)
}

function serveFile(app: FastifyInstance, name: string): void {
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)]!
  serveAsset(app, { path: `/pages/${name}`, type, file: new URL(name, FILES), headers })
}

function demoRoutes(app: FastifyInstance): void {
  for (const path of DEMOS) servePage(app, path)
  const storyteller = createStoryteller(() => addressOf(app))
  app.addHook('preClose', async () => storyteller.stop())
  app.post<{ Querystring: { question?: string } }>('/demo/answers', async (request, reply) => {
    const { question = '' } = request.query
    if (typeof question !== 'string' || question.length > 500) {
      const detail = 'question has to be a text of at most 500 characters'
      throw new SluiceError('request_invalid', { detail })
    }
    const run = `demo:${randomUUID().slice(0, 8)}`
    if (!(await storyteller.tell(run, question))) {
      const detail = 'The small model speaks to too many at once: try again in a minute.'
      throw new SluiceError('rate_limited', { detail })
    }
    return reply.code(202).send({ run })
  })
}

/** Where it is reached from this machine. */
function addressOf(app: FastifyInstance): string {
  const { address, family, port } = app.server.address() as AddressInfo
  const any = address === '0.0.0.0' || address === '::'
  if (any) return `http://127.0.0.1:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
