/** What a gateway remembers, and what it says of it; pure. */
import t from 'tap'
import type { History } from '../../src/log/redis/epochs.js'
import { createWitness, summarize } from '../../src/log/redis/witness.js'

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

t.test('many losses are one line of the log, which names five channels', async (t) => {
  const witness = createWitness()
  for (const n of [1, 2, 3, 4, 5, 6, 7]) witness.note(`c${n}`, 120, 1)
  const some = ['c1', 'c2', 'c3', 'c4', 'c5']
  t.same(summarize(witness.judge(HEIR)), [{ channels: 7, some, end: '0-4196', vague: false }])
  witness.rotate()
  witness.rotate()
  witness.note('a', 120, 1)
  const vague = { channels: 1, some: ['a'], end: '0-4196', vague: true }
  t.same(summarize(witness.judge(HEIR)), [vague], 'what was forgotten may be anything')
})
