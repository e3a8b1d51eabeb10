/** Logs: JSON for machines, one readable line on a terminal. */
import { type Logger, pino } from 'pino'
import type { LogLevel } from '../config.js'
import type { Io } from './command.js'
import { harmless, type Style, styleFor } from './style.js'

const LEVELS: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

export function createLogger(level: LogLevel, io: Io): Logger {
  const { stdout } = io
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  if (stdout.isTTY !== true) return pino(options, stdout)
  const style = styleFor(stdout, io.env)
  // Rejected: pino-pretty, a dozen packages for what twenty lines do.
  return pino(options, { write: (line) => stdout.write(readable(line, style)) })
}

/** One line of pino's as `12:03:45 info  listening  address=… log=…`. */
export function readable(json: string, style: Style): string {
  const { time, level, msg, err, ...rest } = JSON.parse(json) as Record<string, unknown>
  const name = LEVELS[Number(level)] ?? 'trace'
  const loud = Number(level) >= 40 ? style.alarm : style.tint
  const fields = Object.entries(rest).map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${style.dim(`${harmless(key)}=`)}${harmless(text)}`
  })
  const failure = err as { message?: string; stack?: string } | undefined
  const stack = failure?.stack ?? failure?.message
  const line = [
    style.dim(new Date(String(time)).toTimeString().slice(0, 8)),
    loud(name.padEnd(5)),
    harmless(String(msg ?? '')),
    ...fields,
  ].join(' ')
  const trace = stack === undefined ? '' : `${stack.split('\n').map(harmless).join('\n')}\n`
  return `${line.trimEnd()}\n${trace}`
}
