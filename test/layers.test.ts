/** Imports go downward only: the table says who may see whom, and nothing else is an edge. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

const SEAM = ['log/log.ts', 'wire/']
const DOMAIN = ['hub/', 'http/', 'limits.ts', 'logger.ts', 'metrics.ts', ...SEAM]
const WEB = ['node:', 'fastify', 'fastify-plugin', '@fastify/', 'typebox', 'eventsource-parser']

/**
 * From a folder of src/ (or a file that stands in src/ itself) to what it may import: folders end in
 * `/`, as do scopes of packages; `node:` is any module of Node, a
 * package stands for its parts too. Its own folder everyone may.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // Pure and fit for browsers.
  'wire/': [],
  'client/': ['wire/', 'eventsource-parser'],
  // Hooks over a client that somebody else has made: of the client its types alone.
  'react/': ['client/items.ts', 'client/machine.ts', 'client/types.ts', 'react'],
  // What browsers are shown: on the client alone, like anybody's pages.
  'pages/': ['client/'],
  // Services.
  'log/': ['wire/', 'limits.ts', 'metrics.ts', 'node:', 'ioredis', 'cluster-key-slot'],
  'publish/': SEAM,
  // Publishers that speak to Redis: beside its log, not to be had without it.
  'ingest/': ['log/', 'publish/', 'logger.ts', 'node:', 'ioredis', ...SEAM],
  // Who may do what. Beside the log's Redis: what gateways agree on is kept there.
  'auth/': ['log/', 'limits.ts', 'logger.ts', 'node:', 'jose', 'ioredis', ...SEAM],
  // Generations: what is built on channels.
  'runs/': ['auth/', 'log/', 'limits.ts', 'logger.ts', 'node:', 'ioredis', ...SEAM],
  // Small shared state, on memory or beside the log's Redis, and whose connections live here.
  'documents/': ['log/', 'node:', ...SEAM],
  // Who is in which room, and what they say to each other.
  'rooms/': [
    'documents/',
    'members/',
    'sessions/',
    'environment.ts',
    'limits.ts',
    'logger.ts',
    'node:',
    ...SEAM,
  ],
  'members/': ['documents/', 'logger.ts', 'node:', ...SEAM],
  // Who is on a channel: what is built on documents and channels.
  'presence/': ['documents/', 'members/', 'hub/chunk.ts', 'logger.ts', 'node:', ...SEAM],
  'relay/': [
    'auth/',
    'runs/',
    'environment.ts',
    'limits.ts',
    'logger.ts',
    'node:',
    'eventsource-parser',
    ...SEAM,
  ],
  'environment.ts': [],
  'version.ts': ['node:'],
  'limits.ts': [],
  'logger.ts': [],
  'metrics.ts': ['wire/'],
  // Where Redis is, is judged before anything is connected.
  'config/': [
    'auth/',
    'relay/',
    'rooms/ice-read.ts',
    'limits.ts',
    'log/redis/address.ts',
    ...SEAM,
    'node:',
  ],
  'config.ts': ['config/', ...SEAM, 'node:'],
  // The domain: neither Fastify nor Redis.
  'hub/': ['log/gap.ts', 'limits.ts', 'metrics.ts', 'node:', ...SEAM],
  // Several processes under one port.
  'workers/': ['config.ts', 'logger.ts', 'node:'],
  // How the nodes are, for whoever looks after them.
  'admin/': ['hub/', 'log/', 'node:', 'typebox', ...SEAM],
  // HTTP.
  'http/': ['hub/', 'limits.ts', 'metrics.ts', 'node:', ...SEAM],
  'plugins/': ['auth/', 'config.ts', 'config/', ...DOMAIN, ...WEB],
  // Which channels a stream has beside those of its URL.
  'sessions/': ['documents/', 'hub/', 'logger.ts', 'node:', ...SEAM],
  'routes/': [
    'sessions/',
    'admin/',
    'runs/',
    'rooms/',
    'relay/',
    'auth/',
    'presence/',
    'config.ts',
    'config/',
    'plugins/',
    'workers/',
    'publish/',
    ...DOMAIN,
    ...WEB,
  ],
  // The parts put together.
  'gateway.ts': [
    'admin/',
    'version.ts',
    'documents/',
    'sessions/',
    'auth/',
    'documents/',
    'members/',
    'presence/',
    'rooms/',
    'runs/',
    'relay/',
    'config.ts',
    'logger.ts',
    'log/',
    'plugins/',
    'routes/',
    'ingest/',
    'workers/',
    ...DOMAIN,
    ...WEB,
  ],
  // Serves them, and speaks to the gateway as everybody does.
  'site/': ['plugins/', 'wire/errors.ts', 'node:', 'fastify'],
  'server.ts': [
    'site/',
    'config.ts',
    'logger.ts',
    'gateway.ts',
    'log/',
    'plugins/',
    'workers/',
    ...DOMAIN,
    ...WEB,
  ],
  'index.ts': [
    'config.ts',
    'logger.ts',
    'plugins/',
    'gateway.ts',
    'server.ts',
    'log/log.ts',
    'wire/',
    ...WEB,
  ],
  'cli/': [
    'version.ts',
    'auth/',
    'server.ts',
    'config.ts',
    'config/',
    'client/',
    'wire/',
    'workers/',
    'node:',
    'logger.ts',
    'jose',
    'pino',
    'close-with-grace',
  ],
  'bin.ts': ['cli/', 'node:'],
}

/** The row of the table for a file: its folder, or itself where it stands in src/. */
const layerOf = (file: string): string => file.replace(/\/.*$/, '/')

/** What an import names, as a path inside src/ or a package. */
function targetOf(file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier
  return join(dirname(file), specifier).replace(/\.js$/, '.ts')
}

/** What is wrong with an import; undefined where it is allowed. */
function fault(file: string, specifier: string): string | undefined {
  const target = targetOf(file, specifier)
  const layer = layerOf(file)
  const allowed = ALLOWED[layer]
  if (allowed === undefined) return `${layer} has no row in the table of layers`
  const fits = (entry: string) =>
    target === entry || target.startsWith(/[/:]$/.test(entry) ? entry : `${entry}/`)
  if (layerOf(target) === layer || allowed.some(fits)) return undefined
  return `${file} imports ${target}: ${layer} may import ${allowed.join(', ') || 'nothing'}`
}

/** Every import, export-from and import() of a text, those of types too. */
function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
}

t.test('imports go downward only', async (t) => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  t.ok(files.length > 0)
  const faults = files.flatMap((file) =>
    importsOf(readFileSync(join(SRC, file), 'utf8')).map((specifier) => fault(file, specifier)),
  )
  t.strictSame(
    faults.filter((it) => it !== undefined),
    [],
  )
})

t.test('the table knows a forbidden edge', async (t) => {
  const forbidden: [file: string, specifier: string][] = [
    ['wire/sse.ts', 'node:buffer'],
    ['wire/sse.ts', '../hub/hub.js'],
    ['wire/sse.ts', 'eventsource-parser'],
    ['client/subscribe.ts', 'node:http'],
    ['client/subscribe.ts', '../hub/hub.js'],
    ['log/redis/link.ts', '../../hub/hub.js'],
    ['log/memory.ts', 'fastify'],
    ['hub/hub.ts', 'fastify'],
    ['hub/hub.ts', 'ioredis'],
    ['hub/hub.ts', '../log/memory.js'],
    ['hub/hub.ts', '../routes/events.js'],
    ['hub/hub.ts', '../http/sink.js'],
    ['routes/events.ts', '../cli/serve.js'],
    ['routes/events.ts', '../log/redis/link.js'],
    ['plugins/problems.ts', '../routes/events.js'],
    ['server.ts', './cli/serve.js'],
    ['index.ts', './bin.js'],
    ['elsewhere/x.ts', '../wire/sse.js'],
  ]
  for (const [file, specifier] of forbidden) {
    t.type(fault(file, specifier), 'string', `${file} → ${specifier}`)
  }
  const allowed: [file: string, specifier: string][] = [
    ['hub/hub.ts', '../log/log.js'],
    ['hub/hub.ts', './stream.js'],
    ['log/redis/link.ts', '../../wire/event.js'],
    ['routes/events.ts', '../hub/hub.js'],
    ['plugins/cors.ts', '@fastify/cors'],
    ['routes/schemas.ts', 'typebox/compile'],
    ['bin.ts', './cli/serve.js'],
  ]
  for (const [file, specifier] of allowed) {
    t.equal(fault(file, specifier), undefined, `${file} → ${specifier}`)
  }
})

t.test('imports are seen in all their spellings', async (t) => {
  const text = `
    import a from 'a'
    import type { B } from 'b'
    import 'c'
    export * from 'd'
    export type { E } from 'e'
    const f = await import('f')
    type G = import('g').G
    // import h from 'h'
  `
  t.strictSame(importsOf(text).sort(), ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
})
