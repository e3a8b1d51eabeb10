import type { Draft } from '../../../src/log/log.js'
import { formatPosition, msOf } from '../../../src/wire/position.js'
import type { Promised } from '../contract.js'
import { dataOf, drafts, everything } from '../subject.js'

export function appending(promised: Promised): void {
  promised(
    'a receipt for each draft, in their order, at increasing positions',
    async (t, { log }) => {
      const group = [...drafts('a', 2), ...drafts('b', 2), ...drafts('a', 1, 2)]
      const receipts = await log.append(group)
      t.same(
        receipts.map(({ channel }) => channel),
        ['a', 'a', 'b', 'b', 'a'],
      )
      const orders = receipts.map(({ position }) => position!.order)
      t.same(
        orders,
        [...orders].sort((x, y) => x - y),
      )
      t.equal(new Set(orders).size, 5)
      for (const { position, time, duplicate } of receipts) {
        t.equal(time, msOf(position!.order))
        t.equal(duplicate, false)
      }
    },
  )

  promised('what is read is what was appended, at the receipt’s position', async (t, { log }) => {
    const odd: Draft[] = [
      { channel: 'a', name: 'message', data: '{"big":12345678901234567890,"x":1.0}' },
      { channel: 'a', name: 'token', data: '"tab\\tand \\u0000 and Ωé😀"', sender: 'alice' },
      { channel: 'a', name: 'x', data: '[\n  1,\r\n\t2 ]', sender: '' },
      { channel: 'a', name: 'x', data: 'null', sender: '"quoted"' },
      { channel: 'a', name: '"q"', data: '""', sender: 'line\nend\x1e\x1f\0' },
    ]
    const receipts = await log.append(odd)
    const { entries, gaps } = await everything(log, 'a')
    t.same(gaps, [])
    for (const [i, entry] of entries.entries()) {
      t.equal(entry.kind, 'event')
      if (entry.kind !== 'event') continue
      const { order, tag } = receipts[i]!.position!
      t.equal(formatPosition(entry.order, entry.tag), formatPosition(order, tag))
      const { name, data, sender } = odd[i]!
      t.same([entry.name, entry.data, entry.sender], [name, data, sender])
    }
    t.equal(entries.length, odd.length)
  })

  promised('groups take effect in the order of the calls', async (t, { log }) => {
    const calls = Array.from({ length: 60 }, (_, i) => log.append(drafts('a', 3, 3 * i)))
    await Promise.all(calls)
    const { entries } = await everything(log, 'a')
    t.same(
      dataOf(entries),
      Array.from({ length: 180 }, (_, i) => String(i)),
    )
  })

  promised('a close called after an append comes after it, awaited or not', async (t, { log }) => {
    const first = log.append(drafts('a', 2))
    const end = log.close('a', null)
    const late = log.append(drafts('a', 1))
    await t.rejects(late, { code: 'channel_closed' })
    await first
    await end
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', 'end'])
  })

  promised('each entry knows the one before it on its channel', async (t, { log }) => {
    await log.append([...drafts('a', 1), ...drafts('b', 1), ...drafts('a', 2, 1)])
    await log.append(drafts('a', 1, 3))
    const { entries } = await everything(log, 'a')
    t.equal(entries[0]!.prev, 0)
    t.same(
      entries.slice(1).map(({ prev }) => prev),
      entries.slice(0, -1).map(({ order }) => order),
    )
  })

  promised('nothing of a group that names a closed channel is appended', async (t, { log }) => {
    await log.close('shut', null)
    const group = [...drafts('a', 1), ...drafts('shut', 1), ...drafts('a', 1, 1)]
    await t.rejects(log.append(group), { code: 'channel_closed' })
    t.same((await everything(log, 'a')).entries, [])
    t.equal(await log.info('a'), undefined)
  })

  promised('an ephemeral event has no position and is not logged', async (t, { log, heard }) => {
    await log.follow('a')
    const event = { channel: 'a', name: 'typing', data: 'true', sender: 'bob', ephemeral: true }
    const [receipt] = await log.append([event])
    t.match(receipt, { channel: 'a', position: null, duplicate: false })
    await heard.until(() => heard.ephemerals.length === 1)
    t.match(heard.ephemerals[0], { channel: 'a', name: 'typing', data: 'true', sender: 'bob' })
    t.equal(heard.ephemerals[0]!.time, receipt!.time)
    t.same((await everything(log, 'a')).entries, [])
  })

  promised('an ephemeral event is refused by a closed channel', async (t, { log }) => {
    await log.close('a', null)
    const event = { channel: 'a', name: 'typing', data: 'true', ephemeral: true }
    await t.rejects(log.append([event]), { code: 'channel_closed' })
  })

  promised('an empty group is accepted', async (t, { log }) => {
    t.same(await log.append([]), [])
  })

  promised(
    'with partitions, a group’s receipts come in its order',
    async (t, { log }) => {
      const channels = Array.from({ length: 20 }, (_, i) => `c${i}`)
      const used = new Set(channels.map((each) => log.partitionOf(each)))
      t.same([...used].sort(), [0, 1, 2, 3])
      const receipts = await log.append(channels.flatMap((each) => drafts(each, 1)))
      t.same(
        receipts.map(({ channel }) => channel),
        channels,
      )
      for (const channel of channels) {
        t.same(dataOf((await everything(log, channel)).entries), ['0'])
      }
    },
    { partitions: 4 },
  )
}
