// node bench/redis-shards.mjs [--quick] [--dist DIR]
// What three masters carry beside one. The same events go through the log, 16 partitions, one gateway that
// follows all channels, to one redis-server, to a cluster of one master and to a cluster of three; counted is
// the CPU time of each master. A master has one thread for commands, so the busiest one is the limit:
//
//     capacity = events / CPU seconds of the busiest master
//
// That is what the masters can do where each has a core of its own. It isn't a rate that was seen here: two
// cores shared by gateway, publishers and four servers can't show one.
import {
  cpuOf,
  dataOf,
  machine,
  openLog,
  options,
  print,
  startCluster,
  startRedis,
  runs as times,
} from './redis-rig.mjs'

const EVENTS = options.quick ? 20_000 : 60_000
const CHANNELS = 1_000
const PARTITIONS = 16
const data = dataOf(200)
const nameOf = (i) => `room:${String(i % CHANNELS).padStart(7, '0')}`

async function publish(log, events, publishers) {
  let next = 0
  await Promise.all(
    Array.from({ length: publishers }, async () => {
      while (next < events) {
        await log.append([{ channel: nameOf(next++), name: 'message', data }])
      }
    }),
  )
}

/** CPU seconds of each node for 100,000 events. */
async function measure({ nodes, url }, publishers, partitions = PARTITIONS) {
  const log = await openLog(url, { partitions, prefix: `p${partitions}` })
  const follower = await openLog(url, { partitions, prefix: `p${partitions}` })
  await Promise.all(Array.from({ length: CHANNELS }, (_, i) => follower.follow(nameOf(i))))
  await publish(log, 2_000, publishers)
  const before = nodes.map(({ pid }) => cpuOf(pid))
  await publish(log, EVENTS, publishers)
  const used = nodes.map(({ pid }, i) => ((cpuOf(pid) - before[i]) / EVENTS) * 100_000)
  await log.stop()
  await follower.stop()
  return used
}

const systems = [
  ['one redis-server', () => startRedis().then((node) => ({ nodes: [node], ...node }))],
  ['a cluster of one master', () => startCluster(1)],
  ['a cluster of three masters', () => startCluster(3)],
]

const rows = []
let said = false
for (const publishers of [32, 128, 512]) {
  let one
  for (const [name, start] of systems) {
    // The median of three runs, by the busiest master.
    const runs = []
    for (let i = 0; i < times; i++) {
      const system = await start()
      if (!said) console.log(await machine(system.nodes[0].client))
      said = true
      try {
        runs.push(await measure(system, publishers))
      } finally {
        await system.stop()
      }
    }
    runs.sort((a, b) => Math.max(...a) - Math.max(...b))
    const used = runs[Math.floor(runs.length / 2)]
    const capacity = 100_000 / Math.max(...used)
    one ??= capacity
    console.error(publishers, name, used)
    rows.push([
      publishers,
      name,
      used.map((seconds) => seconds.toFixed(2)).join(' · '),
      Math.round(capacity / 100) * 100,
      (capacity / one).toFixed(2),
    ])
  }
}
print(
  `${PARTITIONS} partitions, ${CHANNELS} channels, 200 B, 1 gateway follows`,
  ['publishers', 'on', 'CPU s of each master per 100,000 events', 'capacity, events/s', 'to one'],
  rows,
)
process.exit()
