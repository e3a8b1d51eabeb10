// What the redis-*.mjs scripts share: real redis-servers, the log on them, CPU time and memory of a process.
// They measure the constants of docs/scale.md: bytes, and CPU time per event, which another process on the
// machine disturbs little. None of them claims anything about the time of day.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { find, root, running } from './tools.mjs'

export const { values: options } = parseArgs({
  // The script's own name, where run.mjs has called it.
  allowPositionals: true,
  options: {
    /** Another build than dist/. */
    dist: { type: 'string', default: join(root, 'dist') },
    /** A tenth of the work: does it run? */
    quick: { type: 'boolean', default: false },
    /** How often each figure is taken; the median counts. Default 3, quick 1. */
    runs: { type: 'string' },
  },
})

export const runs = Number(options.runs ?? (options.quick ? 1 : 3))

const scratch = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const dir of scratch) rmSync(dir, { recursive: true, force: true })
})
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(130))

async function freePort() {
  // The bus of a cluster node is 10,000 higher.
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address()
    server.close()
    await once(server, 'close')
    if (port < 55_000) return port
  }
}

/** A redis-server of its own, without persistence unless the arguments say otherwise. */
export async function startRedis(...more) {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'bench-redis-'))
  scratch.add(dir)
  const args = ['--port', port, '--bind', '127.0.0.1', '--dir', dir, '--loglevel', 'warning']
  args.push('--save', '', '--appendonly', 'no', ...more)
  const child = spawn(find('redis-server'), args.map(String), { stdio: 'ignore' })
  running.add(child)
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50, lazyConnect: true })
  client.on('error', () => {})
  await client.connect().catch(() => {})
  await client.ping()
  return {
    port,
    pid: child.pid,
    client,
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      client.disconnect()
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
      running.delete(child)
      rmSync(dir, { recursive: true, force: true })
      scratch.delete(dir)
    },
  }
}

/** Masters that share the slots evenly. */
export async function startCluster(masters) {
  const nodes = []
  for (let i = 0; i < masters; i++) nodes.push(await startRedis('--cluster-enabled', 'yes'))
  const share = 16_384 / masters
  for (const [i, { client, port }] of nodes.entries()) {
    const [from, to] = [Math.round(i * share), Math.round((i + 1) * share) - 1]
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
    if (i > 0) await nodes[0].client.call('CLUSTER', 'MEET', '127.0.0.1', port)
  }
  for (const { client } of nodes) {
    for (;;) {
      const info = String(await client.call('CLUSTER', 'INFO'))
      if (/state:ok/.test(info) && info.includes(`known_nodes:${masters}`)) break
      await wait(50)
    }
  }
  return {
    nodes,
    url: nodes.map(({ url }) => url).join(','),
    stop: () => Promise.all(nodes.map((node) => node.stop())),
  }
}

const ticks = Number(execFileSync('getconf', ['CLK_TCK']).toString())

/** Seconds of CPU that a process has used, in user and in system mode. */
export function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

/** Resident bytes of a process. */
export function rssOf(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024
}

/** One number of INFO. */
export async function info(client, name) {
  const text = await client.info()
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1])
}

const { createRedisLog } = await import(join(resolve(options.dist), 'log/redis.js'))

export const listener = {
  entry() {},
  ephemeral() {},
  deleted() {},
  hole() {},
  interrupted() {},
  verified() {},
}

/** The log as a gateway has it, without a gateway around it. */
export async function openLog(url, { partitions = 1, heard = listener, ...more } = {}) {
  const log = createRedisLog({
    url,
    partitions,
    retentionFor: () => ({ maxEvents: 100_000, maxAge: 86_400_000 }),
    ...more,
  })
  await log.start(heard)
  return log
}

/** Data of so many bytes: text that doesn't repeat itself, as JSON. */
export function dataOf(bytes) {
  let text = ''
  while (text.length < bytes) text += Math.random().toString(36).slice(2)
  return `"${text.slice(0, Math.max(0, bytes - 2))}"`
}

/** Runs `make(i)` for all i below `count`, so many at a time. */
export async function inBatches(count, size, make) {
  for (let from = 0; from < count; from += size) {
    const n = Math.min(size, count - from)
    await Promise.all(Array.from({ length: n }, (_, i) => make(from + i)))
  }
}

export function print(title, head, rows) {
  const all = [head, head.map(() => '---'), ...rows.map((row) => row.map(String))]
  console.log(`\n${title}\n`)
  for (const row of all) console.log(`| ${row.join(' | ')} |`)
}

export async function machine(client) {
  const text = await client.info('server')
  const version = /^redis_version:(\S+)/m.exec(text)[1]
  const list = cpus()
  return `Redis ${version}, Node ${process.version}, ${list.length} × ${list[0].model}, ${new Date().toISOString().slice(0, 16)}`
}
