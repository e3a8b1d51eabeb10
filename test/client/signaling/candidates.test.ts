import t from 'tap'
import { createHeldCandidates, ufragsOf } from '../../../src/client/signaling/candidates.js'

const sdp = (...ufrags: string[]) => ufrags.map((it) => `m=\r\na=ice-ufrag:${it}\r\n`).join('')
const batch = (connection: string, ufrag: string, candidate = 'a') => ({
  connection,
  ufrag,
  candidates: [{ candidate }],
})

t.test('user fragments are read from every part of a description', async (t) => {
  t.strictSame([...ufragsOf(sdp('ab+/', 'cd12'))], ['ab+/', 'cd12'])
  t.strictSame([...ufragsOf('v=0\r\n')], [])
})

t.test('candidates wait for their description, and then pass at once', async (t) => {
  const held = createHeldCandidates()
  t.strictSame(held.take(batch('c1', 'u')), [])
  t.strictSame(held.describe('c1', sdp('u')), [batch('c1', 'u')])
  t.strictSame(held.take(batch('c1', 'u', 'b')), [batch('c1', 'u', 'b')])
})

t.test('those of an offer that was ignored never pass', async (t) => {
  const held = createHeldCandidates()
  held.describe('c1', sdp('u'))
  t.strictSame(held.take(batch('c1', 'ignored')), [])
  t.strictSame(held.describe('c1', sdp('v')), [])
  t.strictSame(held.describe('c1', sdp('ignored')), [], 'they were dropped')
})

t.test('those of another connection never pass', async (t) => {
  const held = createHeldCandidates()
  t.strictSame(held.take(batch('c1', 'u')), [])
  t.strictSame(held.describe('c2', sdp('u')), [])
  t.strictSame(held.take(batch('c1', 'u')), [])
})

t.test('a peer that sends nothing else fills no memory', async (t) => {
  const held = createHeldCandidates()
  for (let i = 0; i < 10_000; i++) held.take(batch('c1', 'u', String(i)))
  const ready = held.describe('c1', sdp('u'))
  t.ok(ready.length <= 50)
  t.strictSame(ready.at(-1), batch('c1', 'u', '9999'))
})
