/** Debian's nginx with the shipped nginx.conf, and a second, plain one to put in front of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificate } from './certificate.js'
import { freePort } from './ports.js'

const SHIPPED = new URL('../../nginx.conf', import.meta.url)
const TEMP_PATHS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

export interface Nginx {
  /** Plain HTTP/1.1. */
  readonly url: string
  readonly port: number
  /** TLS, HTTP/1.1 and HTTP/2. A plain front has none: the same as `url`. */
  readonly httpsUrl: string
  readonly httpsPort: number
  readonly pid: number
  /** Self-signed; what a client must trust to talk TLS. Empty for a plain front. */
  readonly ca: string
  /** The error log so far. */
  errors(): Promise<string>
  /** New workers with the same file; the old ones keep their streams for a while. */
  reload(): void
  stop(): Promise<void>
}

/** Replaces what must be there exactly once; a changed nginx.conf should not go unnoticed. */
function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from)
  if (parts.length !== 2) throw new Error(`nginx.conf has ${parts.length - 1} times "${from}"`)
  return parts.join(to)
}

/** The shipped file, in front of gateways given by port or address. */
export async function startNginx(options: {
  readonly upstreams: readonly (number | string)[]
  /** What an operator adds above its `location /`. Default: nothing. */
  readonly locations?: string
}): Promise<Nginx> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-nginx-'))
  const { cert, key, pem } = await certificate(directory)
  const [redirect, tls, plain] = [await freePort(), await freePort(), await freePort()]
  const servers = options.upstreams.map((upstream) => {
    const address = typeof upstream === 'number' ? `127.0.0.1:${upstream}` : upstream
    return `server ${address} max_fails=1 fail_timeout=2s;`
  })
  let conf = await readFile(SHIPPED, 'utf8')
  conf = replaceOnce(conf, 'listen 80;', `listen 127.0.0.1:${redirect};`)
  conf = replaceOnce(conf, 'listen 443 ssl', `listen 127.0.0.1:${tls} ssl`)
  conf = replaceOnce(conf, 'listen 127.0.0.1:8000;', `listen 127.0.0.1:${plain};`)
  conf = replaceOnce(
    conf,
    'server 127.0.0.1:8080 max_fails=1 fail_timeout=2s;',
    servers.join('\n        '),
  )
  const { locations = '' } = options
  conf = replaceOnce(conf, '        location / {', `${locations}        location / {`)
  conf = replaceOnce(conf, '/etc/ssl/sluice/fullchain.pem', cert)
  conf = replaceOnce(conf, '/etc/ssl/sluice/privkey.pem', key)
  return launch(directory, conf, { plain, tls, ca: pem })
}

/**
 * An nginx as most people have it, in front of another server: proxy buffering as it is by default,
 * HTTP/1.0 towards the upstream. Nothing in it knows of streams.
 */
export async function startPlainNginx(options: { readonly upstream: number }): Promise<Nginx> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-nginx-'))
  const port = await freePort()
  const conf = `
worker_processes 1;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log warn;
events {}
http {
    access_log /var/log/nginx/access.log;
    gzip on;
    server {
        listen 127.0.0.1:${port};
        location / {
            proxy_pass http://127.0.0.1:${options.upstream};
        }
    }
}
`
  return launch(directory, conf, { plain: port, tls: port, ca: '' })
}

async function launch(
  directory: string,
  text: string,
  at: { readonly plain: number; readonly tls: number; readonly ca: string },
): Promise<Nginx> {
  // Where files go is the machine's business, and a test's files go with the test.
  const temps = TEMP_PATHS.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')
  let conf = text.replaceAll('/var/log/nginx', directory)
  conf = replaceOnce(conf, '/run/nginx.pid', `${directory}/nginx.pid`)
  conf = replaceOnce(conf, '\nhttp {\n', `\nhttp {\n    ${temps}\n`)
  // Only root may change users, and nginx complains where somebody else asks for it.
  if (process.getuid?.() !== 0) conf = conf.replace('user www-data;\n', '')
  await mkdir(directory, { recursive: true })
  const file = join(directory, 'nginx.conf')
  await writeFile(file, conf)

  // SIGTERM, for the master then ends its workers; killed, it would leave them behind.
  const command = ['--pdeathsig', 'TERM', 'nginx', '-p', directory, '-c', file]
  const child = spawn('setpriv', [...command, '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const exited = once(child, 'exit')
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await exited
    await rm(directory, { recursive: true, force: true })
  }
  const dead = exited.then(() => {
    throw new Error(`nginx ended:\n${stderr}`)
  })
  try {
    await Promise.race([answers(at.plain), dead])
  } catch (error) {
    await stop()
    throw error
  }
  dead.catch(() => {})
  return {
    url: `http://127.0.0.1:${at.plain}`,
    port: at.plain,
    httpsUrl: at.ca === '' ? `http://127.0.0.1:${at.plain}` : `https://127.0.0.1:${at.tls}`,
    httpsPort: at.tls,
    pid: child.pid!,
    ca: at.ca,
    errors: () => readFile(join(directory, 'error.log'), 'utf8'),
    reload: () => void child.kill('SIGHUP'),
    stop,
  }
}

/** A connection is enough: it waits in the queue for the first worker, and no upstream is asked. */
async function answers(port: number): Promise<void> {
  for (;;) {
    const ok = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (ok) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
