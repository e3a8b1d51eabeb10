/** Runs a command line inside the test, with streams of its own. */
import { PassThrough, Readable } from 'node:stream'
import { main } from '../../src/cli/main.js'

export interface Ran {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface World {
  readonly stdin?: Readable
  readonly stdout?: PassThrough
  readonly stderr?: PassThrough
  readonly env?: Record<string, string>
  readonly signal?: AbortSignal
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number
  /** As if on a terminal. */
  readonly tty?: boolean
}

export async function run(argv: readonly string[], world: World = {}): Promise<Ran> {
  const { stdin = Readable.from([]), stdout = new PassThrough(), env = {}, tty = false } = world
  const { stderr = new PassThrough() } = world
  let out = ''
  let err = ''
  stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  stderr.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  const code = await main(argv, {
    stdin: Object.assign(stdin, { isTTY: false }),
    stdout: Object.assign(stdout, { isTTY: tty }),
    stderr: Object.assign(stderr, { isTTY: tty }),
    env,
    ...(world.signal && { signal: world.signal }),
    ...(world.now && { now: world.now }),
  })
  // What was written before the end is read in the turns that follow.
  stdout.end()
  stderr.end()
  await Promise.all([drained(stdout), drained(stderr)])
  return { code, stdout: out, stderr: err }
}

function drained(stream: PassThrough): Promise<void> | undefined {
  if (stream.readableEnded || stream.destroyed) return undefined
  return new Promise((resolve) => {
    stream.once('end', resolve)
    stream.once('close', resolve)
  })
}
