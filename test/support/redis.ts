/** A real redis-server for one test file: own port, own directory, gone with the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.js'

export interface RedisServer {
  readonly port: number
  readonly url: string
  readonly pid: number
  /** False after a crash until `restart`. */
  readonly running: boolean
  /** Sends a signal: SIGSTOP freezes, SIGCONT thaws, SIGKILL is a crash. */
  kill(signal: NodeJS.Signals): Promise<void>
  /**
   * Stops the process where it runs and starts it again on the same port, with what it persisted.
   * SIGTERM unless another signal is named; `args` are added from now on and beat the earlier ones.
   */
  restart(signal?: NodeJS.Signals, args?: readonly string[]): Promise<void>
  /** Stops the process and removes its directory. */
  stop(): Promise<void>
}

/** Resolves when the server answers PING. */
async function answers(port: number, process: ChildProcess): Promise<void> {
  for (;;) {
    if (process.exitCode !== null || process.signalCode !== null) {
      throw new Error('redis-server ended at start')
    }
    const socket = createConnection(port, '127.0.0.1')
    const reply = await new Promise<string>((resolve) => {
      socket.once('connect', () => socket.write('PING\r\n'))
      socket.once('data', (data) => resolve(String(data)))
      socket.once('error', () => {})
      socket.once('close', () => resolve(''))
    })
    socket.destroy()
    if (reply.startsWith('+PONG')) return
    // A question to the process, not a wait for it: the next attempt may come at once.
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export interface RedisOptions {
  /** Instead of no persistence. */
  readonly args?: readonly string[]
  /** Lines of a configuration file that the server may write to: Sentinel insists on one. */
  readonly config?: readonly string[]
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'redis-'))
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir]
  args.push('--loglevel', 'warning', ...(options.args ?? ['--save', '', '--appendonly', 'no']))
  if (options.config !== undefined) {
    const file = join(dir, 'redis.conf')
    await writeFile(file, `${options.config.join('\n')}\n`)
    args.unshift(file)
  }
  let child: ChildProcess

  async function launch(): Promise<void> {
    // The kernel ends it with us, also where we are killed and no handler of ours runs.
    const command = ['--pdeathsig', 'KILL', '/usr/bin/redis-server', ...args]
    child = spawn('/usr/bin/setpriv', command, { stdio: 'ignore' })
    await answers(port, child)
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    // A frozen process takes no other signal until it is thawed.
    child.kill('SIGCONT')
    await exit
  }
  await launch()

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid!
    },
    get running() {
      return child.exitCode === null && child.signalCode === null
    },
    async kill(signal) {
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') child.kill(signal)
      else await end(signal)
    },
    async restart(signal = 'SIGTERM', more = []) {
      await end(signal)
      args.push(...more)
      await launch()
    },
    async stop() {
      await end('SIGKILL')
      await rm(dir, { recursive: true, force: true })
    },
  }
}
