/** What a gateway remembers, and what it says of it; pure. */
import t from 'tap'
import type { History } from '../../src/log/redis/epochs.js'
import { createWitness } from '../../src/log/redis/witness.js'

/** A store that kept tag 1 up to 100, and writes with tag 2 since 200. */
const HEIR: History = {
  snapshot: { last: 250, start: 200, tag: 2, birth: 1, horizon: 1, hole: 0 },
  closed: [{ start: 1, end: 100, tag: 1 }],
  holes: [],
}
const END = { order: 100, tag: 1 }

t.test(
  'what was kept is no loss, and of what was not, the newest of each channel is',
  async (t) => {
    const witness = createWitness()
    witness.note('kept', 100, 1)
    witness.note('lost', 110, 1)
    witness.note('lost', 120, 1)
    witness.note('lost', 115, 1)
    t.same(witness.judge(HEIR), [{ channel: 'lost', order: 120, end: END }])
  },
)

t.test('what the new master acknowledged hides nothing that the old one had', async (t) => {
  const witness = createWitness()
  witness.note('a', 120, 1)
  witness.note('a', 260, 2)
  t.same(witness.judge(HEIR), [{ channel: 'a', order: 120, end: END }])
})

t.test('an epoch that nothing is known of was lost as a whole', async (t) => {
  const witness = createWitness()
  witness.note('a', 150, 9)
  t.same(witness.judge(HEIR), [{ channel: 'a', order: 150, end: END }])
})

t.test('a loss that is older than the memory may be anything', async (t) => {
  const witness = createWitness()
  witness.note('a', 120, 1)
  witness.rotate()
  t.match(witness.judge(HEIR), [{ channel: 'a' }])
  witness.rotate()
  t.same(witness.judge(HEIR), [{ channel: undefined, order: 120, end: END }])
})

t.test(
  'where there was no room for a channel that lost something it may be anything',
  async (t) => {
    const witness = createWitness(1)
    witness.note('a', 90, 1)
    witness.note('b', 120, 1)
    witness.note('a', 95, 1)
    t.same(witness.judge(HEIR), [{ channel: undefined, order: 120, end: END }])
  },
)

t.test(
  'what was told is told to a third server while it is remembered, and no longer',
  async (t) => {
    const witness = createWitness()
    witness.note('a', 120, 1)
    witness.told(HEIR)
    t.equal(witness.judge(HEIR).length, 1)
    witness.rotate()
    witness.rotate()
    t.same(witness.judge(HEIR), [])
  },
)

t.test('after a wipe nothing is known of what was before', async (t) => {
  const witness = createWitness()
  witness.note('a', 120, 1)
  witness.clear()
  t.same(witness.judge(HEIR), [])
})
