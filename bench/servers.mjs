// Every server of the bench: started on a free port and one core, answering before it is used,
// stopped by its pid whatever happens.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { SignJWT } from 'jose'
import { build, cores, find, here, Missing, nchanModule, pinned, root, running } from './tools.mjs'

// nginx and Redis want a directory each, gone with them.
const scratch = new Set()

// Also for exit by signal or exception: a server left behind would spoil every later measurement.
export function killAll() {
  for (const child of running) {
    for (const pid of [child.pid, ...childrenOf(child.pid)]) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {}
    }
  }
  running.clear()
  for (const dir of scratch) rmSync(dir, { recursive: true, force: true })
}

function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number)
  } catch {
    return []
  }
}

export function scratchDir(prefix) {
  const dir = mkdtempSync(join(build, prefix))
  scratch.add(dir)
  return dir
}

function removeDir(dir) {
  rmSync(dir, { recursive: true, force: true })
  scratch.delete(dir)
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

function connects(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.once('connect', () => socket.end())
  })
}

// Any answer to /healthz but 5xx will do: whether it exists isn't this rig's business.
async function answers(port) {
  const reply = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined)
  await reply?.arrayBuffer()
  return reply !== undefined && reply.status < 500
}

async function start(name, core, command, args, { port, env = {}, ready = connects }) {
  const [file, argv] = pinned(core, command, args)
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith('SLUICE_'))
  const child = spawn(file, argv, {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said = (said + chunk).slice(-2_000)
    })
  }
  let gone = false
  const exited = once(child, 'exit').then(() => {
    gone = true
    running.delete(child)
  })
  const stop = async () => {
    if (gone) return
    const workers = childrenOf(child.pid)
    child.kill('SIGTERM')
    // A graceful drain is somebody else's test: after two seconds it is over.
    await Promise.race([exited, wait(2_000, undefined, { ref: false })])
    for (const pid of gone ? [] : [...workers, child.pid]) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {}
    }
    await exited
  }
  for (const until = Date.now() + 15_000; !(await ready(port)); await wait(30)) {
    if (!gone && Date.now() < until) continue
    await stop()
    throw new Error(`${name} doesn't answer on port ${port}:\n${said}`)
  }
  return {
    name,
    port,
    stop,
    said: () => said,
    pid: () => child.pid,
    workers: () => childrenOf(child.pid),
  }
}

export async function nchan() {
  const port = await freePort()
  const dir = scratchDir('nchan-')
  const conf = readFileSync(join(here, 'nchan.conf'), 'utf8')
    .replace('@MODULE@', nchanModule())
    .replace('@PORT@', String(port))
  // As root nginx would run its worker as nobody, who can't raise its own limits.
  const user = process.getuid() === 0 ? 'user root;\n' : ''
  writeFileSync(join(dir, 'nginx.conf'), user + conf)
  const args = ['-e', join(dir, 'error.log'), '-p', `${dir}/`, '-c', join(dir, 'nginx.conf')]
  const server = await start('nchan', cores().server, find('nginx'), args, { port })
  return {
    ...server,
    pids: server.workers().join(','),
    live: { sub: '/sub/b{c}', pub: '/pub/b{c}', ctype: 'text/plain' },
    past: { sub: '/old/b{c}' },
    stop: async () => {
      await server.stop()
      removeDir(dir)
    },
  }
}

/** Which build is measured; another one (`--bin`) where two of ours are to be compared. */
export const gateway = { bin: join(root, 'dist/bin.js') }

/** The gateway itself. */
export async function sluice(env = {}) {
  if (!existsSync(gateway.bin)) throw new Missing(`${gateway.bin} is missing: npm run build`)
  const port = await freePort()
  const server = await start('sluice', cores().server, process.execPath, [gateway.bin, 'serve'], {
    port,
    ready: answers,
    env: {
      NODE_ENV: 'production',
      SLUICE_HOST: '127.0.0.1',
      SLUICE_PORT: String(port),
      SLUICE_LOG_LEVEL: 'warn',
      SLUICE_MAX_STREAMS: '20000',
      SLUICE_DRAIN_TIME: '0',
      // as much as nchan keeps
      SLUICE_RETENTION_EVENTS: '20000',
      ...env,
    },
  })
  const path = '/v1/events?channel=b{c}'
  return {
    ...server,
    pids: String(server.pid()),
    live: { sub: path, pub: path, ctype: 'text/plain' },
    past: { sub: `${path}&after=earliest` },
    /** Many events, also of many channels, in one request. */
    batches: {
      pub: '/v1/events',
      ctype: 'application/json',
      open: '[',
      body: '{"channel":"b{c}","data":"{m}"}',
      join: ',',
      close: ']',
    },
  }
}

const SECRET = 'a secret that only this bench knows'

/**
 * The gateway with keys: every request has a token of one subject, its rights by patterns, and is
 * counted against rates that are never reached.
 */
export async function lockedSluice() {
  const plenty = '100000000/s'
  const server = await sluice({
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_MAX_STREAMS_PER_SUBJECT: '20000',
    SLUICE_STREAM_RATE: plenty,
    SLUICE_PUBLISH_RATE: plenty,
    SLUICE_CHANNEL_RATE: plenty,
  })
  const channels = { '*': ['subscribe', 'publish'], 'user:{sub}': ['subscribe'] }
  const token = await new SignJWT({ sluice: { channels } })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('bench')
    .setJti('one-of-many')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET))
  const header = `Authorization: Bearer ${token}`
  return { ...server, live: { ...server.live, hdr: header, pubhdr: header } }
}

/** The gateway on a Redis of its own, which has to share the client's core. */
export async function sluiceOnRedis(env = {}) {
  const port = await freePort()
  const dir = scratchDir('redis-')
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    dir,
  ]
  const redis = await start('redis-server', cores().client, find('redis-server'), args, { port })
  const stopRedis = async () => {
    await redis.stop()
    removeDir(dir)
  }
  try {
    const server = await sluice({ SLUICE_REDIS_URL: `redis://127.0.0.1:${port}`, ...env })
    return {
      ...server,
      redisPid: String(redis.pid()),
      stop: async () => {
        await server.stop()
        await stopRedis()
      },
    }
  } catch (error) {
    await stopRedis()
    throw error
  }
}

const library = (name) => async () => {
  const port = await freePort()
  const args = [join(here, 'peers', `${name}.mjs`)]
  const env = { NODE_ENV: 'production', PORT: String(port) }
  const server = await start(name, cores().server, process.execPath, args, { port, env })
  return {
    ...server,
    pids: String(server.pid()),
    live: { sub: '/old/b{c}', pub: '/pub/b{c}', ctype: 'text/plain' },
    past: { sub: '/old/b{c}' },
  }
}

export const betterSse = library('better-sse')
export const fastifySse = library('fastify-sse')

/** The physical floor, see floor.c: one write per reader for every `batch` events. */
export const floor = (batch) => async () => {
  const port = await freePort()
  const args = [String(port), String(batch)]
  const server = await start('floor', cores().server, join(build, 'floor'), args, { port })
  return {
    ...server,
    pids: String(server.pid()),
    live: { sub: '/', pub: '/', ctype: 'text/plain' },
  }
}
