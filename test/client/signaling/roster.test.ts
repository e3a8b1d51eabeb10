import t from 'tap'
import type { Participant } from '../../../src/client/signaling/resources.js'
import { createRoster, isPolite, type RosterChange } from '../../../src/client/signaling/roster.js'

const one = (id: string, joined: number, more: Partial<Participant> = {}): Participant => ({
  ...{ id, joined, incarnation: `${id}${joined}`, role: 'participant', data: {}, hand: false },
  ...{ muted: { audio: false, video: false }, ...more },
})
const told = (changes: readonly RosterChange[]) =>
  changes.map(({ type, peer }) => `${type} ${peer.incarnation}`)

const ME = one('me', 5)

t.test('of two exactly one gives way, and both know which', async (t) => {
  const pairs = [
    [one('a', 1), one('b', 2)],
    [one('a', 1, { incarnation: 'x' }), one('b', 1, { incarnation: 'y' })],
  ] as const
  for (const [a, b] of pairs) t.not(isPolite(a, b), isPolite(b, a))
  t.equal(isPolite(one('late', 2), one('early', 1)), true)
})

t.test('a snapshot tells who has come and gone since', async (t) => {
  const roster = createRoster()
  t.strictSame(told(roster.reset(ME, [one('a', 1), one('b', 2)])), ['joined a1', 'joined b2'])
  t.strictSame(told(roster.reset(ME, [one('b', 2), one('c', 3)])), ['left a1', 'joined c3'])
  t.strictSame(told(roster.reset(ME, [one('b', 2), one('c', 3)])), [], 'nothing new')
})

t.test('what is told twice, or late, changes nothing', async (t) => {
  const roster = createRoster()
  roster.reset(ME, [one('a', 7)])
  t.strictSame(told(roster.joined(one('a', 7))), [])
  t.strictSame(told(roster.joined(one('a', 1))), [], 'an earlier joining')
  t.strictSame(told(roster.updated(one('a', 1, { hand: true }))), [])
  t.strictSame(told(roster.left({ id: 'a', incarnation: 'a1', reason: 'timeout' })), [])
  t.strictSame(told(roster.updated(one('gone', 1))), [])
  t.equal(roster.get('a')?.incarnation, 'a7')
})

t.test('a reload is a leaving and a joining', async (t) => {
  const roster = createRoster()
  roster.reset(ME, [one('a', 1)])
  t.strictSame(told(roster.joined(one('a', 9))), ['left a1', 'joined a9'])
  t.equal(roster.get('a')?.polite, false, 'they came later, and are the polite ones')
})

t.test('this participant isn’t among the others', async (t) => {
  const roster = createRoster()
  roster.reset(ME, [ME])
  t.strictSame(told(roster.joined(ME)), [])
  t.strictSame(roster.peers, [])
})

t.test('away is what was told last', async (t) => {
  const roster = createRoster()
  roster.reset(ME, [one('a', 1, { away: true })])
  t.equal(roster.get('a')?.away, true)
  t.strictSame(told(roster.updated(one('a', 1, { hand: true }))), ['updated a1'])
  t.equal(roster.get('a')?.away, true, 'events don’t speak of it')
  t.strictSame(told(roster.setAway('a', false)), ['updated a1'])
  t.strictSame(told(roster.setAway('a', false)), [])
  t.strictSame(told(roster.setAway('nobody', true)), [])
})
