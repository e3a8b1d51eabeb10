/** What the log on Redis says when another server goes on with less than was acknowledged. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { hashTag } from '../../src/log/redis/slots.js'
import { createRedisLog, type RedisLog, type RedisLogOptions } from '../../src/log/redis.js'
import { formatPosition } from '../../src/wire/position.js'
import { stage } from '../hub/stage.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import {
  createRecorder,
  dataOf,
  drafts,
  everything,
  type Recorder,
  readAll,
  retentionFor,
} from './subject.js'
import { type Switch, startSwitch } from './switch.js'

/** What the keys of the only partition begin with. */
const BASE = `sluice:{${hashTag(0, 1)}}`
/** Nobody's silence is waited for to its end. */
const PATIENT = 3_600_000

interface Pair {
  readonly old: RedisServer
  /** A copy of the old one until it is detached. */
  readonly heir: RedisServer
  readonly oldClient: Redis
  readonly heirClient: Redis
  /** Resolves once the heir has all that the old one has. */
  copied(): Promise<void>
  /** From here on the heir is a master of its own, and gets nothing more. */
  detach(): Promise<void>
}

async function pair(t: Test): Promise<Pair> {
  // A copy begins at once rather than in the 5 s that others have to join in.
  const args = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']
  const [old, heir] = await Promise.all([startRedis({ args }), startRedis({ args })])
  const [oldClient, heirClient] = [new Redis(old.url), new Redis(heir.url)]
  t.teardown(async () => {
    oldClient.disconnect()
    heirClient.disconnect()
    await Promise.all([old.stop(), heir.stop()])
  })
  await heirClient.replicaof('127.0.0.1', old.port)
  const copied = async () => {
    // A write of the asking connection itself, or WAIT has nothing to wait for.
    await oldClient.set('copied', '1')
    while ((await oldClient.wait(1, 5000)) < 1);
  }
  return {
    ...{ old, heir, oldClient, heirClient, copied },
    async detach() {
      await heirClient.replicaof('NO', 'ONE')
    },
  }
}

interface Gateway {
  readonly log: RedisLog
  readonly heard: Recorder
  readonly road: Switch
}

async function gateway(
  t: Test,
  server: RedisServer,
  options: Partial<RedisLogOptions> = {},
): Promise<Gateway> {
  const road = await startSwitch(server.port)
  const log = createRedisLog({
    ...{ url: road.url, retentionFor, checkEvery: 3_600_000 },
    ...{ attendEvery: 20, witnessPatience: PATIENT, ...options },
  })
  const heard = createRecorder()
  await log.start(heard)
  t.teardown(async () => {
    await log.stop()
    await road.stop()
  })
  return { log, heard, road }
}

/** Appends until a store takes it. */
async function append(log: RedisLog, channel: string, data: string): Promise<number> {
  for (;;) {
    try {
      const [receipt] = await log.append([{ channel, name: 'message', data }])
      return receipt!.position!.order
    } catch {}
  }
}

/** Gateways go over to another server; resolves when each writes and follows there. */
async function failOver(to: RedisServer, gateways: readonly Gateway[]): Promise<void> {
  const before = gateways.map(({ heard }) => heard.interruptions.length)
  for (const { road } of gateways) road.to(to.port)
  // Once when the connection goes, once more when another server is found.
  await Promise.all(
    gateways.map(({ heard }, i) => heard.until(() => heard.interruptions.length >= before[i]! + 2)),
  )
  for (const { log } of gateways) await append(log, 'gone over', '1')
}

t.test('what a new server lacks is told to readers before it, in it and after it', async (t) => {
  const { old, heir, copied, detach } = await pair(t)
  const one = await gateway(t, old)
  const { log } = one
  const [first, second] = await log.append(drafts('a', 2))
  const [quiet] = await log.append(drafts('quiet', 1))
  await copied()
  await detach()
  const [third, lost] = await log.append(drafts('a', 2, 2))
  await failOver(heir, [one])
  const order = await append(log, 'a', '4')
  t.ok(order > lost!.position!.order)

  const before = await readAll(log, 'a', first!.position!.order)
  t.same(dataOf(before.entries), ['1', '4'])
  t.match(before.gaps, [{ reason: 'lost', since: quiet!.position! }])
  t.ok(before.gaps[0]!.floor.order > lost!.position!.order)
  t.match((await readAll(log, 'a', second!.position!.order)).gaps, [{ reason: 'lost' }])

  for (const { position } of [third!, lost!]) {
    const standing = await log.locate(0, position!)
    t.match(standing, { known: false, reason: 'lost' })
    if (standing.known) continue
    t.same(await log.locate(0, standing.resume), { known: true })
    t.ok(standing.resume.order < order, 'what was written since is read')
  }
  t.same((await readAll(log, 'a', order)).gaps, [])
  t.same((await readAll(log, 'quiet', quiet!.position!.order)).gaps, [], 'nothing was lost there')
  t.match(await log.info('a'), { events: 3 }, 'a hole is no event')
})

t.test('who begins with what there is is told of no loss before it', async (t) => {
  const { old, heir, copied, detach } = await pair(t)
  const one = await gateway(t, old)
  const { log } = one
  await log.append(drafts('a', 2))
  await copied()
  await detach()
  await log.append([...drafts('a', 1, 2), ...drafts('only', 1)])
  await failOver(heir, [one])
  await append(log, 'a', '3')
  for (const [count, data] of [
    [1, ['3']],
    [2, ['1', '3']],
  ] as const) {
    const { starts } = await log.seek(0, ['a'], { from: 'count', count })
    const { entries, gaps } = await readAll(log, 'a', starts[0]!)
    t.same(dataOf(entries), data)
    t.equal(gaps.length, count - 1, 'one in the midst of it is')
  }
  const only = await everything(log, 'only')
  t.same([only.entries, only.gaps], [[], []])
  t.match(await log.info('only'), { events: 0, first: null, last: null })
  await log.close('only', null)
  t.match(await log.info('only'), { events: 0, closed: true })
  t.equal(await log.delete('only'), true)
})

t.test('a gateway that passed an event on is a witness of it, too', async (t) => {
  const { old, heir, copied, detach } = await pair(t)
  const [publisher, reader] = [await gateway(t, old), await gateway(t, old)]
  await reader.log.follow('a')
  const [kept] = await publisher.log.append(drafts('a', 1))
  await copied()
  await detach()
  await publisher.log.append(drafts('a', 1, 1))
  await reader.heard.until(() => reader.heard.entries.length === 2)
  publisher.road.to(undefined)
  await failOver(heir, [reader])
  await reader.log.follow('a')
  await append(reader.log, 'a', '2')
  const told = async () => (await readAll(reader.log, 'a', kept!.position!.order)).gaps
  t.match(await told(), [{ reason: 'lost' }])
})

t.test('what several witnesses tell is one hole, told to followers', async (t) => {
  const { old, heir, heirClient, copied, detach } = await pair(t)
  const gateways = [await gateway(t, old), await gateway(t, old), await gateway(t, old)]
  const [one, two, three] = gateways as [Gateway, Gateway, Gateway]
  for (const { log } of gateways) await log.follow('a')
  const [kept] = await one.log.append(drafts('a', 1))
  await copied()
  await detach()
  await one.log.append(drafts('a', 1, 1))
  for (const { heard } of gateways) await heard.until(() => heard.entries.length === 2)
  // The one that knows of the loss only as a follower of the new server.
  const fresh = await gateway(t, heir)
  await fresh.log.follow('a')
  await failOver(heir, [one])
  await fresh.heard.until(() => fresh.heard.holes.length === 1)
  t.match(fresh.heard.holes, [{ channel: 'a' }])
  t.match((await readAll(fresh.log, 'a', kept!.position!.order)).gaps, [{ reason: 'lost' }])
  await failOver(heir, [two, three])
  while ((await heirClient.hlen(`${BASE}:w`)) > 0);
  t.equal(await heirClient.xlen(`${BASE}:s:a`), 2, 'an event and a hole')
  const last = await append(two.log, 'a', '2')
  await fresh.heard.until(() => fresh.heard.entries.at(-1)?.order === last)
  t.equal(fresh.heard.holes.length, 1, 'the next entry follows the hole')
})

t.test('a loss is told of a channel that somebody has closed meanwhile, too', async (t) => {
  const { old, heir, copied, detach } = await pair(t)
  const [witness, other] = [await gateway(t, old), await gateway(t, old)]
  const [kept, ended] = await witness.log.append([...drafts('a', 1), ...drafts('ended', 1)])
  await witness.log.close('ended', null)
  await copied()
  await detach()
  await witness.log.append(drafts('a', 1, 1))
  witness.road.to(undefined)
  await failOver(heir, [other])
  const end = await other.log.close('a', 'done')
  witness.road.to(heir.port)
  await append(witness.log, 'gone over', '2')
  const { gaps, entries, closed } = await readAll(other.log, 'a', kept!.position!.order)
  t.match(gaps, [{ reason: 'lost' }])
  t.same(dataOf(entries), ['end'])
  t.equal(closed?.position.order, end.order)
  t.match(await other.log.info('a'), { events: 1, closed: true })
  t.same((await readAll(other.log, 'ended', ended!.position!.order)).gaps, [], 'it was over')
})

t.test('the loss of a deletion and of what came after it is told', async (t) => {
  const { old, heir, copied, detach } = await pair(t)
  const one = await gateway(t, old)
  const [kept] = await one.log.append(drafts('a', 1))
  await one.log.close('a', null)
  await copied()
  await detach()
  await one.log.delete('a')
  await one.log.append(drafts('a', 1, 1))
  await failOver(heir, [one])
  t.match((await readAll(one.log, 'a', kept!.position!.order)).gaps, [{ reason: 'lost' }])
})

t.test('a failover that loses nothing is told to nobody', async (t) => {
  const { old, heir, heirClient, copied, detach } = await pair(t)
  const [one, two] = [await gateway(t, old), await gateway(t, old)]
  await two.log.follow('a')
  const receipts = await one.log.append(drafts('a', 3))
  await copied()
  await detach()
  await failOver(heir, [one, two])
  await two.log.follow('a')
  const order = await append(one.log, 'a', '3')
  await two.heard.until(() => two.heard.entries.at(-1)?.order === order)
  for (const { position } of receipts) t.same(await two.log.locate(0, position!), { known: true })
  const { gaps, entries } = await readAll(two.log, 'a', receipts[0]!.position!.order)
  t.same(gaps, [])
  t.same(dataOf(entries), ['1', '2', '3'])
  t.same(two.heard.holes, [])
  while ((await heirClient.hlen(`${BASE}:w`)) > 0);
  t.equal(await heirClient.llen(`${BASE}:o`), 0)
})

t.test('two masters at once give no id twice, and each judges those of the other', async (t) => {
  const { old, heir, copied, detach } = await pair(t)
  const [one, two] = [await gateway(t, old), await gateway(t, old)]
  await one.log.append(drafts('a', 1))
  await copied()
  await detach()
  await failOver(heir, [two])
  const ids = new Set<string>()
  let zombie = { order: 0, tag: 0 }
  for (let round = 0; round < 30; round++) {
    const [left, right] = await Promise.all(
      [one, two].map(({ log }) => log.append(drafts('a', 20))),
    )
    for (const { position } of [...left!, ...right!]) {
      ids.add(formatPosition(position!.order, position!.tag))
    }
    zombie = left!.at(-1)!.position!
  }
  t.equal(ids.size, 30 * 40)
  t.match(await two.log.locate(0, zombie), { known: false, reason: 'lost' })
  await failOver(heir, [one])
  const order = await append(one.log, 'a', 'last')
  t.ok(order > zombie.order)
  const { gaps } = await readAll(
    one.log,
    'a',
    (await two.log.seek(0, ['a'], { from: 'latest' })).position.order,
  )
  t.same(gaps, [], 'who is past the hole hears nothing')
})

t.test('a new master whose clock is behind goes on after what anybody has heard of', async (t) => {
  const { old, heir, oldClient, copied, detach } = await pair(t)
  const [one, two] = [await gateway(t, old), await gateway(t, old)]
  const [kept] = await one.log.append(drafts('a', 1))
  await copied()
  await detach()
  // The old one's clock was an hour ahead.
  await oldClient.hset(`${BASE}:m`, 'last', kept!.position!.order + 3_600_000 * 4096)
  const [lost] = await one.log.append(drafts('a', 1, 1))
  await failOver(heir, [two])
  const early = await append(two.log, 'a', '2')
  t.ok(early < lost!.position!.order, 'it knows of nothing better')
  await failOver(heir, [one])
  const late = await append(two.log, 'a', '3')
  t.ok(late > lost!.position!.order, 'now it does, whoever asks')
  const standing = await one.log.locate(0, lost!.position!)
  t.match(standing, { known: false, reason: 'lost' }, 'judged by who gave it out')
  const resumed = standing.known ? [] : (await readAll(one.log, 'a', standing.resume.order)).entries
  t.same(dataOf(resumed), ['2', '3'])
})

t.test('a master that was a copy meanwhile opens a new epoch', async (t) => {
  const { old, heir, oldClient, copied, detach } = await pair(t)
  const one = await gateway(t, old, { checkEvery: 20 })
  const [kept] = await one.log.append(drafts('a', 1))
  await copied()
  await detach()
  const [lost] = await one.log.append(drafts('a', 1, 1))
  await oldClient.replicaof('127.0.0.1', heir.port)
  while (!/master_link_status:up/.test(await oldClient.info('replication')));
  await oldClient.replicaof('NO', 'ONE')
  const order = await append(one.log, 'a', '2')
  t.ok(order > lost!.position!.order)
  t.match(await one.log.locate(0, lost!.position!), { known: false, reason: 'lost' })
  // Where the connection lasted, the report comes with the next sign of life.
  for (;;) {
    const { gaps } = await readAll(one.log, 'a', kept!.position!.order)
    if (gaps.length === 0) continue
    t.match(gaps, [{ reason: 'lost' }])
    break
  }
})

t.test('the silence of a witness is a hole in every channel', async (t) => {
  const { old, heir, copied, detach } = await pair(t)
  const options = { witnessPatience: 200 }
  const [one, two] = [await gateway(t, old, options), await gateway(t, old, options)]
  await two.log.follow('b')
  const [, kept] = await one.log.append([...drafts('a', 1), ...drafts('b', 1)])
  await two.heard.until(() => two.heard.entries.length === 1)
  await copied()
  await detach()
  one.road.to(undefined)
  await failOver(heir, [two])
  await two.log.follow('b')
  await two.heard.until(() => two.heard.holes.length === 1)
  t.match(two.heard.holes, [{ channel: 'b' }])
  for (const channel of ['a', 'b', 'never']) {
    const { gaps } = await readAll(two.log, channel, kept!.position!.order)
    t.match(gaps, [{ reason: 'lost', since: kept!.position! }], channel)
  }
  const order = await append(two.log, 'b', '1')
  const { entries, gaps } = await readAll(two.log, 'b', kept!.position!.order)
  t.equal(gaps.length, 1)
  t.same(dataOf(entries), ['1'])
  t.same((await readAll(two.log, 'a', order)).gaps, [], 'told to those before it only')
  t.same((await everything(two.log, 'a')).gaps.length, 1)
  const { starts } = await two.log.seek(0, ['b'], { from: 'count', count: 1 })
  t.same((await readAll(two.log, 'b', starts[0]!)).gaps, [])
})

t.test('a hole of the partition whose message was lost is found by the check', async (t) => {
  const { old, heir, heirClient, copied, detach } = await pair(t)
  const one = await gateway(t, old)
  await gateway(t, old).then(({ road }) => road.to(undefined))
  await one.log.append(drafts('a', 1))
  await copied()
  await detach()
  await failOver(heir, [one])
  await one.log.follow('a')
  const client = heirClient
  // Told by nobody: as if the message about it had been lost.
  const { order } = (await one.log.seek(0, [], { from: 'latest' })).position
  const hole = order + 4096
  await client.rpush(`${BASE}:o`, `${hole} 0 ${order} 0`)
  await client.hset(`${BASE}:m`, 'hole', hole, 'last', hole)
  await one.log.check()
  t.match(one.heard.holes, [{ channel: 'a' }])
  await one.log.check()
  t.equal(one.heard.holes.length, 1, 'told once')
})

t.test('nobody waits for a gateway that took its leave', async (t) => {
  const { old, heir, heirClient, copied, detach } = await pair(t)
  const [one, two] = [await gateway(t, old), await gateway(t, old)]
  await one.log.append(drafts('a', 1))
  await one.log.stop()
  await copied()
  t.equal(await heirClient.zcard(`${BASE}:a`), 1)
  await detach()
  await failOver(heir, [two])
  await append(two.log, 'a', '1')
  t.equal(await heirClient.hlen(`${BASE}:w`), 0)
})

// ── what streams are told ──

async function streaming(t: Test, server: RedisServer) {
  const road = await startSwitch(server.port)
  t.teardown(() => road.stop())
  const log = createRedisLog({
    ...{ url: road.url, retentionFor, checkEvery: 50 },
    ...{ attendEvery: 20, witnessPatience: PATIENT },
  })
  const told = createRecorder()
  const staged = await stage(t, {
    wrap: () => ({
      ...log,
      start: (listener) =>
        log.start({
          ...listener,
          interrupted(partition) {
            listener.interrupted(partition)
            told.interrupted(partition)
          },
          entry(entry) {
            listener.entry(entry)
            told.entry(entry)
          },
          verified(partition, position) {
            listener.verified(partition, position)
            told.verified(partition, position)
          },
        }),
    }),
  })
  staged.hub.start()
  return { ...staged, log, heard: told, road }
}

t.test('live streams hear of a loss once, and of nothing where nothing was lost', async (t) => {
  const { old, heir, copied, detach } = await pair(t)
  const gateway = await streaming(t, old)
  const { log, heard, open } = gateway
  const [unharmed, harmed] = [await open(['quiet']), await open(['a'])]
  await append(log, 'quiet', '1')
  await append(log, 'a', '1')
  await heard.until(() => unharmed.events.length + harmed.events.length === 2)
  await copied()
  await detach()
  await append(log, 'a', '2')
  await heard.until(() => harmed.events.length === 2)
  await failOver(heir, [gateway])
  await append(log, 'quiet', '3')
  await append(log, 'a', '3')
  await heard.until(() => [unharmed, harmed].every(({ events }) => events.at(-1)?.endsWith('=3')))
  t.same(unharmed.events, ['quiet=1', 'quiet=3'])
  t.same(unharmed.told('stream.gap'), [])
  t.same(harmed.events, ['a=1', 'a=2', 'a=3'])
  t.match(harmed.told('stream.gap'), [{ channel: 'a', reason: 'lost' }])
})
