/** `sluice serve`: the gateway. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import { type Config, loadConfig, modeOf, OPTIONS } from '../config.js'
import type { Gateway } from '../server.js'
import { CLOSING_MS, FATAL } from './closing.js'
import { type Command, type Io, UsageError } from './command.js'
import { createLogger } from './logger.js'
import { refuse } from './refuse.js'
import { styleFor } from './style.js'
import { welcome } from './welcome.js'

const flags = OPTIONS.flatMap(({ flag, takes, help, fallback }) =>
  flag === undefined
    ? []
    : [{ flag, takes, help: fallback === undefined ? help : `${help} [${fallback}]` }],
)

export const serveCommand: Command = {
  name: 'serve',
  summary: 'run the gateway',
  usage: 'serve [options]',
  about:
    'Runs the gateway until SIGTERM or SIGINT; then it says goodbye to every stream, finishes what is\n' +
    'under way and ends.\n' +
    'A flag beats its variable, a variable beats the file, the file beats the default.',
  flags,
  sections: [
    {
      title: 'Environment',
      rows: [
        ['SLUICE_…', 'every option above: --redis-url is SLUICE_REDIS_URL'],
        ['SLUICE_CONFIG', 'a JSON file, every option in camelCase: {"redisUrl": "…"}'],
      ],
    },
    {
      title: 'In the file only',
      rows: OPTIONS.flatMap(({ flag, key, help }) => (flag || !key ? [] : [[key, help]])),
    },
    {
      title: 'Redis',
      rows: [
        ['redis://user:password@host:6379/0', 'one server, or one node of a cluster'],
        ['redis://host1:6379,host2:6379', 'some nodes of a cluster'],
        [
          'redis+sentinel://host1:26379,host2:26379/name',
          'sentinels and their name for the master',
        ],
        ['rediss://…, rediss+sentinel://…', 'the same over TLS'],
      ],
    },
    {
      title: 'Values',
      rows: [
        ['duration', '500ms, 15s, 5m, 2h, 7d; a bare number is seconds'],
        ['size', '65536, 256kb, 4mb, 1gb; a bare number is bytes'],
        [
          'rate',
          '100/s, 600/m, 1000/h: so many at once, and as many again in that time; 0 = no limit',
        ],
        ['rights', 'chat:*=subscribe,publish public:**=subscribe; blanks divide them'],
      ],
    },
  ],
  examples: [
    'sluice serve',
    'sluice serve --port 9000 --redis-url redis://127.0.0.1:6379',
    'SLUICE_RETENTION_AGE=7d sluice serve',
    'export SLUICE_JWT_SECRET=$(openssl rand -base64 32); sluice serve   # locked: tokens needed',
  ],
  run: serve,
}

async function serve(args: readonly string[], io: Io): Promise<number | undefined> {
  const config = loadConfig({
    env: io.env,
    flags: readFlags(args),
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  const greet = (url: string) => {
    if (io.stdout.isTTY) io.stdout.write(welcome(url, config, styleFor(io.stdout, io.env)))
  }
  if (config.workers > 1) {
    const { serveWithWorkers } = await import('./workers.js')
    return serveWithWorkers(config, io, greet)
  }
  const logger = createLogger(config.logLevel, io)
  let gateway: Gateway
  try {
    gateway = await startGateway(config, logger)
  } catch (error) {
    return refuse(error, config, io)
  }
  const log = config.redisUrl === undefined ? 'memory' : 'redis'
  logger.info({ address: gateway.url, log, mode: modeOf(config) }, 'listening')
  greet(gateway.url)

  // A terminal that was closed takes no more: the gateway must end properly, not over its own log.
  for (const stream of [io.stdout, io.stderr]) stream.on('error', () => {})
  closeWithGrace(
    { delay: config.drainMs + CLOSING_MS, logger, skip: FATAL },
    async ({ err, signal }) => {
      if (err) logger.fatal({ err }, 'closing after an error')
      else logger.info({ signal, drain: config.drainMs }, 'closing')
      await gateway.close()
      logger.info('closed')
    },
  )
  return undefined
}

/** Loaded only here, so that publish and tail start without the server's parts. */
async function startGateway(config: Config, logger: Logger): Promise<Gateway> {
  const server = await import('../server.js')
  return server.startGateway(config, { logger })
}

/**
 * Not strict: parseArgs would stop at the first flag that it doesn't know, where the configuration
 * lists everything that is wrong at once.
 */
function readFlags(args: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(flags.map(({ flag }) => [flag, { type: 'string' as const }]))
  const { values, positionals } = parseArgs({ args: [...args], options, strict: false })
  const known = Object.keys(values).every((name) => Object.hasOwn(options, name))
  // Behind an unknown flag stands what may have been meant as its value.
  if (known && positionals[0] !== undefined) {
    throw new UsageError(`serve takes options only, not ${JSON.stringify(positionals[0])}`)
  }
  return values as Record<string, string | boolean | undefined>
}
