import t from 'tap'
import { top } from '../../src/hub/top.js'

t.test('the greatest first, as many as are wanted', async (t) => {
  const items = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
  t.same(
    top(items, 4, (it) => it),
    [9, 6, 5, 5],
  )
  t.same(
    top(items, 100, (it) => it),
    items.toSorted((a, b) => b - a),
  )
  t.same(
    top([], 3, (it) => it),
    [],
  )
})

t.test('of equals those that came first; those with a key below zero never', async (t) => {
  const words = ['one', 'three', 'two', 'four', 'seven', 'five']
  t.same(
    top(words, 3, ({ length }) => length),
    ['three', 'seven', 'four'],
  )
  t.same(
    top(words, 9, ({ length }) => (length > 3 ? length : -1)),
    ['three', 'seven', 'four', 'five'],
  )
})
