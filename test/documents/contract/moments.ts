import { dataOf, drafts, everything } from '../../log/subject.js'
import type { Promised } from '../contract.js'
import { applied, create, fieldsOf, NAME, said } from '../subject.js'

const INBOX = 'inbox:r:i1'
const BY_KEY = { channel: NAME, name: 'said', data: '1', key: 'k' }

export function moments(promised: Promised): void {
  promised('what is said with a change stands in the log as appended', async (t, s) => {
    const { version } = await create(s.one)
    await s.log.follow(NAME)
    const changed = applied(
      await s.other.change(NAME, {
        version,
        set: { topic: '"b"' },
        drafts: [said('1'), { ...said('2'), channel: INBOX }, { ...said('3'), ephemeral: true }],
      }),
    )
    const { receipts, position } = changed
    t.match(receipts, [
      { channel: NAME, duplicate: false },
      { channel: INBOX, duplicate: false },
      { channel: NAME, position: null },
    ])
    t.same(receipts[1]!.position, position)
    await s.heard.until(() => s.heard.ephemerals.length > 0)
    t.same(dataOf(s.heard.entriesOf(NAME)), ['1'])
    t.same(
      (await everything(s.log, INBOX)).entries.map(({ order }) => order),
      [position.order],
    )
  })

  promised('a document is true at the position that is read with it', async (t, { one, log }) => {
    const first = await create(one)
    const before = await one.read(NAME)
    t.same(before.position, first.position)
    const { version, position } = applied(
      await one.change(NAME, { version: before.version, set: { n: '1' }, drafts: [said('1')] }),
    )
    const after = await one.read(NAME)
    t.same(after.position, position)
    t.equal(after.version, version)
    const partition = log.partitionOf(NAME)
    const from = (order: number) => log.read(partition, [{ channel: NAME, after: order }], 10)
    t.equal((await from(before.position.order)).channels[0]!.entries.length, 1)
    t.equal((await from(after.position.order)).channels[0]!.entries.length, 0)
    t.match(await log.locate(partition, position), { known: true })
  })

  promised('a conflict says nothing', async (t, { one, log }) => {
    await create(one)
    await one.change(NAME, { version: 1, set: { n: '1' }, drafts: [said('1')] })
    t.equal(await log.info(NAME), undefined)
  })

  promised('a key is answered with what it was first', async (t, { one, log }) => {
    const { version } = await create(one)
    const change = (n: string, from: number) =>
      one.change(NAME, { version: from, set: { n }, drafts: [BY_KEY] })
    const first = applied(await change('1', version))
    const second = applied(await change('2', first.version))
    t.same(second.receipts, [{ ...first.receipts[0], duplicate: true }])
    t.equal((await log.info(NAME))!.events, 1)
    t.match(fieldsOf(await one.read(NAME)), { n: '2' })
  })

  promised('a refused draft refuses the change', async (t, { one, log }) => {
    const { version } = await create(one)
    await log.append([BY_KEY, { ...said('1'), fence: 2 }])
    await log.close(INBOX, null)
    const before = await everything(log, NAME)
    for (const [draft, code] of [
      [{ ...BY_KEY, data: '2' }, 'key_conflict'],
      [{ ...said('2'), fence: 1 }, 'fenced'],
      [{ ...said('2'), channel: INBOX }, 'channel_closed'],
    ] as const) {
      const change = { version, set: { n: '1' }, drafts: [said('0'), draft], deletes: [INBOX] }
      await t.rejects(one.change(NAME, change), { code })
    }
    t.same(fieldsOf(await one.read(NAME)), { topic: '"a"' })
    t.same((await everything(log, NAME)).entries, before.entries)
    t.equal((await log.info(INBOX))!.closed, true)
  })

  promised('channels are removed after the drafts, in the same moment', async (t, s) => {
    const { version } = await create(s.one)
    await s.log.append(drafts(INBOX, 3))
    await s.log.follow(INBOX)
    const last = { ...said('"last"'), channel: INBOX }
    const change = {
      version,
      set: { n: '1' },
      drafts: [last, said('1')],
      deletes: [INBOX, 'room:r'],
    }
    const { receipts } = applied(await s.one.change(NAME, change))
    await s.heard.until(() => s.heard.deletions.length > 0)
    t.same(s.heard.deletions, [{ channel: INBOX, upTo: receipts[0]!.position!.order }])
    t.same((await everything(s.log, INBOX)).entries, [])
    t.same((await everything(s.log, NAME)).entries, [])
  })

  promised('what lives elsewhere can’t be in the same moment', async (t, { one, log }) => {
    const elsewhere = Array.from({ length: 100 }, (_, i) => `room:${i}`).find((channel) => {
      return log.partitionOf(channel) !== log.partitionOf(NAME)
    })
    if (elsewhere === undefined) return
    const { version } = await create(one)
    for (const change of [
      { drafts: [{ ...said('1'), channel: elsewhere }] },
      { deletes: [elsewhere] },
    ]) {
      await t.rejects(one.change(NAME, { version, ...change }), /isn't in the partition/)
    }
  })

  promised('appends of one gateway keep their order among its changes', async (t, { one, log }) => {
    const { version } = await create(one)
    await Promise.all([
      log.append([said('0')]),
      one.change(NAME, { version, becomes: 11, set: { n: '1' }, drafts: [said('1')] }),
      log.append([said('2')]),
      one.change(NAME, { version: 11, drafts: [said('3')] }),
      log.append([said('4')]),
    ])
    t.same(dataOf((await everything(log, NAME)).entries), ['0', '1', '2', '3', '4'])
  })
}
