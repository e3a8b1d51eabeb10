import type { Promised } from '../store-contract.js'
import { begin, DONE, KEEP, LEASE, resume, standing } from '../store-subject.js'

export function stops(promised: Promised): void {
  promised('whoever produces a run hears that it is to stop, from any gateway', async (t, s) => {
    const { run } = await begin(s.one, 'a')
    t.same(await s.other.requestStop('a'), run)
    await s.heard.one.until('a')
    t.match(await s.one.get('a'), { state: 'running' }, 'to end it is the producer’s')
    t.equal(await standing(s.one, 'a', 1), 'stopped')
    t.equal(await standing(s.one, 'a', 1), 'stopped', 'until it has')
  })

  promised('a stop may be said again', async (t, { one, other, heard }) => {
    await begin(one, 'a')
    for (const store of [one, other, one]) {
      t.match(await store.requestStop('a'), { id: 'a', state: 'running' })
    }
    await heard.one.until('a')
  })

  promised('the next producer hears of it as well', async (t, { one, other, heard }) => {
    await begin(one, 'a')
    await one.requestStop('a')
    await resume(other, 'a')
    await heard.other.until('a')
    t.equal(await standing(other, 'a', 2), 'stopped')
  })

  promised('and whoever ends a run whose producer is gone', async (t, s) => {
    for (const id of ['stopped', 'running']) await begin(s.one, id, 200)
    await s.one.requestStop('stopped')
    await s.elapse(200)
    const charges = await s.other.overdue(10, LEASE)
    const wanted = charges.map(({ run, stopped }) => [run.id, stopped])
    t.same(wanted.toSorted(), [
      ['running', false],
      ['stopped', true],
    ])
  })

  promised('an ended run is told as it is, and nobody hears of it', async (t, s) => {
    await begin(s.one, 'ended')
    await s.one.finish('ended', 1, { state: 'done', events: 3 }, KEEP)
    const run = await s.one.get('ended')
    t.same(await s.other.requestStop('ended'), run)
    await begin(s.one, 'a')
    await s.one.requestStop('a')
    await s.heard.one.until('a')
    t.notOk(s.heard.one.ids.includes('ended'))
  })

  promised(
    'a run that begins anew isn’t stopped by what was said of the one before',
    async (t, s) => {
      await begin(s.one, 'a')
      await s.one.requestStop('a')
      await s.one.finish('a', 1, DONE, 1)
      await s.elapse(1)
      await begin(s.one, 'a')
      t.equal(await standing(s.one, 'a', 1), 'held')
    },
  )
}
