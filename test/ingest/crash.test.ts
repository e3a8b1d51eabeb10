/** Gateways that die or sleep while they take what others leave on Redis: processes, for only those can. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createRedisLog } from '../../src/log/redis.js'
import { createRecorder, dataOf, earliest, readAll, retentionFor } from '../log/subject.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { startRedis } from '../support/redis.js'
import { APPENDS, LEFT, numbers, plain, READS } from './stage.js'

const server = await startRedis()
t.teardown(() => server.stop())
let prefixes = 0
// They wait for leases to run out most of the time.
t.jobs = 3
t.setTimeout(240_000)

/** Some gateways with a prefix of their own, and somebody who reads beside them. */
async function stage(t: Test, count: number) {
  const prefix = `t${++prefixes}`
  const start = async () => {
    const env = { SLUICE_REDIS_URL: server.url, SLUICE_REDIS_PREFIX: prefix }
    const gateway = await startGatewayProcess(env)
    t.teardown(() => gateway.kill('SIGKILL'))
    return gateway
  }
  const gateways = await Promise.all(Array.from({ length: count }, start))
  const heard = createRecorder()
  const log = createRedisLog({ url: server.url, prefix, retentionFor })
  await log.start(heard)
  t.teardown(() => log.stop())
  await log.follow('a')
  const client = plain(t, server.url)
  return {
    gateways,
    prefix,
    start,
    client,
    /** All that the channel holds. */
    kept: async () => dataOf((await readAll(log, 'a', await earliest(log, 'a'), 50)).entries),
    appeared: (data: string) => heard.until(() => dataOf(heard.entries).includes(data)),
    shout: (data: string) => client.publish(`${prefix}:in:a`, data),
    leave: (data: string) => client.xadd(`${prefix}:inbox`, '*', 'channel', 'a', 'data', data),
  }
}

/** Resolves with the gateway that says this first, from a line on. */
function says(
  gateways: readonly GatewayProcess[],
  text: string,
  from: ReadonlyMap<GatewayProcess, number> = new Map(),
): Promise<GatewayProcess> {
  return Promise.race(
    gateways.map(async (gateway) => {
      await gateway.said(text, from.get(gateway))
      return gateway
    }),
  )
}

const now = (gateways: readonly GatewayProcess[]) =>
  new Map(gateways.map((gateway) => [gateway, gateway.log.length]))

t.test('raw messages go on when the holder is killed', { buffered: true }, async (t) => {
  const { gateways, shout, appeared, kept } = await stage(t, 3)
  const holder = await says(gateways, APPENDS)
  await shout('1')
  await appeared('1')
  await holder.kill('SIGKILL')
  await says(
    gateways.filter((it) => it !== holder),
    APPENDS,
  )
  await shout('2')
  await appeared('2')
  t.strictSame(await kept(), ['1', '2'])
})

t.test(
  'a holder that slept appends nothing that its successor has',
  { buffered: true },
  async (t) => {
    const { gateways, shout, appeared, kept } = await stage(t, 2)
    const sleeper = await says(gateways, APPENDS)
    await sleeper.kill('SIGSTOP')
    await says(
      gateways.filter((it) => it !== sleeper),
      APPENDS,
    )
    const sent = numbers(100)
    for (const data of sent) await shout(data)
    await appeared('99')
    // It has heard them all, too, and believes that they are for it.
    await sleeper.kill('SIGCONT')
    await says([sleeper], LEFT)
    await shout('"last"')
    await appeared('"last"')
    t.strictSame(await kept(), [...sent, '"last"'])
  },
)

t.test(
  'a sleeper that becomes the holder again does not take what it slept over',
  { buffered: true },
  async (t) => {
    const { gateways, prefix, client, shout, appeared, kept } = await stage(t, 2)
    const sleeper = await says(gateways, APPENDS)
    await sleeper.kill('SIGSTOP')
    const others = gateways.filter((it) => it !== sleeper)
    const successor = await says(others, APPENDS)
    // So much that most of it is still on its way when the sleeper hears that it holds the lease.
    const sent = numbers(300).map((n) => JSON.stringify(n.padEnd(30_000)))
    for (const data of sent) await shout(data)
    await appeared(sent.at(-1)!)
    await successor.kill('SIGKILL')
    // Nobody holds it when the sleeper wakes, so that its first question makes it the holder.
    await expired(client, prefix)
    const before = now([sleeper])
    await sleeper.kill('SIGCONT')
    await says([sleeper], APPENDS, before)
    await shout('"last"')
    await appeared('"last"')
    t.strictSame(await kept(), [...sent, '"last"'])
  },
)

/** Resolves once the lease has run out. */
async function expired(client: Redis, prefix: string): Promise<void> {
  for (;;) {
    const keys = await client.keys(`${prefix}:*:l`)
    if (keys.length === 0) return
    // Paced by Redis: it answers when the time is over.
    await client.blpop('nothing', 0.05)
  }
}

t.test(
  'entries of the inbox arrive once and in order though readers are killed',
  { buffered: true },
  async (t) => {
    const { gateways, start, leave, appeared, kept } = await stage(t, 3)
    const COUNT = 2000
    const alive = new Set(gateways)
    let written = 0
    const write = async (upTo: number) => {
      for (; written < upTo; written++) await leave(String(written))
    }
    for (const upTo of [700, 1400]) {
      const reader = await says([...alive], READS)
      const before = now([...alive])
      const writing = write(upTo)
      await appeared(String(upTo - 400))
      // In the midst of it: entries wait, others are under way.
      await reader.kill('SIGKILL')
      alive.delete(reader)
      await writing
      const successor = await says([...alive], READS, before)
      t.not(successor, reader)
      alive.add(await start())
    }
    await write(COUNT)
    await appeared(String(COUNT - 1))
    t.strictSame(await kept(), numbers(COUNT))
  },
)

t.test('a reader of the inbox that slept appends nothing again', { buffered: true }, async (t) => {
  const { gateways, leave, appeared, kept } = await stage(t, 2)
  const sleeper = await says(gateways, READS)
  const COUNT = 600
  const writing = (async () => {
    for (let n = 0; n < COUNT; n++) await leave(String(n))
  })()
  await appeared('100')
  await sleeper.kill('SIGSTOP')
  await says(
    gateways.filter((it) => it !== sleeper),
    READS,
  )
  await writing
  await appeared(String(COUNT - 1))
  await sleeper.kill('SIGCONT')
  await says([sleeper], 'inbox: left to another gateway')
  await leave('"last"')
  await appeared('"last"')
  t.strictSame(await kept(), [...numbers(COUNT), '"last"'])
})

t.test('a gateway that was told so leaves both alone', { buffered: true }, async (t) => {
  const prefix = `t${++prefixes}`
  const gateway = await startGatewayProcess({
    SLUICE_REDIS_URL: server.url,
    SLUICE_REDIS_PREFIX: prefix,
    SLUICE_INGEST: 'off',
  })
  t.teardown(() => gateway.kill('SIGKILL'))
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  t.equal(await client.publish(`${prefix}:in:a`, '1'), 0, 'nobody listens')
  await gateway.stop()
  t.notOk(gateway.log.some((line) => /raw messages|inbox/.test(line)))
})
