/**
 * One of several workers: a gateway whose life another process holds. The program of each worker;
 * `sluice serve --workers` starts it, and nobody else can.
 */
import cluster from 'node:cluster'
import closeWithGrace from 'close-with-grace'
import type { ToPrimary, ToWorker } from '../workers/messages.js'
import { createSiblings } from '../workers/siblings.js'
import { CLOSING_MS, ENDING, FATAL } from './closing.js'
import { EXIT } from './command.js'
import { createLogger } from './logger.js'

type Begin = Extract<ToWorker, { type: 'begin' }>

const { stdin, stdout, stderr, env } = process
const { worker } = cluster
if (worker === undefined) {
  stderr.write('sluice: a worker is started by `sluice serve --workers`\n')
  process.exit(EXIT.usage)
}

const send = (message: ToPrimary, sent: () => void = () => {}) => {
  // The primary may be gone; that is heard elsewhere.
  if (process.connected) process.send?.(message, undefined, undefined, sent)
  else sent()
}
const siblings = createSiblings(send)
let closing = false
let close = (): void => process.exit(EXIT.ok)

/** Once: a terminal's Ctrl-C comes to the whole group, and from the primary as well. */
function end(): void {
  if (closing) return
  closing = true
  close()
}

async function begin({ number, config, settingsTold }: Begin): Promise<void> {
  const logger = createLogger(config.logLevel, { stdin, stdout, stderr, env }).child({
    worker: number,
  })
  worker?.once('disconnect', () => logger.error('the primary is gone'))
  const { startGateway } = await import('../server.js')
  const gateway = await startGateway(config, { logger, siblings, settingsTold }).catch((error) => {
    const { code, message } = error as NodeJS.ErrnoException
    send({ type: 'failed', code, message }, () => process.exit(EXIT.failed))
  })
  if (gateway === undefined) return
  for (const stream of [stdout, stderr]) stream.on('error', () => {})
  const grace = closeWithGrace(
    { delay: config.drainMs + CLOSING_MS, logger, skip: [...FATAL, ...ENDING] },
    async ({ err }) => {
      closing = true
      if (err) logger.fatal({ err }, 'closing after an error')
      await gateway.close()
      logger.info('closed')
    },
  )
  close = () => grace.close()
  send({ type: 'ready', url: gateway.url })
}

process.on('message', (message: ToWorker) => {
  if (message.type === 'begin') void begin(message)
  else if (message.type === 'close') end()
  else siblings.hear(message)
})
worker.once('disconnect', () => {
  // Else Node ends the process on the spot, without a word to anybody's stream.
  worker.exitedAfterDisconnect = true
  end()
})
for (const signal of ENDING) process.on(signal, end)
send({ type: 'here' })
