/** Where names live: part of the data format. */
import t from 'tap'
import { homeOf, partitionOf } from '../../src/log/partition.js'

t.test('a channel lives by its own name, but for what belongs to another', async (t) => {
  for (const [name, home] of [
    ['chat:1', 'chat:1'],
    ['run:1', 'run:1'],
    ['session:s', 'session:s'],
    ['room:r', 'room:r'],
    ['inbox:r:i', 'room:r'],
    ['inbox:r:i:more', 'room:r'],
    ['inbox:r', 'room:r'],
    ['presence:chat:1', 'chat:1'],
    ['presence:room:r', 'room:r'],
    ['presence:inbox:r:i', 'room:r'],
    ['presence:presence:chat', 'chat'],
    ['inboxes:r:i', 'inboxes:r:i'],
    ['my:inbox:r:i', 'my:inbox:r:i'],
  ] as const) {
    t.equal(homeOf(name), home, name)
    for (const count of [1, 4, 64]) t.equal(partitionOf(name, count), partitionOf(home, count))
  }
})

t.test('a name is in the same partition for ever', async (t) => {
  t.same(
    ['chat:1', 'run:1', 'room:r', 'a'].map((name) => partitionOf(name, 64)),
    [54, 51, 54, 44],
  )
})
