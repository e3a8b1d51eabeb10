/** A logger that keeps what it is told. */
import type { Logger } from '../../../src/logger.js'

export interface Line {
  readonly level: keyof Logger
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

export function createLog(): Logger & { readonly lines: readonly Line[] } {
  const lines: Line[] = []
  const keep = (level: keyof Logger) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message })
  }
  return {
    lines,
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
  }
}
