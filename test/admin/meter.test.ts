/** Counts become rates. */
import t from 'tap'
import { createMeter } from '../../src/admin/meter.js'

const counts = (published: number) => ({ published, received: published, delivered: 2 * published })

t.test('a rate is the mean of the last ten seconds', async (t) => {
  const meter = createMeter(2000)
  t.same(meter.rates, { published: 0, received: 0, delivered: 0 })
  meter.sample(counts(0), 0)
  t.equal(meter.rates.published, 0, 'one look is no rate')
  meter.sample(counts(100), 2000)
  t.same(meter.rates, { published: 50, received: 50, delivered: 100 })
  for (let n = 2; n <= 6; n++) meter.sample(counts(100), 2000 * n)
  t.equal(meter.rates.published, 0, 'what was before is forgotten')
})

t.test(
  'the past has a rate for each look, sixty at the most, by the time that has really passed',
  async (t) => {
    const meter = createMeter(2000)
    meter.sample(counts(0), 0)
    meter.sample(counts(30), 3000)
    meter.sample(counts(31), 3100)
    t.same(meter.past, { every: 2000, published: [10, 10], delivered: [20, 20] })
    for (let n = 0; n < 100; n++) meter.sample(counts(31 + n), 5000 + 1000 * n)
    t.equal(meter.past.published.length, 60)
    t.equal(meter.past.published.at(-1), 1)
  },
)
