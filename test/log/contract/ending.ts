import type { Promised } from '../contract.js'
import { dataOf, drafts, everything, readAll } from '../subject.js'

export function ending(promised: Promised): void {
  promised('the end is the channel’s last entry', async (t, { log }) => {
    const [last] = await log.append(drafts('a', 1))
    const end = await log.close('a', 'done')
    t.match(end, { kind: 'end', channel: 'a', prev: last!.position!.order, reason: 'done' })
    const { entries, closed } = await everything(log, 'a')
    t.same(dataOf(entries), ['0', 'end'])
    t.same({ ...entries[1] }, { ...end })
    t.equal(closed!.position.order, end.order)
    t.equal(closed!.reason, 'done')
  })

  promised('closing again gives the same end', async (t, { log }) => {
    const end = await log.close('a', null)
    t.equal(end.prev, 0)
    t.equal(end.reason, null)
    t.same({ ...(await log.close('a', 'other')) }, { ...end })
    t.equal((await everything(log, 'a')).entries.length, 1)
  })

  promised('a closed channel takes no more events', async (t, { log }) => {
    await log.append(drafts('a', 1))
    await log.close('a', null)
    await t.rejects(log.append(drafts('a', 1)), { code: 'channel_closed', status: 409 })
    await log.append(drafts('b', 1))
  })

  promised('a reader that has read all but the end misses nothing', async (t, { log }) => {
    const [last] = await log.append(drafts('a', 1))
    await log.close('a', null)
    const { entries, gaps } = await readAll(log, 'a', last!.position!.order)
    t.same(dataOf(entries), ['end'])
    t.same(gaps, [])
  })

  promised('deleting what isn’t there is false', async (t, { log }) => {
    t.equal(await log.delete('a'), false)
    await log.append(drafts('a', 1))
    t.equal(await log.delete('a'), true)
    t.equal(await log.delete('a'), false)
  })

  promised('a deleted channel goes on after what it had', async (t, { log }) => {
    const [, last] = await log.append(drafts('a', 2))
    await log.delete('a')
    t.same((await everything(log, 'a')).entries, [])
    const [next] = await log.append(drafts('a', 1, 2))
    t.ok(next!.position!.order > last!.position!.order)
    const { entries, gaps } = await everything(log, 'a')
    t.same(dataOf(entries), ['2'])
    t.equal(entries[0]!.prev, last!.position!.order)
    t.same(gaps, [])
  })

  promised('a reader that had not read what was deleted is told', async (t, { log }) => {
    const [first, last] = await log.append(drafts('a', 2))
    await log.delete('a')
    const before = await readAll(log, 'a', first!.position!.order)
    t.match(before.gaps, [{ reason: 'deleted', floor: { order: last!.position!.order } }])
    await log.append(drafts('a', 1, 2))
    const after = await readAll(log, 'a', first!.position!.order)
    t.match(after.gaps, [{ reason: 'deleted', floor: { order: last!.position!.order } }])
    t.same(dataOf(after.entries), ['2'])
    const upToDate = await readAll(log, 'a', last!.position!.order)
    t.same(upToDate.gaps, [])
  })

  promised('deleting opens a closed channel again', async (t, { log }) => {
    await log.append(drafts('a', 1))
    const end = await log.close('a', null)
    t.equal(await log.delete('a'), true)
    await log.append(drafts('a', 1, 1))
    const { entries, closed } = await everything(log, 'a')
    t.same(dataOf(entries), ['1'])
    t.equal(entries[0]!.prev, end.order)
    t.equal(closed, undefined)
  })
}
