/** Answers that are shared: by whom, and for how long. */
import t from 'tap'
import { lately } from '../../src/admin/lately.js'

t.test('those who ask the same within a moment are given the same', async (t) => {
  let time = 0
  let made = 0
  const ask = lately(
    (key) => `${key}${++made}`,
    500,
    () => time,
  )
  t.equal(ask('a'), 'a1')
  time = 499
  t.equal(ask('a'), 'a1')
  time = 500
  t.equal(ask('a'), 'a2', 'it is as old as that at the most')
  t.equal(ask('b'), 'b3', 'another question has another answer')
  t.equal(ask('a'), 'a4', 'of which one alone is kept')
})
