/** Why the gateway can't start, in words that say what to do where the cause is a known one. */
import type { Config } from '../config.js'
import { EXIT, type Io } from './command.js'
import { harmless, styleFor } from './style.js'

export function refuse(error: unknown, { host, port }: Config, io: Io): number {
  const { code, message } = error as NodeJS.ErrnoException
  const known: Record<string, string> = {
    EADDRINUSE: `port ${port} is taken; choose another with --port or SLUICE_PORT, or 0 for any`,
    EACCES: `port ${port} needs more rights; choose one above 1023`,
    EADDRNOTAVAIL: `this machine has no address ${host}; use 127.0.0.1`,
  }
  const style = styleFor(io.stderr, io.env)
  const words = known[code ?? ''] ?? message
  io.stderr.write(`${style.alarm('sluice:')} can't start: ${harmless(words)}\n`)
  return EXIT.failed
}
