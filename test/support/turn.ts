/** A real coturn on loopback, whose credentials a gateway gives out. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from './ports.js'

export interface TurnServer {
  /** `turn:127.0.0.1:…`, over UDP. */
  readonly url: string
  /** Allocations that were granted so far. */
  readonly allocations: number
  stop(): Promise<void>
}

/** `secret`: shared with the gateway. */
export async function startTurn(secret: string): Promise<TurnServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-turn-'))
  const port = await freePort()
  const args = [
    ...['-n', '--no-cli', '--no-tls', '--no-dtls', '--no-multicast-peers'],
    ...['--listening-ip', '127.0.0.1', '--relay-ip', '127.0.0.1', '--listening-port', String(port)],
    ...['--use-auth-secret', '--static-auth-secret', secret, '--realm', 'sluice.test'],
    // Peers are on this machine, in a test and never elsewhere.
    '--allow-loopback-peers',
    ...['--userdb', join(directory, 'db'), '--pidfile', join(directory, 'pid')],
    ...['--log-file', 'stdout', '--simple-log', '--verbose'],
  ]
  // The kernel ends it with us, also where we are killed and no handler of ours runs.
  const command = ['--pdeathsig', 'KILL', 'turnserver', ...args]
  const child = spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'ignore'], cwd: directory })
  const exited = once(child, 'exit')
  let allocations = 0
  const lines = createInterface({ input: child.stdout })
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (/UDP listener opened/.test(line)) resolve()
      if (/ALLOCATE processed, success/.test(line)) allocations++
    })
  })
  const dead = exited.then(([code]) => {
    throw new Error(`turnserver ended (${code})`)
  })
  await Promise.race([ready, dead])
  dead.catch(() => {})
  return {
    url: `turn:127.0.0.1:${port}`,
    get allocations() {
      return allocations
    },
    async stop() {
      child.kill('SIGKILL')
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}
