/** A real relay for tests, with the configuration of docs/coturn.conf: own ports on loopback, gone with the test. */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificate } from './certificate.js'
import { freePort } from './ports.js'
import { until } from './until.js'

export interface Relay {
  /** UDP and TCP. */
  readonly port: number
  readonly tlsPort: number
  readonly secret: string
  /** For a client that is to trust it. */
  readonly certificate: string
  /** Everything it has written. */
  readonly log: () => string
  stop(): Promise<void>
}

export interface RelayOptions {
  /** Lines after those of the file. */
  readonly lines?: readonly string[]
  /** Lines of the file to be left out. */
  readonly without?: RegExp
}

const FILE = new URL('../../docs/coturn.conf', import.meta.url)

/** Resolves once it listens. */
export async function startRelay({ lines = [], without }: RelayOptions = {}): Promise<Relay> {
  const directory = await mkdtemp(join(tmpdir(), 'coturn-'))
  const [port, tlsPort, { cert, key, pem }] = [
    await freePort(),
    await freePort(),
    await certificate(directory),
  ]
  const secret = 'the-secret-of-a-relay-in-a-test'
  const own: Readonly<Record<string, string>> = {
    'listening-port': String(port),
    'tls-listening-port': String(tlsPort),
    'static-auth-secret': secret,
    realm: 'turn.example',
    cert,
    pkey: key,
  }
  const text = (await readFile(FILE, 'utf8'))
    .split('\n')
    .filter((line) => without?.test(line) !== true)
    .map((line) => {
      const [name = ''] = line.split('=')
      return Object.hasOwn(own, name) ? `${name}=${own[name]}` : line
    })
  const here = ['listening-ip=127.0.0.1', 'relay-ip=127.0.0.1', `pidfile=${directory}/pid`]
  const file = join(directory, 'turnserver.conf')
  await writeFile(file, [...text, ...here, `userdb=${directory}/db`, ...lines, ''].join('\n'))

  // It dies with the test, however that ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'turnserver', '-c', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (part: string) => {
      log += part
    })
  }
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(directory, { recursive: true })
  }
  await until('listening', async () => {
    if (child.exitCode !== null) throw new Error(`turnserver ended at start:\n${log}`)
    return (await Promise.all([accepts(port), accepts(tlsPort), answers(port)])).every(Boolean)
  })
  return { port, tlsPort, secret, certificate: pem, log: () => log, stop }
}

/** Whether it answers over UDP, which it may begin to later than over TCP: a binding request (RFC 8489 § 5). */
async function answers(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  const request = Buffer.alloc(20)
  request.writeUInt32BE(0x0001_0000)
  request.writeUInt32BE(0x2112_a442, 4)
  try {
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.send(request)
    await once(socket, 'message', { signal: AbortSignal.timeout(200) })
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
