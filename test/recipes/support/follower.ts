/** A program of docs/clients.md that writes a line for each thing that it reads, and ends by itself. */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

export interface Follower {
  /** What it has written so far. */
  readonly lines: readonly string[]
  /** Resolves once it has written such a line. */
  said(words: string | RegExp): Promise<void>
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number | null>
  /** SIGTERM. */
  stop(): void
}

export interface Run {
  /** Program and arguments. */
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

export function startFollower(t: Test, { command, cwd, env }: Run): Follower {
  // The kernel ends it with us, also where we are killed and no handler of ours runs.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A script's own children end with it.
    detached: true,
  })
  const lines: string[] = []
  const told = new EventEmitter()
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    told.emit('change')
  })
  const closed = once(child, 'close')
  let over = false
  const ended = closed.then(([code]) => {
    over = true
    told.emit('change')
    return code as number | null
  })
  t.teardown(async () => {
    if (!over) process.kill(-child.pid!, 'SIGKILL')
    await closed
  })
  return {
    lines,
    ended,
    stop: () => void child.kill(),
    async said(words) {
      const fits = (line: string) =>
        typeof words === 'string' ? line.includes(words) : words.test(line)
      while (!lines.some(fits)) {
        if (over) throw new Error(`it ended before "${words}":\n${lines.join('\n')}\n${complaint}`)
        await once(told, 'change')
      }
    },
  }
}
