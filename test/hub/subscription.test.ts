import t from 'tap'
import { type Happening, type Phase, transition } from '../../src/hub/subscription.js'

t.test('a share goes from replaying to live when it has caught up', async (t) => {
  t.equal(transition('replaying', 'caught-up'), 'live')
})

t.test('a full socket makes it lag, and a drained one read again from its position', async (t) => {
  t.equal(transition('live', 'full'), 'lagging')
  t.equal(transition('replaying', 'full'), 'lagging')
  t.equal(transition('lagging', 'drained'), 'replaying')
})

t.test(
  'whatever was missed, a live share reads again, and a lagging one goes on lagging',
  async (t) => {
    t.equal(transition('live', 'behind'), 'replaying')
    t.equal(transition('lagging', 'behind'), 'lagging')
  },
)

t.test('a lagging share never goes live without reading', async (t) => {
  t.throws(() => transition('lagging', 'caught-up'))
})

t.test('closed is closed', async (t) => {
  const phases: Phase[] = ['replaying', 'live', 'lagging', 'closed']
  for (const phase of phases) t.equal(transition(phase, 'close'), 'closed')
  const happenings: Happening[] = ['caught-up', 'behind', 'full', 'drained']
  for (const happening of happenings) t.throws(() => transition('closed', happening))
})
