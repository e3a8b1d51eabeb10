/** `sluice serve --workers N`: the process that holds the workers. */
import cluster from 'node:cluster'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import closeWithGrace from 'close-with-grace'
import { type Config, modeOf } from '../config.js'
import { createCrew } from '../workers/crew.js'
import { CLOSING_MS, FATAL } from './closing.js'
import { EXIT, type Io } from './command.js'
import { createLogger } from './logger.js'
import { refuse } from './refuse.js'

/** ms that workers have to end in after their own time for it is over. */
const GRACE_MS = 1000

/** Of this very build: `.ts` where the sources run. */
const PROGRAM = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url))

/** Resolves with an exit code, or calls `listening` and goes on. */
export async function serveWithWorkers(
  config: Config,
  io: Io,
  listening: (url: string) => void,
): Promise<number | undefined> {
  if (!cluster.isPrimary) {
    const words = 'it runs as one of several already; let one of the two share the port'
    return refuse(new Error(words), config, io)
  }
  const logger = createLogger(config.logLevel, io)
  const crew = createCrew({
    ...{ config, logger, program: PROGRAM },
    onGivenUp(reason) {
      logger.fatal({ reason }, 'gave up')
      process.exit(EXIT.failed)
    },
  })
  // Whatever way this process ends by itself, nobody is left. Killed, it can do nothing: then the
  // workers notice that their pipe is closed.
  process.on('exit', () => crew.kill())
  let url: string
  try {
    url = await crew.start()
  } catch (error) {
    crew.kill()
    return refuse(error, config, io)
  }
  const mode = modeOf(config)
  logger.info({ address: url, log: 'redis', mode, workers: config.workers }, 'listening')
  listening(url)
  for (const stream of [io.stdout, io.stderr]) stream.on('error', () => {})
  closeWithGrace(
    { delay: config.drainMs + CLOSING_MS + GRACE_MS, logger, skip: FATAL },
    async ({ err, signal }) => {
      if (err) logger.fatal({ err }, 'closing after an error')
      else logger.info({ signal, drain: config.drainMs }, 'closing')
      const clean = await crew.close()
      if (!clean) throw new Error('a worker did not end as it should')
      logger.info('closed')
    },
  )
  return undefined
}
