import fc from 'fast-check'
import t from 'tap'
import { createGenerations } from '../../src/auth/generations.js'

t.test('never more is kept than allowed, and what was used last is always there', async () => {
  const key = fc.integer({ min: 0, max: 30 }).map(String)
  const step = fc.tuple(fc.constantFrom('get', 'set', 'delete'), key)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const size = 10
      const kept = createGenerations<number>(size)
      const model = new Map<string, number>()
      /** The last ones used, the latest at the end. */
      let used: string[] = []
      steps.forEach(([action, name], i) => {
        used = used.filter((it) => it !== name)
        if (action === 'delete') {
          kept.delete(name)
          model.delete(name)
          return
        }
        if (action === 'set') {
          kept.set(name, i)
          model.set(name, i)
        }
        const value = kept.get(name)
        if (value !== undefined && value !== model.get(name)) throw new Error(`an old ${name}`)
        if (value !== undefined) used.push(name)
      })
      for (const name of used.slice(-size / 2)) {
        if (kept.get(name) !== model.get(name)) throw new Error(`${name} is forgotten`)
      }
      const all = [...model.keys()].filter((name) => kept.get(name) !== undefined)
      return all.length <= size
    }),
    { numRuns: 500 },
  )
})

t.test('cleared, it has nothing', async (t) => {
  const kept = createGenerations<number>(2)
  for (const name of ['a', 'b', 'c']) kept.set(name, 1)
  kept.clear()
  t.same(
    ['a', 'b', 'c'].map((name) => kept.get(name)),
    [undefined, undefined, undefined],
  )
})
