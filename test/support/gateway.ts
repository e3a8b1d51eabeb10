/** The gateway as its operators run it: a process of its own, spoken to over HTTP only. */
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** What `npm run build` makes. TEST_GATEWAY names another program to be judged by the same tests. */
const PROGRAM =
  process.env.TEST_GATEWAY ?? fileURLToPath(new URL('../../dist/bin.js', import.meta.url))

export interface GatewayProcess {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** What it wrote so far, stdout and stderr, line by line. */
  readonly log: readonly string[]
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** Resolves when nobody writes its log any more: it and all that it started have ended. */
  readonly deserted: Promise<unknown>
  /** Resolves with the first line, from this one on, that has the words in it. Default: from the first. */
  said(words: string | RegExp, from?: number): Promise<string>
  /** Sends a signal; where it ends the process, resolves once it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>
}

/** `sluice serve`, on any free port unless SLUICE_PORT says which. */
export async function startGatewayProcess(
  env: Readonly<Record<string, string>> = {},
): Promise<GatewayProcess> {
  // Settings of whoever runs the tests must not leak in.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_'))
  // The kernel ends it with us, also where we are killed and no handler of ours runs.
  const command = ['--pdeathsig', 'KILL', process.execPath, PROGRAM, 'serve']
  const child = spawn('setpriv', command, {
    env: { ...Object.fromEntries(own), SLUICE_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: string[] = []
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const lines = [child.stdout, child.stderr].map((input) => createInterface({ input }))
  for (const each of lines) {
    each.on('line', (line) => {
      log.push(line)
      told.emit('line')
    })
  }
  const deserted = Promise.all(lines.map((each) => once(each, 'close')))
  const exited = once(child, 'exit')
  const url = await Promise.race([
    address(log, told),
    exited.then(([code, signal]) => {
      throw new Error(`the gateway ended (${code ?? signal}):\n${log.join('\n')}`)
    }),
  ])
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid!,
    log,
    said: (words, from = 0) => line(log, told, words, from),
    ended: exited.then(([code, signal]) => code ?? signal),
    deserted,
    kill: (signal) => end(child, exited, signal),
    stop: () => end(child, exited, 'SIGTERM'),
  }
}

async function end(child: ChildProcess, exited: Promise<unknown>, signal: NodeJS.Signals) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await exited
}

/** The first http address in what the process says. */
async function address(log: readonly string[], told: EventEmitter): Promise<string> {
  const pattern = /https?:\/\/[\w.[\]:-]+:\d+/
  return pattern.exec(await line(log, told, pattern, 0))![0]
}

async function line(
  log: readonly string[],
  told: EventEmitter,
  words: string | RegExp,
  from: number,
): Promise<string> {
  const fits = (text: string) =>
    typeof words === 'string' ? text.includes(words) : words.test(text)
  for (let at = from; ; ) {
    for (; at < log.length; at++) if (fits(log[at]!)) return log[at]!
    await once(told, 'line')
  }
}
