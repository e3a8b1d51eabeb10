import type { Promised } from '../store-contract.js'
import { KEEP } from '../store-subject.js'

export function keys(promised: Promised): void {
  promised('a key stands for the first run that was given for it', async (t, { one, other }) => {
    t.equal(await one.keyed('key', 'a', KEEP), 'a')
    t.equal(await other.keyed('key', 'b', KEEP), 'a')
    t.equal(await one.keyed('key', 'c', KEEP), 'a')
    t.equal(await one.keyed('another', 'b', KEEP), 'b')
  })

  promised('also of many at once', async (t, { one, other }) => {
    const ids = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : other).keyed('k', `r${i}`, KEEP)),
    )
    t.equal(new Set(ids).size, 1)
  })

  promised('for as long as was said at first', async (t, { one, elapse }) => {
    await one.keyed('key', 'a', 300)
    await elapse(200)
    t.equal(await one.keyed('key', 'b', 300), 'a')
    await elapse(100)
    t.equal(await one.keyed('key', 'b', 300), 'b')
  })

  promised('no two keys mean the same', async (t, { one }) => {
    const keys = ['a', 'A', 'a:b', ' ', '', '"a"', '\0', '\ud800', '\udfff', '\ufffd', '{p1}', '*']
    for (const [i, key] of keys.entries()) t.equal(await one.keyed(key, `r${i}`, KEEP), `r${i}`)
    for (const [i, key] of keys.entries()) t.equal(await one.keyed(key, 'late', KEEP), `r${i}`)
  })
}
