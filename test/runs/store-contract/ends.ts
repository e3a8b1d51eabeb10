import type { RunEnd } from '../../../src/runs/run.js'
import type { Promised } from '../store-contract.js'
import { BROKEN, begin, DONE, KEEP, LEASE, resume, standing } from '../store-subject.js'

export function ends(promised: Promised): void {
  promised('an end is told as it was said, on any gateway', async (t, { one, other }) => {
    const all: RunEnd[] = [DONE, BROKEN, { state: 'aborted', events: 0, text: '' }]
    for (const [i, end] of all.entries()) {
      const { run } = await begin(one, `r${i}`)
      const ended = await one.finish(`r${i}`, 1, end, KEEP)
      t.ok(ended!.ended! >= run.started)
      t.same(ended, { ...run, ...end, ended: ended!.ended })
      t.same(await other.get(`r${i}`), ended)
    }
  })

  promised('the first end stands, however often it is said', async (t, { one }) => {
    await begin(one, 'a')
    const first = await one.finish('a', 1, DONE, KEEP)
    t.same(await one.finish('a', 1, BROKEN, KEEP), first)
    t.same(await one.get('a'), first)
  })

  promised('of many ends at once all hear of the same', async (t, { one }) => {
    await begin(one, 'a')
    const ends = await Promise.all(
      Array.from({ length: 20 }, (_, i) => one.finish('a', 1, { ...DONE, events: i }, KEEP)),
    )
    for (const end of ends) t.same(end, ends[0])
  })

  promised(
    'one that has lost its run doesn’t end it, before or after',
    async (t, { one, other }) => {
      await begin(one, 'a')
      await resume(other, 'a')
      t.equal(await one.finish('a', 1, BROKEN, KEEP), undefined)
      t.match(await one.get('a'), { state: 'running' })
      t.match(await other.finish('a', 2, DONE, KEEP), DONE)
      t.equal(await one.finish('a', 1, BROKEN, KEEP), undefined)
      t.match(await one.get('a'), DONE)
    },
  )

  promised('nobody produces a run that has ended', async (t, { one }) => {
    await begin(one, 'a')
    await one.finish('a', 1, DONE, KEEP)
    t.match(await one.resume('a', LEASE), { kind: 'ended', run: { state: 'done', events: 3 } })
    t.equal(await standing(one, 'a', 1), 'lost')
    t.match(await one.get('a'), DONE)
  })

  promised('an ended run is kept as long as was said, then its id is free', async (t, s) => {
    await begin(s.one, 'a')
    await begin(s.one, 'b')
    await s.one.finish('a', 1, DONE, 100)
    await s.one.finish('b', 1, DONE, KEEP)
    t.match(await s.other.get('a'), DONE)
    await s.elapse(100)
    t.equal(await s.other.get('a'), undefined)
    t.match(await s.other.get('b'), DONE)
    await begin(s.other, 'a')
    await s.other.finish('a', 1, BROKEN, KEEP)
    t.equal((await s.one.get('a'))!.text, undefined, 'nothing is left of the other')
  })

  promised('a long text comes where it is wanted, and nowhere else', async (t, { one }) => {
    const text = 'ä "quoted"\n'.repeat(100_000)
    await begin(one, 'a')
    t.equal((await one.finish('a', 1, { ...DONE, text }, KEEP))!.text, text)
    t.equal((await one.finish('a', 1, DONE, KEEP))!.text, text)
    t.equal((await one.get('a'))!.text, text)
    const told = [
      await one.begin({ id: 'a', format: 'plain' }, LEASE),
      await one.resume('a', LEASE),
      await one.touch('a', LEASE),
      { run: await one.requestStop('a') },
    ] as { run: object }[]
    for (const { run } of told) t.notOk('text' in run)
  })
}
