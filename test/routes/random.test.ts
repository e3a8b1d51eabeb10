/**
 * Random publishes, random cuts, and every stream must end up with exactly what was published after
 * its beginning. TEST_SEED repeats a run.
 */
import t, { type Test } from 'tap'
import type { Config } from '../../src/config.js'
import { partitionOf } from '../../src/log/partition.js'
import { type Acknowledged, check, compareIds } from '../support/checker.js'
import { createPublisher } from '../support/publisher.js'
import { seeded } from '../support/random.js'
import { controls, type Reader, startReader } from '../support/sse-reader.js'
import { onBothLogs, start, stopRedis } from './support/start.js'

t.teardown(stopRedis)

const SEED = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const CHANNELS = Array.from({ length: 20 }, (_, i) => `random:${i}`)
const ROUNDS = 150

async function run(t: Test, url: string, seed: number, partitions = 1): Promise<void> {
  t.comment(`TEST_SEED=${seed}`)
  const random = seeded(seed)
  const publisher = createPublisher()
  const readers: { channels: string[]; from: Map<number, string>; reader: Reader }[] = []
  const home = (channel: string) => partitionOf(channel, partitions)

  for (let round = 0; round < ROUNDS; round++) {
    // Ten streams begin at different times, each behind all that was acknowledged before.
    if (round % 8 === 0 && readers.length < 10) {
      const channels = random.choose(CHANNELS, random.between(1, 20))
      const from = newest(publisher.acknowledged, home)
      const reader = startReader({ url, channels, pause: () => random.between(0, 5) })
      t.teardown(reader.stop)
      await reader.control('stream.ready')
      readers.push({ channels, from, reader })
    }
    const publishing = Array.from({ length: random.between(1, 4) }, (_, i) => {
      const drafts = Array.from({ length: random.between(1, 8) }, (_, j) => ({
        channel: CHANNELS[random.between(0, 19)]!,
        data: { round, i, j, pad: 'x'.repeat(random.between(0, 2000)) },
      }))
      return drafts.length === 1 && drafts[0] !== undefined
        ? publisher.one(url, drafts[0].channel, drafts[0].data)
        : publisher.batch(url, drafts)
    })
    for (const { reader } of readers) if (random.next() < 0.2) reader.break()
    await Promise.all(publishing)
  }

  const last = new Map<string, string>()
  for (const channel of CHANNELS)
    last.set(channel, (await publisher.one(url, channel, `last ${channel}`)).id)
  for (const { channels, reader } of readers) {
    const wanted = new Set(channels.map((channel) => `${channel} ${last.get(channel)}`))
    await reader.until(({ seen }) => {
      const got = new Set(seen.map((it) => (it.kind === 'event' ? `${it.channel} ${it.id}` : '')))
      return [...wanted].every((one) => got.has(one))
    })
  }
  // Ids are compared within a partition only.
  for (let partition = 0; partition < partitions; partition++) {
    const here = (channel: unknown) => home(String(channel)) === partition
    const complaints = check({
      acknowledged: publisher.acknowledged.filter(({ channel }) => here(channel)),
      readers: readers.map(({ channels, from, reader }, i) => ({
        name: `stream ${i}`,
        channels: channels.filter(here),
        ...(from.has(partition) && { from: from.get(partition)! }),
        seen: reader.seen.filter((it) =>
          it.kind === 'event' ? here(it.channel) : it.kind === 'control' && here(it.data.channel),
        ),
      })),
    })
    t.same(complaints.slice(0, 5), [], 'nothing missing, doubled, disordered or invented')
  }
  const gaps = readers.flatMap(({ reader }) => controls(reader.seen, 'stream.gap'))
  t.same(gaps.slice(0, 3), [], 'and no gap')
  const connections = readers.reduce((sum, { reader }) => sum + reader.connections, 0)
  t.ok(connections > 50, `${connections} connections`)
}

/** The last id that was acknowledged in each partition. */
function newest(acknowledged: readonly Acknowledged[], home: (channel: string) => number) {
  const ids = new Map<number, string>()
  for (const { channel, id } of acknowledged) {
    const known = ids.get(home(channel))
    if (known === undefined || compareIds(id, known) > 0) ids.set(home(channel), id)
  }
  return ids
}

onBothLogs(t, 'streams cut at random have all that was published, in order', async (t, start) => {
  await run(t, (await start()).url, SEED)
})

for (const partitions of [2, 16]) {
  t.test(`the same over ${partitions} partitions`, async (t) => {
    const config: Partial<Config> = { partitions }
    await run(t, (await start(t, config)).url, SEED + partitions, partitions)
  })
}
