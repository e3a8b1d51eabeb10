import t, { type Test } from 'tap'
import { check, compareIds } from './support/checker.js'
import { type Cutter, startCutter } from './support/cutter.js'
import { type GatewayProcess, startGatewayProcess } from './support/gateway.js'
import { createPublisher, pool } from './support/publisher.js'
import { seeded } from './support/random.js'
import { startRedis } from './support/redis.js'
import { controls, type Reader, type Seen, startReader } from './support/sse-reader.js'

interface Size {
  readonly streams: number
  readonly channels: number
  readonly channelsPerStream: number
  readonly events: number
  readonly cuts: number
  /** Largest number of bytes that a connection lives; most live shorter. */
  readonly bytes: number
}

const SEED = Number(process.env.TEST_SEED ?? 20261121)

/** Publishes, cuts, waits until every reader has the last event of each of its channels, and judges. */
async function tear(t: Test, gateways: readonly GatewayProcess[], size: Size): Promise<void> {
  t.comment(`TEST_SEED=${SEED}`)
  const random = seeded(SEED)
  const channels = Array.from({ length: size.channels }, (_, i) => `torn:${i}`)
  const publisher = createPublisher()

  const cutters: Cutter[] = []
  for (const { port } of gateways) {
    const cutter = await startCutter({
      target: port,
      random,
      // One in ten is cut within the head or the first frames.
      budget: () => random.between(1, random.next() < 0.1 ? 400 : size.bytes),
    })
    t.teardown(cutter.stop)
    cutters.push(cutter)
  }
  const readers: { name: string; channels: string[]; reader: Reader }[] = []
  for (let i = 0; i < size.streams; i++) {
    const chosen = random.choose(channels, size.channelsPerStream)
    const url = cutters[i % cutters.length]!.url
    const reader = startReader({ url, channels: chosen, after: 'earliest' })
    t.teardown(reader.stop)
    readers.push({ name: `reader ${i}`, channels: chosen, reader })
  }

  await pool(jobs(), 16)

  // One more on each channel: whoever has seen these has seen all that came before. The cuts go on.
  const last = new Map<string, string>()
  for (const channel of channels) {
    const { id } = await publisher.one(gateways[0]!.url, channel, `last on ${channel}`)
    last.set(channel, id)
  }
  await Promise.all(
    readers.map(({ channels, reader }) => {
      const wanted = new Set(channels.map((channel) => last.get(channel)))
      let at = 0
      return reader.until(() => {
        for (; at < reader.seen.length; at++) {
          const it = reader.seen[at]!
          if (it.kind === 'event' && it.id !== null) wanted.delete(it.id)
        }
        return wanted.size === 0
      })
    }),
  )
  await Promise.all(readers.map(({ reader }) => reader.stop()))

  const complaints = check({
    acknowledged: publisher.acknowledged,
    readers: readers.map(({ name, channels, reader }) => ({ name, channels, seen: reader.seen })),
  })
  const cuts = cutters.reduce((sum, cutter) => sum + cutter.cuts, 0)
  t.comment(`${cuts} cuts, ${publisher.acknowledged.length} events`)
  for (const { reader: name, id } of complaints.slice(0, 3)) {
    const seen = readers.find((it) => it.name === name)?.reader.seen ?? []
    t.comment(`${name} around ${id}:\n${around(seen, id)}`)
  }
  t.same(complaints.slice(0, 10), [], 'nothing missing, doubled, disordered or invented')
  t.ok(cuts >= size.cuts, 'as many cuts as meant')
  t.equal(publisher.acknowledged.length, size.events + size.channels)
  const gaps = readers.flatMap(({ reader }) => controls(reader.seen, 'stream.gap'))
  t.same(gaps.slice(0, 3), [], 'no gap was told, for nothing was lost')

  /** Singles and batches in turn, each through a gateway chosen by chance. */
  function* jobs(): Generator<() => Promise<unknown>> {
    let n = 0
    while (n < size.events) {
      const { url } = gateways[random.between(0, gateways.length - 1)]!
      const count = random.next() < 0.5 ? 1 : Math.min(random.between(2, 20), size.events - n)
      const drafts = Array.from({ length: count }, () => ({
        channel: channels[random.between(0, channels.length - 1)]!,
        data: { n: n++, text: 'x'.repeat(random.between(0, 80)) },
      }))
      const [first] = drafts
      yield count === 1
        ? () => publisher.one(url, first!.channel, first!.data)
        : () => publisher.batch(url, drafts)
    }
  }
}

/** What a reader saw where its cursor passed an id: which frame let it go by. */
function around(seen: readonly Seen[], id: string): string {
  const past = seen.findIndex(
    (it) => it.kind !== 'answer' && it.cursor !== undefined && compareIds(it.cursor, id) >= 0,
  )
  const lines = seen.slice(Math.max(0, past - 6), past + 4)
  return lines.map((it) => JSON.stringify(it).slice(0, 300)).join('\n')
}

t.test('500 cuts over two gateways on one Redis lose nothing', { timeout: 110_000 }, async (t) => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const gateways: GatewayProcess[] = []
  for (let i = 0; i < 2; i++) {
    const gateway = await startGatewayProcess({ SLUICE_REDIS_URL: redis.url })
    t.teardown(gateway.stop)
    gateways.push(gateway)
  }
  await tear(t, gateways, {
    ...{ streams: 20, channels: 100, channelsPerStream: 50 },
    ...{ events: 10_000, cuts: 500, bytes: 40_000 },
  })
})

t.test('100 cuts over one gateway with its embedded log lose nothing', async (t) => {
  const gateway = await startGatewayProcess()
  t.teardown(gateway.stop)
  await tear(t, [gateway], {
    ...{ streams: 10, channels: 20, channelsPerStream: 10 },
    ...{ events: 2_000, cuts: 100, bytes: 15_000 },
  })
})
