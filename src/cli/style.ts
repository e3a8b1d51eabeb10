/** How text looks on a terminal, and what must not reach one. */
import type { Io } from './command.js'

export interface Style {
  bold(text: string): string
  dim(text: string): string
  /** One of a few colours, the same for the same text. */
  tint(text: string): string
  alarm(text: string): string
}

const PLAIN: Style = { bold: String, dim: String, tint: String, alarm: String }
const TINTS = [36, 33, 35, 32, 34, 96, 95, 92]
const paint = (code: number) => (text: string) => `\x1b[${code}m${text}\x1b[0m`
const COLOURED: Style = {
  bold: paint(1),
  dim: paint(2),
  alarm: paint(31),
  tint(text) {
    let hash = 0
    for (const c of text) hash = (hash * 31 + (c.codePointAt(0) ?? 0)) % 65_521
    return paint(TINTS[hash % TINTS.length]!)(text)
  },
}

/** Colours on a terminal whose user hasn't set NO_COLOR (no-color.org: to anything but nothing). */
export function styleFor(stream: { readonly isTTY?: boolean }, env: Io['env']): Style {
  const wanted = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  return wanted ? COLOURED : PLAIN
}

/**
 * Text that somebody else wrote, without what a terminal would obey (C0, DEL, C1): escape sequences
 * in an event could retitle, overwrite or answer in its reader's name.
 */
export function harmless(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Rows with their columns aligned, each line indented by two. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length)
    })
  }
  const line = (row: readonly string[]) =>
    `  ${row.map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell)).join('   ')}`
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('')
}
