import type { Rate } from '../../../src/auth/shared.js'
import type { Promised } from '../shared-contract.js'
import { AWKWARD } from '../shared-subject.js'

/** So slow that nothing comes back while a test runs: a unit in 12 minutes. */
const SLOW: Rate = { amount: 5, ms: 3_600_000 }
const UNIT = SLOW.ms / SLOW.amount

export function buckets(promised: Promised): void {
  promised('a bucket starts full, for all gateways together', async (t, s) => {
    t.same(await s.one.shared.take('a', SLOW, 1, 1), { granted: 1, retryMs: 0 })
    t.same(await s.other.shared.take('a', SLOW, 1, 3), { granted: 3, retryMs: 0 })
    t.same(await s.one.shared.take('a', SLOW, 1, 100), { granted: 1, retryMs: 0 })
    t.match(await s.other.shared.take('a', SLOW, 1, 1), { granted: 0 })
  })

  promised('an empty one says when there is a unit', async (t, s) => {
    t.match(await s.one.shared.take('a', SLOW, 5, 5), { granted: 5 })
    const { granted, retryMs } = await s.other.shared.take('a', SLOW, 1, 1)
    t.equal(granted, 0)
    t.ok(retryMs <= UNIT && retryMs > UNIT - 60_000, `${retryMs} ms`)
  })

  promised('what is needed at least is given whole, and waited for afterwards', async (t, s) => {
    t.match(await s.one.shared.take('a', SLOW, 4, 4), { granted: 4 })
    t.same(await s.one.shared.take('a', SLOW, 10, 10), { granted: 10, retryMs: 0 }, 'nine on tick')
    const { granted, retryMs } = await s.other.shared.take('a', SLOW, 1, 1)
    t.equal(granted, 0)
    t.ok(retryMs <= 10 * UNIT && retryMs > 10 * UNIT - 60_000, `${retryMs} ms`)
  })

  promised('what is needed at least may be more than there ever is', async (t, s) => {
    t.same(await s.one.shared.take('a', SLOW, 50, 60), { granted: 50, retryMs: 0 })
    t.match(await s.one.shared.take('a', SLOW, 1, 1), { granted: 0 })
  })

  promised('after the time that was said there is a unit', async (t, s) => {
    const rate = { amount: 3, ms: 700 }
    let waited = 0
    while (waited === 0) waited = (await s.one.shared.take('a', rate, 1, 1)).retryMs
    t.ok(waited > 0 && waited <= 234, `${waited} ms`)
    await s.elapse(waited)
    t.match(await s.other.shared.take('a', rate, 1, 1), { granted: 1 })
  })

  promised('it fills up to its amount and no further', async (t, s) => {
    const rate = { amount: 3, ms: 300 }
    await s.one.shared.take('a', rate, 3, 3)
    await s.elapse(1000)
    t.same(await s.other.shared.take('a', rate, 1, 100), { granted: 3, retryMs: 0 })
  })

  promised('those who come at once don’t get more than there is', async (t, s) => {
    const rate = { amount: 100, ms: 3_600_000 }
    const taken = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const { shared } = i % 2 === 0 ? s.one : s.other
        return shared.take('a', rate, 1, 3)
      }),
    )
    t.equal(
      taken.reduce((sum, { granted }) => sum + granted, 0),
      100,
    )
  })

  promised('an amount of 0 is no limit', async (t, s) => {
    const rate = { amount: 0, ms: 1000 }
    t.same(await s.one.shared.take('a', rate, 1, 1_000_000), { granted: 1_000_000, retryMs: 0 })
    t.same(await s.one.shared.take('a', rate, 1, 1_000_000), { granted: 1_000_000, retryMs: 0 })
  })

  promised('buckets of different names or rates have nothing in common', async (t, s) => {
    for (const name of AWKWARD) {
      t.match(await s.one.shared.take(name, SLOW, 1, 5), { granted: 5 }, JSON.stringify(name))
      t.match(await s.other.shared.take(name, SLOW, 1, 1), { granted: 0 }, JSON.stringify(name))
    }
    t.match(await s.one.shared.take('a', { ...SLOW, ms: SLOW.ms + 1 }, 1, 5), { granted: 5 })
    t.match(await s.one.shared.take('a', { ...SLOW, amount: 6 }, 1, 6), { granted: 6 })
  })

  promised('large numbers are exact', async (t, s) => {
    const rate = { amount: 1_000_000, ms: 86_400_000 }
    t.match(await s.one.shared.take('a', rate, 999_999, 999_999), { granted: 999_999 })
    const left = await s.one.shared.take('a', rate, 1, 1_000_000)
    t.ok(left.granted >= 1 && left.granted < 1000, `${left.granted}`)
  })
}
