import type { Promised } from '../contract.js'
import { dataOf, drafts, everything } from '../subject.js'

const once = { channel: 'a', name: 'message', data: '1', key: 'k', sender: 'alice' }

export function keys(promised: Promised): void {
  promised('a repeated key gives the first receipt again', async (t, { log }) => {
    const [first] = await log.append([once])
    await log.append(drafts('a', 1))
    const [second] = await log.append([once])
    t.equal(second!.duplicate, true)
    t.equal(second!.position!.order, first!.position!.order)
    t.equal(second!.position!.tag, first!.position!.tag)
    t.equal(second!.time, first!.time)
    t.same(dataOf((await everything(log, 'a')).entries), ['1', '0'])
  })

  promised('a key belongs to one sender on one channel', async (t, { log }) => {
    const receipts = await log.append([
      once,
      { ...once, sender: 'bob' },
      { ...once, sender: undefined },
      { ...once, channel: 'b' },
      { ...once, key: 'K' },
    ])
    t.same(
      receipts.map(({ duplicate }) => duplicate),
      [false, false, false, false, false],
    )
  })

  promised('a key used for another event refuses the whole group', async (t, { log }) => {
    await log.append([once])
    const others = [
      { ...once, data: '2' },
      { ...once, name: 'other' },
    ]
    for (const other of others) {
      await t.rejects(log.append([...drafts('b', 1), other]), { code: 'key_conflict' })
    }
    t.same((await everything(log, 'b')).entries, [])
    t.same(dataOf((await everything(log, 'a')).entries), ['1'])
  })

  promised('a key twice in a group is one event', async (t, { log }) => {
    const [first, , third] = await log.append([once, ...drafts('a', 1), once])
    t.equal(first!.duplicate, false)
    t.equal(third!.duplicate, true)
    t.equal(third!.position!.order, first!.position!.order)
    t.same(dataOf((await everything(log, 'a')).entries), ['1', '0'])
  })

  promised('a key for two events in a group refuses it', async (t, { log }) => {
    await t.rejects(log.append([once, { ...once, data: '2' }]), { code: 'key_conflict' })
    t.same((await everything(log, 'a')).entries, [])
  })

  promised('an ephemeral event with a key is handed over once', async (t, { log, heard }) => {
    await log.follow('a')
    const event = { ...once, ephemeral: true }
    const [first] = await log.append([event])
    const [second] = await log.append([event])
    t.match(first, { position: null, duplicate: false })
    t.match(second, { position: null, duplicate: true, time: first!.time })
    await log.append(drafts('a', 1))
    await heard.until(() => heard.entries.length === 1)
    t.equal(heard.ephemerals.length, 1)
  })

  promised('a thousand publishes of one key at once are one event', async (t, { log }) => {
    const answers = await Promise.all(Array.from({ length: 1000 }, () => log.append([once])))
    const receipts = answers.flat()
    t.equal(receipts.filter(({ duplicate }) => !duplicate).length, 1)
    t.equal(new Set(receipts.map(({ position }) => position!.order)).size, 1)
    t.equal((await everything(log, 'a')).entries.length, 1)
  })

  promised('what was accepted before the end is answered as it was then', async (t, { log }) => {
    const [first] = await log.append([once])
    await log.close('a', null)
    const [again] = await log.append([once])
    t.equal(again!.duplicate, true)
    t.equal(again!.position!.order, first!.position!.order)
  })
}
