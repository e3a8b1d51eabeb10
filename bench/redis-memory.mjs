// node bench/redis-memory.mjs [--quick] [--dist DIR]
// Bytes in Redis: per channel and event at several sizes, per head, per idempotency key, per channel that a
// gateway follows. `used_memory` before and after, so what the allocator rounds up is counted.
import { setTimeout as wait } from 'node:timers/promises'
import {
  dataOf,
  inBatches,
  info,
  machine,
  openLog,
  options,
  print,
  startRedis,
} from './redis-rig.mjs'

const scale = options.quick ? 0.1 : 1
const NODES = [4096, 1024, 512]
const SIZES = [10, 200, 2000]
/** Events per channel, and how many such channels. */
const SHAPES = [
  [1, 20_000],
  [10, 10_000],
  [100, 1_000],
  [1000, 100],
]

/** Used bytes once nothing is going on: answers and buffers are freed a moment after their use. */
async function used(client) {
  await wait(200)
  await client.call('MEMORY', 'PURGE')
  return info(client, 'used_memory')
}

/** Bytes of Redis that `work` leaves behind, divided by what it says it did. */
async function growth(server, work) {
  const before = await used(server.client)
  const count = await work()
  return ((await used(server.client)) - before) / count
}

async function withLog(args, work) {
  const server = await startRedis(...args)
  const log = await openLog(server.url)
  try {
    // Functions compiled, buffers grown: what has run once isn't counted.
    await inBatches(500, 50, (i) =>
      log.append([{ channel: `warm:${i}`, name: 'message', data: '1' }]),
    )
    return await work(server, log)
  } finally {
    await log.stop()
    await server.stop()
  }
}

/** A channel's name of 12 characters. */
const nameOf = (i) => `room:${String(i).padStart(7, '0')}`

async function channels() {
  for (const node of NODES) {
    const rows = []
    for (const [events, plenty] of SHAPES) {
      const row = [events]
      for (const size of SIZES) {
        const count = Math.max(20, Math.floor(plenty * scale))
        const bytes = await withLog(['--stream-node-max-bytes', node], (server, log) =>
          growth(server, async () => {
            // Neighbours in time are of different channels, as in life.
            for (let round = 0; round < events; round++) {
              await inBatches(count, 100, (i) =>
                log.append([{ channel: nameOf(i), name: 'message', data: dataOf(size) }]),
              )
            }
            return count
          }),
        )
        row.push(Math.round(bytes), events === 1 ? '' : Math.round(bytes / events))
      }
      rows.push(row)
    }
    const head = SIZES.flatMap((size) => [`${size} B: per channel`, 'per event'])
    print(`stream-node-max-bytes ${node}`, ['events per channel', ...head], rows)
  }
}

async function small() {
  const count = Math.floor(50_000 * scale)
  const append = (log, make) =>
    inBatches(count, 100, (i) => log.append([make(i)])).then(() => count)
  const rows = []
  rows.push([
    'head of a channel (name of 12 characters), which outlives its events',
    await withLog([], (server, log) =>
      growth(server, async () => {
        await append(log, (i) => ({ channel: nameOf(i), name: 'message', data: '1' }))
        const streams = await server.client.keys('*:s:room:*')
        for (let at = 0; at < streams.length; at += 500) {
          await server.client.unlink(...streams.slice(at, at + 500))
        }
        return count
      }),
    ),
  ])
  rows.push([
    'idempotency key of 36 characters, for 5 minutes',
    await withLog([], (server, log) =>
      growth(server, () =>
        append(log, () => ({
          channel: 'c',
          name: 'message',
          data: '1',
          key: crypto.randomUUID(),
          ephemeral: true,
        })),
      ),
    ),
  ])
  rows.push([
    'channel that a gateway follows',
    await withLog([], (server, log) =>
      growth(server, async () => {
        await inBatches(count, 5_000, (i) => log.follow(nameOf(i)))
        return count
      }),
    ),
  ])
  rows.push([
    'the same for a second gateway',
    await withLog([], async (server, log) => {
      await inBatches(count, 5_000, (i) => log.follow(nameOf(i)))
      const second = await openLog(server.url)
      const bytes = await growth(server, async () => {
        await inBatches(count, 5_000, (i) => second.follow(nameOf(i)))
        return count
      })
      await second.stop()
      return bytes
    }),
  ])
  print(
    'Small things',
    ['what', 'bytes'],
    rows.map(([what, bytes]) => [what, Math.round(bytes)]),
  )
}

const server = await startRedis()
console.log(await machine(server.client))
await server.stop()
await small()
await channels()
process.exit()
