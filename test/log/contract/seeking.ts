import type { Start } from '../../../src/log/log.js'
import type { Promised } from '../contract.js'
import { dataOf, drafts, readAll } from '../subject.js'

export function seeking(promised: Promised): void {
  promised('latest starts after everything there is', async (t, { log }) => {
    const [, last] = await log.append(drafts('a', 2))
    await log.append(drafts('b', 1))
    const { position, starts } = await log.seek(0, ['a', 'b', 'none'], { from: 'latest' })
    t.ok(position.order >= last!.position!.order)
    for (const [i, channel] of ['a', 'b', 'none'].entries()) {
      const { entries, gaps } = await readAll(log, channel, starts[i]!)
      t.same([entries, gaps], [[], []], channel)
      t.equal(starts[i], position.order)
    }
  })

  promised('earliest starts with the first event that is kept', async (t, { log }) => {
    await log.append([...drafts('a', 3), ...drafts('b', 2)])
    const { position, starts } = await log.seek(0, ['a', 'b', 'none'], { from: 'earliest' })
    const expected = [['0', '1', '2'], ['0', '1'], []]
    for (const [i, channel] of ['a', 'b', 'none'].entries()) {
      const { entries, gaps } = await readAll(log, channel, starts[i]!)
      t.same(dataOf(entries), expected[i], channel)
      t.same(gaps, [], channel)
    }
    t.equal(position.order, Math.min(...starts))
  })

  promised('a count starts with the last events of each channel', async (t, { log }) => {
    await log.append([...drafts('a', 5), ...drafts('b', 1), ...drafts('c', 5)])
    await log.close('c', null)
    const { starts } = await log.seek(0, ['a', 'b', 'c', 'none'], { from: 'count', count: 2 })
    const expected = [['3', '4'], ['0'], ['3', '4', 'end'], []]
    for (const [i, channel] of ['a', 'b', 'c', 'none'].entries()) {
      const { entries, gaps } = await readAll(log, channel, starts[i]!)
      t.same(dataOf(entries), expected[i], channel)
      t.same(gaps, [], channel)
    }
  })

  promised('an age starts with what came in that time', async (t, { log, elapse }) => {
    await log.append(drafts('a', 2))
    await log.append(drafts('old', 2))
    await elapse(200)
    await log.append(drafts('a', 2, 2))
    const all: Start = { from: 'age', ms: 60_000 }
    const none: Start = { from: 'age', ms: 0 }
    const wide = await log.seek(0, ['a', 'old'], all)
    t.same(dataOf((await readAll(log, 'a', wide.starts[0]!)).entries), ['0', '1', '2', '3'])
    t.same(dataOf((await readAll(log, 'old', wide.starts[1]!)).entries), ['0', '1'])
    await elapse(200)
    const narrow = await log.seek(0, ['a', 'old'], none)
    for (const [i, channel] of ['a', 'old'].entries()) {
      const { entries, gaps } = await readAll(log, channel, narrow.starts[i]!)
      t.same([entries, gaps], [[], []], channel)
    }
  })

  promised('nothing is told as missing where a channel was deleted before', async (t, { log }) => {
    await log.append(drafts('a', 3))
    await log.delete('a')
    await log.append(drafts('a', 1, 3))
    for (const start of [{ from: 'earliest' }, { from: 'count', count: 10 }] as const) {
      const { starts } = await log.seek(0, ['a'], start)
      const { entries, gaps } = await readAll(log, 'a', starts[0]!)
      t.same([dataOf(entries), gaps], [['3'], []])
    }
  })
}
