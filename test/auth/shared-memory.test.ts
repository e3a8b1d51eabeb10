/** What one process shares with itself, by a clock of its own. */
import t from 'tap'
import type { Rate } from '../../src/auth/shared.js'
import { BUCKETS, SESSIONS, TICKETS, VERDICTS } from '../../src/auth/shared-limits.js'
import { createSharedMemory } from '../../src/auth/shared-memory.js'
import { seeded } from '../support/random.js'
import { sharedContract } from './shared-contract.js'
import { createRecorder } from './shared-subject.js'

const START = 1_763_675_123_456
const HOUR = 3_600_000

await sharedContract(t, 'memory', async () => {
  let time = START
  const shared = createSharedMemory({ now: () => time })
  const heard = createRecorder()
  await shared.start(heard)
  return {
    one: { shared, heard },
    other: { shared, heard },
    now: () => time,
    async elapse(ms) {
      time += ms
    },
    stop: () => shared.stop(),
  }
})

t.test('a bucket is one that gets its parts each millisecond, however it is asked', async (t) => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed)
    const rate: Rate = { amount: random.between(1, 50), ms: random.between(1, 3000) }
    let time = START
    const shared = createSharedMemory({ now: () => time })
    // In parts of a unit, `ms` of them each.
    let parts = rate.amount * rate.ms
    for (let i = 0; i < 40; i++) {
      for (let ms = random.between(0, 1) * random.between(0, rate.ms); ms > 0; ms--) {
        time++
        parts = Math.min(rate.amount * rate.ms, parts + rate.amount)
      }
      const atLeast = random.between(1, 4)
      const atMost = atLeast + random.between(0, rate.amount)
      const { granted, retryMs } = await shared.take('a', rate, atLeast, atMost)
      const whole = Math.floor(parts / rate.ms)
      const wanted = whole < 1 ? 0 : Math.max(atLeast, Math.min(atMost, whole))
      if (granted !== wanted) return t.fail(`seed ${seed}, step ${i}: ${granted}, not ${wanted}`)
      parts -= granted * rate.ms
      if (granted > 0) continue
      // The first millisecond at which there is a unit, and not the one before it.
      const then = parts + retryMs * rate.amount
      if (then < rate.ms || then - rate.amount >= rate.ms) {
        return t.fail(`seed ${seed}, step ${i}: ${retryMs} ms`)
      }
    }
  }
  t.pass('200 buckets')
})

t.test('a clock that is set back stops no bucket from filling', async (t) => {
  let time = START
  const shared = createSharedMemory({ now: () => time })
  const rate = { amount: 10, ms: 1000 }
  await shared.take('a', rate, 10, 10)
  time -= HOUR
  t.same(await shared.take('a', rate, 1, 1), { granted: 0, retryMs: 100 })
  time += 100
  t.same(await shared.take('a', rate, 1, 1), { granted: 1, retryMs: 0 })
})

t.test(
  'beyond the bound full buckets go first, then those that were used longest ago',
  async (t) => {
    let time = START
    const shared = createSharedMemory({ now: () => time })
    const slow = { amount: 2, ms: HOUR }
    const quick = { amount: 2, ms: 10 }
    const full = async (name: string) => (await shared.take(name, slow, 1, 2)).granted === 2
    await shared.take('old', slow, 2, 2)
    for (let i = 1; i < BUCKETS; i++) await shared.take(`quick ${i}`, quick, 2, 2)
    time += 10_000
    for (let i = 1; i < BUCKETS; i++) await shared.take(`slow ${i}`, slow, 2, 2)
    t.notOk(await full('old'), 'all that were full again made room')
    await shared.take('one more', slow, 2, 2)
    t.ok(await full('old'), 'none of the others was')
  },
)

t.test('beyond the bound the oldest ticket and the oldest session are forgotten', async (t) => {
  const shared = createSharedMemory({ now: () => START })
  for (let i = 0; i <= TICKETS; i++) {
    await shared.issueTicket(`t${i}`, '', START + HOUR, START + HOUR)
  }
  t.same(await shared.redeemTicket('t0', 's'), { kind: 'unknown' })
  t.same(await shared.redeemTicket('t1', 's'), { kind: 'redeemed', record: '' })
  for (let i = 0; i < SESSIONS; i++) await shared.claimSession(`s${i}`, 'alice', HOUR)
  await shared.claimSession('s0', 'alice', HOUR)
  await shared.claimSession('last', 'alice', HOUR)
  t.equal(await shared.sessionOwner('s1'), undefined)
  t.equal(await shared.sessionOwner('s0'), 'alice', 'its owner came again')
})

t.test('beyond the bound a revocation is refused, and those that ended make room', async (t) => {
  let time = START
  const shared = createSharedMemory({ now: () => time })
  const revoke = (value: string, until: number) => shared.revoke({ kind: 'subject', value, until })
  for (let i = 1; i < VERDICTS; i++) await revoke(`s${i}`, START + HOUR)
  await revoke('short', START + 1000)
  await t.rejects(revoke('late', START + HOUR), { code: 'overloaded' })
  await revoke('s1', START + 2 * HOUR)
  time += 1000
  await revoke('late', START + HOUR)
  await t.rejects(revoke('later', START + HOUR), { code: 'overloaded' })
  const heard = createRecorder()
  await shared.start(heard)
  t.equal(heard.values().length, VERDICTS)
})
