// node bench/redis-gateway.mjs [--quick] [--dist DIR]
// A gateway on Redis: resident memory per stream and per channel that it follows; its CPU time per delivery
// and per POST. The load client is sseload (sseload.c), as in run.mjs.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { machine, options, print, startRedis, runs as times } from './redis-rig.mjs'
import { gateway, killAll, sluiceOnRedis } from './servers.mjs'
import { compile, cores, descriptorLimit, load, Missing } from './tools.mjs'

process.on('exit', killAll)
gateway.bin = join(resolve(options.dist), 'bin.js')
if (!existsSync(gateway.bin)) throw new Missing(`${gateway.bin} is missing: npm run build`)
cores()
compile('sseload')

const signal = AbortSignal.timeout(15 * 60_000)
const most = Math.min(options.quick ? 1_000 : 8_000, descriptorLimit() - 500)

async function run(how, warm) {
  const server = await sluiceOnRedis()
  const go = (more) => load({ port: server.port, spid: server.pids, ...more }, signal)
  try {
    // Code that has run once is compiled and in memory; it isn't to be counted.
    await go({ ...server.live, ...warm })
    return await go({ ...server.live, ...how(server) })
  } finally {
    await server.stop()
  }
}

const path = (own, names) =>
  `/v1/events?${names.map((name) => `channel=${name}${own ? ':{c}' : ''}`).join('&')}`
const names = (count) => Array.from({ length: count }, (_, i) => `room${i}`)

async function memory() {
  const rows = []
  const row = async (what, n, sub, c) => {
    const hold = options.quick ? 2 : 5
    const { rssPerStream, rssBefore } = await run(
      () => ({ n, c, sub, idle: true, hold, srcs: 8 }),
      { n: 100, idle: true, hold: 0.5 },
    )
    rows.push([what, n, Math.round(rssBefore / 1024), rssPerStream.toFixed(1)])
  }
  await row('all read 1 channel', most, path(false, ['one']), 1)
  await row('each reads 1 of its own', most, path(true, ['own']), most)
  await row('all read the same 20', most / 4, path(false, names(20)), 1)
  await row('each reads 20 of its own', most / 4, path(true, names(20)), most / 4)
  const head = ['', 'streams', 'MB before', 'KB per stream']
  print('Resident memory of a gateway', head, rows)
}

async function time() {
  const rows = []
  const secs = options.quick ? 2 : 5
  const warm = { n: 200, c: 1, pc: 4, rate: 50, secs: 1 }
  const row = async (what, how) => {
    const runs = []
    for (let i = 0; i < times; i++) runs.push((await run(how, warm)).cpuPerMillion)
    runs.sort((a, b) => a - b)
    rows.push([what, runs[Math.floor(runs.length / 2)].toFixed(1)])
  }
  await row('50 events/s to 1,000 streams: each a write of its own', () => ({
    ...{ n: 1_000, c: 1, pc: 4, rate: 50, secs },
  }))
  await row('1 channel, 1,000 streams, 100 events in flight: many a write', () => ({
    ...{ n: 1_000, c: 1, pc: 16, win: 100, secs },
  }))
  await row('a POST each, to 1 stream', () => ({ n: 1_000, c: 1_000, pc: 64, secs }))
  await row('50 events a POST, to 1 stream each', (server) => ({
    ...server.batches,
    ...{ n: 1_000, c: 1_000, pc: 64, pbatch: 50, secs },
  }))
  print('CPU of a gateway', ['', 'µs per delivery'], rows)
}

const server = await startRedis()
console.log(await machine(server.client))
await server.stop()
await memory()
await time()
process.exit()
