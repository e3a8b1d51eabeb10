/** What a session's document says, and what is changed in it. */
import t from 'tap'
import {
  adding,
  connecting,
  disconnecting,
  type Fields,
  reading,
  readSession,
  removing,
} from '../../src/sessions/record.js'
import type { Ground } from '../../src/sessions/sessions.js'

const at = (order: number) => ({ order, tag: 1 })
const room = (incarnation: string): Ground => {
  return { by: 'room', room: 'r', participant: 'p', incarnation }
}
const RIGHT: Ground = { by: 'right' }

/** The session after changes, each computed from what the ones before it left. */
function after(...changes: ((record: ReturnType<typeof readSession>) => Fields)[]) {
  const fields = new Map<string, string>()
  const record = () => {
    return readSession({ version: 1, fields, away: new Set(), position: at(0) })
  }
  for (const change of changes) {
    for (const [name, value] of Object.entries(change(record()))) {
      if (value === null) fields.delete(name)
      else fields.set(name, value)
    }
  }
  return record()
}

t.test('a channel that is added twice begins where it was added first', async (t) => {
  const { held } = after(
    (it) => adding(it, [{ channel: 'a', at: at(1) }], RIGHT),
    (it) => adding(it, [{ channel: 'a', at: at(2) }], RIGHT),
  )
  t.match(held.get('a'), { at: at(1) })
})

t.test('a later joining takes the place of an earlier one, and a right does not', async (t) => {
  const { held } = after(
    (it) => adding(it, [{ channel: 'room:r', at: at(1) }], room('one')),
    (it) => adding(it, [{ channel: 'room:r', at: at(2) }], room('two')),
    (it) => adding(it, [{ channel: 'room:r', at: at(3) }], RIGHT),
  )
  t.match(held.get('room:r'), { at: at(2), ground: room('two') })
})

t.test('what was taken away is back once it is added again', async (t) => {
  const gone = after((it) => removing(it, ['a', 'b'], 'removed'))
  t.same([...gone.without], ['a', 'b'])
  const back = after(
    (it) => removing(it, ['a', 'b'], 'removed'),
    (it) => adding(it, [{ channel: 'a', at: at(1) }], RIGHT),
  )
  t.same([...back.without], ['b'])
})

t.test('reasons are kept for some channels, the last ones, whatever their names', async (t) => {
  const many = Array.from({ length: 300 }, (_, i) => `c${i}`)
  const { gone } = after(
    (it) => removing(it, ['__proto__', 'constructor'], 'removed'),
    (it) => removing(it, many, 'kicked'),
  )
  t.equal(gone.size, 20)
  t.equal(gone.get('c299'), 'kicked')
})

t.test('how far a channel was read is said once', async (t) => {
  const { held } = after(
    (it) => adding(it, [{ channel: 'a', at: at(1) }], RIGHT),
    (it) => reading(it, () => at(5)),
    (it) => reading(it, () => at(9)),
  )
  t.match(held.get('a'), { at: at(1), read: at(5) })
})

t.test('only the newest connection closes its session', async (t) => {
  const { connection } = after(
    (it) => connecting(it, 'one', 1),
    (it) => connecting(it, 'two', 3),
    (it) => disconnecting(it, 1),
  )
  t.same(connection, { number: 2, node: 'two', named: 3 })
})
