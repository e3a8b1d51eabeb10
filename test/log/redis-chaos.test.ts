/**
 * Connections torn at random between two gateways and Redis: whoever reads the log again where it is
 * told to gets every acknowledged event once and in order.
 */
import { randomInt } from 'node:crypto'
import { Redis } from 'ioredis'
import t from 'tap'
import type { Entry, Log, LogListener } from '../../src/log/log.js'
import { createRedisLog } from '../../src/log/redis.js'
import { seeded } from '../support/random.js'
import { startRedis } from '../support/redis.js'
import { type LosingProxy, startLosingProxy } from './losing.js'
import { retentionFor } from './subject.js'

const EVENTS = 400
const CHANNEL = 'a'

/** A reader as the gateway has them, made as plain as can be: live, or reading the log again. */
function createReader() {
  const got: string[] = []
  const gaps: unknown[] = []
  let log: Log
  let cursor = 0
  let live = false
  let catching = false
  let disturbed = false
  let held: Entry[] = []
  let rounds = 0
  let finish!: () => void
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })

  function take(entry: Entry): void {
    cursor = entry.order
    if (entry.kind === 'end') finish()
    else got.push(entry.data)
  }

  async function catchUp(): Promise<void> {
    live = false
    disturbed = true
    // One at a time: it begins anew by itself where it was disturbed.
    if (catching) return
    catching = true
    while (!live) {
      rounds++
      held = []
      disturbed = false
      try {
        await log.follow(CHANNEL)
        const { channels } = await log.read(0, [{ channel: CHANNEL, after: cursor }], 50)
        const [read] = channels
        if (read?.gap !== undefined) gaps.push(read.gap)
        for (const entry of read?.entries ?? []) take(entry)
        if (read?.complete !== true) continue
        const rest = held.filter(({ order }) => order > cursor)
        const joined = rest.every(({ prev }, i) => prev === (rest[i - 1]?.order ?? cursor))
        live = joined && !disturbed
        if (live) for (const entry of rest) take(entry)
      } catch {
        // Refused at once while there is no connection: leave a turn for there to be one.
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    catching = false
  }

  const listener: LogListener = {
    entry(entry) {
      if (!live) held.push(entry)
      else if (entry.order > cursor) take(entry)
    },
    hole: () => void catchUp(),
    interrupted: () => void catchUp(),
    ephemeral() {},
    deleted() {},
    verified() {},
  }
  return {
    got,
    gaps,
    listener,
    finished,
    rounds: () => rounds,
    async begin(of: Log) {
      log = of
      cursor = (await log.seek(0, [CHANNEL], { from: 'latest' })).position.order
      void catchUp()
    },
  }
}

const seed = Number(process.env.SEED ?? randomInt(2 ** 31))

t.test(`torn connections lose, double and swap nothing (SEED=${seed})`, async (t) => {
  const random = seeded(seed)
  const server = await startRedis()
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())

  const gateways: { log: Log; reader: ReturnType<typeof createReader>; line: LosingProxy }[] = []
  for (let i = 0; i < 2; i++) {
    const line = await startLosingProxy(server.port)
    t.teardown(() => line.stop())
    const log = createRedisLog({ url: line.url, retentionFor, checkEvery: 50 })
    const reader = createReader()
    await log.start(reader.listener)
    t.teardown(() => log.stop())
    await reader.begin(log)
    gateways.push({ log, reader, line })
  }

  async function disturb(): Promise<void> {
    const { line } = random.choose(gateways, 1)[0]!
    const chance = random.next()
    if (chance < 0.4) line.cutAll()
    else if (chance < 0.55) void line.loseNext()
    else if (chance < 0.7) await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    else if (chance < 0.9) await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    else await admin.call('FUNCTION', 'FLUSH')
  }

  /** As a client does it: the same event with the same key until it is accepted. */
  async function publish(log: Log, data: string): Promise<void> {
    for (;;) {
      try {
        await log.append([{ channel: CHANNEL, name: 'message', data, key: `k${data}` }])
        return
      } catch {}
    }
  }

  for (let i = 0; i < EVENTS; i++) {
    const publishing = publish(gateways[i % 2]!.log, String(i))
    if (random.next() < 0.06) await disturb()
    await publishing
  }
  await gateways[0]!.log.close(CHANNEL, null)
  const expected = Array.from({ length: EVENTS }, (_, i) => String(i))
  for (const { reader } of gateways) {
    await reader.finished
    t.same(reader.got, expected)
    t.same(reader.gaps, [])
    t.ok(reader.rounds() > 1, 'it was disturbed')
  }
})
