import type { Promised } from '../contract.js'
import { dataOf, drafts, earliest, everything, FEW, readAll, SHORT_AGE } from '../subject.js'

export function retention(promised: Promised): void {
  promised('the newest events are kept, and who missed older ones is told', async (t, { log }) => {
    const [first] = await log.append(drafts('few:a', 1))
    await log.append(drafts('few:a', 400, 1))
    const { entries, gaps } = await everything(log, 'few:a')
    t.same(gaps, [])
    t.ok(entries.length >= FEW)
    t.ok(entries.length < 400)
    t.equal(dataOf(entries).at(-1), '400')
    const missed = await readAll(log, 'few:a', first!.position!.order)
    t.match(missed.gaps, [{ reason: 'trimmed', floor: { order: entries[0]!.prev } }])
    t.same(dataOf(missed.entries), dataOf(entries))
    t.equal((await log.info('few:a'))!.events, entries.length)
  })

  promised('a cursor at the last trimmed event misses nothing', async (t, { log }) => {
    await log.append(drafts('few:a', 400))
    const start = await earliest(log, 'few:a')
    t.same((await readAll(log, 'few:a', start)).gaps, [])
    t.equal((await readAll(log, 'few:a', start - 1)).gaps.length, 1)
  })

  promised('what is too old is not given out, and who missed it is told', async (t, subject) => {
    const { log } = subject
    const { order: before } = log.position(0)
    const [, second] = await log.append(drafts('short:a', 2))
    await subject.elapse(SHORT_AGE + 50)
    const [third] = await log.append(drafts('short:a', 1, 2))
    const { entries, gaps } = await readAll(log, 'short:a', before)
    t.match(gaps, [{ reason: 'expired', floor: { order: second!.position!.order } }])
    t.same(dataOf(entries), ['2'])
    t.match(await log.info('short:a'), {
      events: 1,
      first: { order: third!.position!.order },
    })
    t.same((await readAll(log, 'short:a', second!.position!.order)).gaps, [])
  })

  promised('a channel that expired whole is not a channel that had nothing', async (t, subject) => {
    const { log } = subject
    const { order: before } = log.position(0)
    const [, last] = await log.append(drafts('short:a', 2))
    await subject.elapse(SHORT_AGE + 50)
    const missed = await readAll(log, 'short:a', before)
    t.same(missed.entries, [])
    t.match(missed.gaps, [{ reason: 'expired', floor: { order: last!.position!.order } }])
    t.same((await readAll(log, 'short:a', last!.position!.order)).gaps, [])
    t.match(await log.info('short:a'), { events: 0, first: null, last: null })
    for (const start of [{ from: 'earliest' }, { from: 'count', count: 5 }] as const) {
      const { starts } = await log.seek(0, ['short:a'], start)
      t.same((await readAll(log, 'short:a', starts[0]!)).gaps, [])
    }
  })

  promised('a channel stays closed when its end has expired', async (t, subject) => {
    const { log } = subject
    const [last] = await log.append(drafts('short:a', 1))
    const end = await log.close('short:a', 'done')
    await subject.elapse(SHORT_AGE + 50)
    const { entries, gaps, closed } = await readAll(log, 'short:a', last!.position!.order)
    t.same([entries, gaps], [[], []])
    t.match(closed, { position: { order: end.order }, reason: 'done' })
    await t.rejects(log.append(drafts('short:a', 1)), { code: 'channel_closed' })
  })
}
