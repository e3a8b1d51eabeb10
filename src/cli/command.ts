/** What a command is, and what it may touch. */
import type { ParseArgsConfig } from 'node:util'

/** The outside world, as a parameter: tests bring their own. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ends whatever runs. Default: only the process's own end does. */
  readonly signal?: AbortSignal
  /** Milliseconds since the epoch. Default: Date.now. */
  readonly now?: () => number
}

/** Exit codes; `sluice --help` explains them. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const

export interface Flag {
  /** `name`, without dashes. */
  readonly flag: string
  /** Kind of value; undefined: it takes none. */
  readonly takes?: string
  /** May be repeated: its value is a list. Default false. */
  readonly many?: true
  readonly help: string
}

export interface Command {
  readonly name: string
  /** For the list of commands. */
  readonly summary: string
  /** After `sluice`. */
  readonly usage: string
  /** What it does, in a few lines. */
  readonly about: string
  readonly flags: readonly Flag[]
  readonly examples: readonly string[]
  /** More sections for its help: title and rows. */
  readonly sections?: readonly {
    readonly title: string
    readonly rows: readonly (readonly string[])[]
  }[]
  /** Resolves with the exit code; undefined: it has set to work and goes on. */
  run(args: readonly string[], io: Io): Promise<number | undefined>
}

/** The command line can't be understood. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The options of a command as parseArgs wants them. */
export function parseOptions(flags: readonly Flag[]): NonNullable<ParseArgsConfig['options']> {
  return Object.fromEntries(
    flags.map(({ flag, takes, many = false }) => [
      flag,
      { type: takes === undefined ? 'boolean' : 'string', multiple: many },
    ]),
  )
}
