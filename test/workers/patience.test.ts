import t from 'tap'
import { LONGEST_DELAY_MS, STEADY_MS } from '../../src/workers/limits.js'
import { delayAfter, endsInRow } from '../../src/workers/patience.js'

t.test('a worker that served steadily is replaced as if it had never ended before', async (t) => {
  t.equal(endsInRow(4, STEADY_MS), 1)
  t.equal(endsInRow(4, STEADY_MS - 1), 5)
  t.equal(endsInRow(0, 0), 1)
})

t.test(
  'who ends again and again is waited for longer, up to a bound, and never not at all',
  async (t) => {
    const delays = Array.from({ length: 12 }, (_, i) => delayAfter(i + 1))
    t.ok(delays[0]! > 0)
    for (const [i, delay] of delays.slice(1).entries()) {
      t.ok(delay === LONGEST_DELAY_MS || delay > delays[i]!)
    }
    t.equal(delays.at(-1), LONGEST_DELAY_MS)
  },
)
