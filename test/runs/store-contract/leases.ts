import type { Promised } from '../store-contract.js'
import { BROKEN, begin, DONE, KEEP, LEASE, resume, standing } from '../store-subject.js'

const SHORT = 200
/** A producer that comes item by item. */
const ITEMS = { format: 'plain', loose: true } as const

export function leases(promised: Promised): void {
  promised('a producer holds its run, and says how far it is', async (t, { one, other }) => {
    await begin(one, 'a')
    t.same(await one.renew([{ id: 'a', fence: 1, events: 7 }], LEASE), ['held'])
    t.match(await other.get('a'), { state: 'running', events: 7 })
  })

  promised('each next producer has a greater fence, the one before has lost', async (t, s) => {
    await begin(s.one, 'a')
    t.match(await resume(s.other, 'a'), { fence: 2, run: { state: 'running' } })
    t.equal(await standing(s.one, 'a', 1), 'lost')
    t.equal(await standing(s.other, 'a', 2), 'held')
    t.match(await resume(s.one, 'a'), { fence: 3 })
    t.equal(await standing(s.other, 'a', 2), 'lost')
    t.equal(await standing(s.one, 'a', 3), 'held')
  })

  promised('what one that has lost says of events isn’t written down', async (t, { one }) => {
    await begin(one, 'a')
    await resume(one, 'a')
    await one.renew([{ id: 'a', fence: 2, events: 5 }], LEASE)
    await one.renew([{ id: 'a', fence: 1, events: 9 }], LEASE)
    t.match(await one.get('a'), { events: 5 })
  })

  promised('of many who take over at once each has a fence of its own', async (t, s) => {
    await begin(s.one, 'a')
    const holds = await Promise.all(
      Array.from({ length: 20 }, (_, i) => resume(i % 2 === 0 ? s.one : s.other, 'a')),
    )
    t.same(
      holds.map(({ fence }) => fence).toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i + 2),
    )
  })

  promised('a thousand renewals are answered in their order', async (t, { one, other }) => {
    const ids = Array.from({ length: 1000 }, (_, i) => `r${i}`)
    await Promise.all(ids.map((id) => begin(one, id)))
    await Promise.all(ids.filter((_, i) => i % 3 === 0).map((id) => resume(other, id)))
    await Promise.all(ids.filter((_, i) => i % 3 === 1).map((id) => other.requestStop(id)))
    const standings = await one.renew(
      ids.map((id, i) => ({ id, fence: 1, events: i })),
      LEASE,
    )
    t.same(
      standings,
      ids.map((_, i) => (['lost', 'stopped', 'held'] as const)[i % 3]),
    )
    t.match(await other.get('r998'), { events: 998 })
    t.same(await one.renew([], LEASE), [])
  })

  promised('a run whose producer is silent is handed to one gateway', async (t, s) => {
    await begin(s.one, 'late', SHORT)
    await begin(s.one, 'early', LEASE)
    t.same(await s.one.overdue(10, LEASE), [])
    await s.elapse(SHORT)
    const taken = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? s.one : s.other).overdue(10, LEASE)),
    )
    t.match(taken.flat(), [{ run: { id: 'late', state: 'running' }, fence: 2, stopped: false }])
    t.equal(taken.flat().length, 1)
    t.equal(await standing(s.one, 'late', 1), 'lost')
    t.match(await s.other.finish('late', 2, BROKEN, KEEP), { state: 'error' })
  })

  promised('and to the next one where that is silent, too', async (t, { one, other, elapse }) => {
    await begin(one, 'a', SHORT)
    await elapse(SHORT)
    t.match(await one.overdue(10, SHORT), [{ fence: 2 }])
    t.same(await other.overdue(10, SHORT), [])
    await elapse(SHORT)
    t.match(await other.overdue(10, SHORT), [{ fence: 3 }])
  })

  promised('any sign of life counts', async (t, { one, elapse }) => {
    for (const id of ['renewed', 'touched', 'resumed', 'ended', 'silent']) {
      await begin(one, id, SHORT)
    }
    await one.begin({ ...ITEMS, id: 'item by item' }, SHORT)
    t.equal(await standing(one, 'renewed', 1), 'held')
    t.match(await one.touch('touched', LEASE), { run: { id: 'touched' }, fence: 2 })
    t.match(await one.touch('item by item', LEASE), { fence: 1 })
    await resume(one, 'resumed')
    await one.finish('ended', 1, DONE, KEEP)
    await elapse(SHORT)
    const taken = await one.overdue(10, LEASE)
    t.same(
      taken.map(({ run }) => run.id),
      ['silent'],
    )
  })

  promised('a lease that is over costs nothing until somebody takes the run', async (t, s) => {
    await begin(s.one, 'a', SHORT)
    await s.elapse(SHORT)
    t.equal(await standing(s.one, 'a', 1), 'held')
    t.same(await s.other.overdue(10, LEASE), [])
  })

  promised('no more than asked for are taken over, and none is left out', async (t, s) => {
    const ids = Array.from({ length: 50 }, (_, i) => `r${i}`)
    for (const id of ids) await begin(s.one, id, SHORT)
    await s.elapse(SHORT)
    const taken: string[] = []
    for (const [limit, count] of [
      [1, 1],
      [3, 3],
      [30, 30],
      [30, 16],
      [30, 0],
    ] as const) {
      const charges = await s.one.overdue(limit, LEASE)
      t.equal(charges.length, count, `${count} of at most ${limit}`)
      taken.push(...charges.map(({ run }) => run.id))
    }
    t.same(taken.toSorted(), ids.toSorted())
  })

  promised('a touch tells how the run stands, and changes nothing else', async (t, s) => {
    const begun = await s.one.begin({ ...ITEMS, id: 'a' }, LEASE)
    const { run } = begun
    t.same(await s.other.touch('a', LEASE), { run, fence: 1, stopped: false })
    await resume(s.one, 'a')
    await s.one.requestStop('a')
    t.same(await s.other.touch('a', LEASE), { run, fence: 2, stopped: true })
    await s.one.finish('a', 2, DONE, KEEP)
    t.match(await s.other.touch('a', LEASE), { run: { state: 'done' }, fence: 2, stopped: false })
  })

  promised('an item takes the run over from whoever holds it, once', async (t, s) => {
    await begin(s.one, 'a')
    t.match(await s.other.touch('a', LEASE), { fence: 2 })
    t.equal(await standing(s.one, 'a', 1), 'lost')
    t.match(await s.one.touch('a', LEASE, { fence: 2 }), { fence: 2 })
    await resume(s.one, 'a')
    t.match(await s.other.touch('a', LEASE), { fence: 4 }, 'and again from the next')
  })

  promised(
    'a visitor that is refused keeps nothing alive, and takes nothing over',
    async (t, s) => {
      for (const id of ['old', 'new', 'foreign', 'stopped', 'own']) {
        await s.one.begin({ ...ITEMS, id, owner: 's alice' }, SHORT)
      }
      await begin(s.one, 'held', SHORT)
      await resume(s.one, 'old', SHORT)
      await s.one.requestStop('stopped')
      t.match(await s.other.touch('old', LEASE, { fence: 1 }), { fence: 2 })
      t.match(await s.other.touch('new', LEASE, { fence: 9 }), { fence: 1 })
      t.match(await s.other.touch('foreign', LEASE, { owner: 's bob' }), { fence: 1 })
      t.match(await s.other.touch('stopped', LEASE), { fence: 1 })
      t.match(await s.other.touch('held', LEASE, { owner: 's bob' }), { fence: 1 })
      t.match(await s.other.touch('own', LEASE, { fence: 1, owner: 's alice' }), { fence: 1 })
      await s.elapse(SHORT)
      const taken = await s.one.overdue(10, LEASE)
      t.same(taken.map(({ run }) => run.id).toSorted(), [
        'foreign',
        'held',
        'new',
        'old',
        'stopped',
      ])
    },
  )
}
