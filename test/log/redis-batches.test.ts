/** What goes to Redis in one call, by Redis's own count of calls. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { FENCE_TTL_MS } from '../../src/log/fences.js'
import type { Draft, Log } from '../../src/log/log.js'
import { createRedisLog } from '../../src/log/redis.js'
import { startRedis } from '../support/redis.js'
import { createRecorder, drafts, retentionFor } from './subject.js'

const server = await startRedis()
t.teardown(server.stop)
const probe = new Redis(server.url)
t.teardown(() => probe.disconnect())

async function calls(): Promise<number> {
  return Number(/cmdstat_fcall:calls=(\d+)/.exec(await probe.info('commandstats'))?.[1] ?? 0)
}

/** How many calls an append takes together with one that is made while the turn ends. */
async function callsOfTwo(t: Test, fanOut: number): Promise<number> {
  const log = createRedisLog({
    url: server.url,
    prefix: t.name.replaceAll(' ', '-'),
    retentionFor,
    checkEvery: 3_600_000,
  })
  await log.start({ ...createRecorder(), fanOut })
  t.teardown(log.stop)
  const before = await calls()
  const first = log.append(drafts('a', 1))
  const second = new Promise((resolve) => {
    setImmediate(() => resolve(log.append(drafts('a', 1))))
  })
  await Promise.all([first, second])
  return (await calls()) - before
}

t.test('an append leaves at the end of its turn', async (t) => {
  t.equal(await callsOfTwo(t, 0), 2)
  t.equal(await callsOfTwo(t, 10), 2)
})

t.test('where many sockets are written to, what comes meanwhile leaves with it', async (t) => {
  t.equal(await callsOfTwo(t, 1000), 1)
})

/** How often a command was called, by functions too. */
async function called(command: string): Promise<number> {
  const stats = await probe.info('commandstats')
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}

/** How many GETs and SETs a call takes with these groups. */
async function lookups(log: Log, groups: readonly (readonly Draft[])[]): Promise<[number, number]> {
  const before = [await called('get'), await called('set')] as const
  await Promise.all(groups.map((group) => log.append(group)))
  return [(await called('get')) - before[0], (await called('set')) - before[1]]
}

t.test('a fence is looked up once per channel and call, and only where there is one', async (t) => {
  const log = createRedisLog({
    ...{ url: server.url, prefix: 'fences', retentionFor },
    ...{ checkEvery: 3_600_000, attendEvery: 3_600_000 },
  })
  await log.start(createRecorder())
  t.teardown(log.stop)
  const plain = [drafts('a', 1), drafts('a', 1), drafts('a', 3), drafts('b', 1)]
  const fenced = plain.map((group) => group.map((draft) => ({ ...draft, fence: 1 })))
  // The call's own: what the gateway's last batch was, and what this one is.
  t.same(await lookups(log, plain), [1, 1])
  t.same(await lookups(log, fenced), [3, 3], 'looked up and raised, for each of two channels')
  t.same(await lookups(log, fenced), [3, 1], 'looked up')
  t.same(await lookups(log, plain), [1, 1])
  const { base } = log.intake
  const left = await probe.pttl(`${base(0)}:f:a`)
  t.ok(left > FENCE_TTL_MS - 60_000 && left <= FENCE_TTL_MS, `${left} ms left`)
})
