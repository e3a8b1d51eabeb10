// node bench/redis-cpu.mjs [--quick] [--dist DIR]
// CPU time of redis-server per event (utime + stime of the process), by the events in one call, by the
// gateways that listen, and with AOF; bytes per event on the way to a replica.
import { setTimeout as wait } from 'node:timers/promises'
import {
  cpuOf,
  dataOf,
  info,
  machine,
  openLog,
  options,
  print,
  startRedis,
  runs as times,
} from './redis-rig.mjs'

/** One at a time takes longer, and more of what is counted. */
const eventsFor = (size) => (size === 1 ? 15_000 : 50_000) / (options.quick ? 5 : 1)
const CHANNELS = 1_000
const data = dataOf(200)

/**
 * Appends events as `size` publishers do that post at the same time and post again when they are
 * answered: all of a turn go in one call.
 */
async function publish(log, events, size) {
  for (let sent = 0; sent < events; sent += size) {
    const turn = Array.from({ length: size }, (_, i) => {
      const channel = `room:${String((sent + i) % CHANNELS).padStart(7, '0')}`
      return log.append([{ channel, name: 'message', data }])
    })
    await Promise.all(turn)
  }
}

/** The offset of replication once nothing more comes. */
async function settled(client) {
  for (let before = -1; ; ) {
    const now = await info(client, 'master_repl_offset')
    if (now === before) return now
    before = now
  }
}

async function run({ size, followers = 0, persistence = [], replica = false }) {
  const server = await startRedis(...persistence)
  const second = replica ? await startRedis() : undefined
  const log = await openLog(server.url)
  const others = []
  for (let i = 0; i < followers; i++) {
    const other = await openLog(server.url)
    await Promise.all(
      Array.from({ length: CHANNELS }, (_, k) =>
        other.follow(`room:${String(k).padStart(7, '0')}`),
      ),
    )
    others.push(other)
  }
  if (second !== undefined) {
    await second.client.replicaof('127.0.0.1', server.port)
    while (!/master_link_status:up/.test(await second.client.info('replication'))) {}
  }
  await publish(log, 2_000, size)
  const { client } = server
  const offset = await settled(client)
  const cpu = cpuOf(server.pid)
  const events = eventsFor(size)
  await publish(log, events, size)
  const figures = {
    micros: ((cpuOf(server.pid) - cpu) / events) * 1e6,
    replicated: ((await settled(client)) - offset) / events,
  }
  for (const each of [log, ...others]) await each.stop()
  await second?.stop()
  await server.stop()
  return figures
}

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]

/** The median of three: a busy neighbour takes cache and clock from everybody. */
async function micros(how) {
  const all = []
  for (let i = 0; i < times; i++) all.push((await run(how)).micros)
  return median(all)
}

const server = await startRedis()
console.log(await machine(server.client))
await server.stop()

const sizes = [1, 10, 50]
const rows = []
const row = async (what, how) => {
  const figures = []
  for (const size of sizes) figures.push((await micros({ size, ...how })).toFixed(1))
  rows.push([what, ...figures])
  console.error(what, ...figures)
}
await row('nobody follows', {})
await row('1 gateway follows', { followers: 1 })
await row('3 gateways follow', { followers: 3 })
await row('1 gateway, AOF everysec', {
  followers: 1,
  persistence: ['--appendonly', 'yes', '--appendfsync', 'everysec'],
})
await row('1 gateway, AOF always', {
  followers: 1,
  persistence: ['--appendonly', 'yes', '--appendfsync', 'always'],
})
await row('1 gateway, 1 replica', { followers: 1, replica: true })
print(
  `µs of Redis CPU per event (200 B, ${CHANNELS} channels), by events per call`,
  ['', ...sizes.map((size) => `${size} a call`)],
  rows,
)

// What gateways cost that do nothing: signs of life, questions for heads.
const idle = []
for (const [gateways, partitions] of [
  [1, 16],
  [10, 1],
  [10, 16],
]) {
  const server = await startRedis()
  const logs = []
  for (let i = 0; i < gateways; i++) logs.push(await openLog(server.url, { partitions }))
  await wait(1_000)
  const before = cpuOf(server.pid)
  await wait(options.quick ? 5_000 : 20_000)
  const share = (cpuOf(server.pid) - before) / (options.quick ? 5 : 20)
  idle.push([gateways, partitions, `${(share * 100).toFixed(1)} %`])
  for (const log of logs) await log.stop()
  await server.stop()
}
print('Idle gateways', ['gateways', 'partitions', 'of a core of Redis'], idle)

const link = []
for (const size of sizes) {
  const { replicated } = await run({ size, followers: 1, replica: true })
  link.push(Math.round(replicated))
}
print(
  'Bytes per event to each replica (200 B of data)',
  ['', ...sizes.map((size) => `${size} a call`)],
  [['replication stream', ...link]],
)
process.exit()
