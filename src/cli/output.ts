/** Writing for as long as somebody reads, and saying why something failed. */
import { once } from 'node:events'
import { GatewayError } from '../client/index.js'
import { reasonOf } from '../client/reason.js'
import { EXIT, type Io } from './command.js'
import { wayIn } from './credentials.js'
import { harmless, styleFor } from './style.js'

export interface Output {
  /** Resolves when there is room for more; a slow reader of a pipe holds the stream back. */
  write(text: string): Promise<void>
  /** Fires when the reader is gone (`sluice tail c | head -1`): a quiet end, not a failure. */
  readonly closed: AbortSignal
}

export function createOutput(stdout: Io['stdout']): Output {
  const controller = new AbortController()
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error
    controller.abort()
  })
  return {
    closed: controller.signal,
    async write(text) {
      if (controller.signal.aborted || stdout.write(text)) return
      await once(stdout, 'drain', { signal: controller.signal }).catch(() => {})
    },
  }
}

/** The gateway that a command talks to: --url, SLUICE_URL, or the default address on this machine. */
export function gatewayUrl(flag: string | undefined, env: Io['env']): string {
  return flag ?? (env.SLUICE_URL || 'http://127.0.0.1:8080')
}

/**
 * Says on stderr why talking to the gateway failed. Exit code 1. `grants`: the rights that the command
 * needs, in the words of `sluice token`.
 */
export function explain(io: Io, url: string, error: unknown, grants: string): number {
  const style = styleFor(io.stderr, io.env)
  const say = (first: string, ...more: readonly (string | undefined)[]) => {
    io.stderr.write(`${style.alarm('sluice:')} ${first}\n`)
    for (const line of more) if (line !== undefined) io.stderr.write(`        ${line}\n`)
    return EXIT.failed
  }
  if (!(error instanceof GatewayError)) {
    const reason = harmless(reasonOf(error))
    return say(`no answer from ${harmless(url)}: ${reason}`, 'Is it running? sluice serve')
  }
  if (error.problem === undefined) return say(harmless(error.message))
  const { title, detail, code, status } = error.problem
  const advice = wayIn(code, harmless(grants))
  const words = `${harmless(detail)} ${style.dim(harmless(`(${status} ${code})`))}`
  return say(harmless(title), words, advice)
}
