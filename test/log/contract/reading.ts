import { BY_CLOCK } from '../../../src/wire/position.js'
import type { Promised } from '../contract.js'
import { dataOf, drafts, earliest, everything, readAll } from '../subject.js'

export function reading(promised: Promised): void {
  promised('page by page is the same as all at once', async (t, { log }) => {
    await log.append(drafts('a', 50))
    await log.close('a', null)
    const start = await earliest(log, 'a')
    const whole = await readAll(log, 'a', start)
    for (const limit of [1, 7, 50, 51, 52]) {
      const paged = await readAll(log, 'a', start, limit)
      t.same(dataOf(paged.entries), dataOf(whole.entries), `limit ${limit}`)
      t.same(paged.gaps, [], `limit ${limit}`)
    }
  })

  promised('complete is said when nothing is later, and only then', async (t, { log }) => {
    const receipts = await log.append(drafts('a', 5))
    const after = await earliest(log, 'a')
    const part = await log.read(0, [{ channel: 'a', after }], 3)
    t.equal(part.channels[0]!.complete, false)
    t.ok(part.channels[0]!.entries.length <= 3)
    const last = receipts.at(-1)!.position!.order
    const none = await log.read(0, [{ channel: 'a', after: last }], 3)
    t.equal(none.channels[0]!.complete, true)
    t.same(none.channels[0]!.entries, [])
  })

  promised('each channel that has something gets something', async (t, { log }) => {
    const channels = ['a', 'b', 'c', 'd', 'e']
    const { order: after } = log.position(0)
    await log.append(channels.flatMap((channel) => drafts(channel, 4)))
    const requests = [...channels, 'empty'].map((channel) => ({ channel, after }))
    const { channels: reads } = await log.read(0, requests, 2)
    t.same(
      reads.map(({ channel }) => channel),
      [...channels, 'empty'],
    )
    for (const read of reads.slice(0, 5)) t.equal(read.entries[0]?.prev, 0, read.channel)
    t.same(reads[5]!.entries, [])
    t.equal(reads[5]!.complete, true)
    t.equal(reads[5]!.gap, undefined)
  })

  promised('an append acknowledged before the call is seen', async (t, { log }) => {
    for (let i = 0; i < 20; i++) {
      const [receipt] = await log.append(drafts('a', 1, i))
      const { order } = receipt!.position!
      const { snapshot, channels } = await log.read(0, [{ channel: 'a', after: order - 1 }], 10)
      t.ok(snapshot.order >= order)
      t.equal(channels[0]!.entries.at(-1)?.order, order)
    }
  })

  promised(
    'a reader at the head of a channel, or of the partition, has no gap',
    async (t, { log }) => {
      await log.append(drafts('a', 3))
      const { snapshot } = await everything(log, 'a')
      for (const channel of ['a', 'never']) {
        t.same((await readAll(log, channel, snapshot.order)).gaps, [])
      }
    },
  )

  promised('a position from before all there is gets a gap', async (t, { log }) => {
    await log.append(drafts('a', 1))
    const { gaps, entries } = await readAll(log, 'a', 1)
    t.equal(gaps.length, 1)
    t.ok(gaps[0]!.floor.order < entries[0]!.order)
    t.same(dataOf(entries), ['0'])
  })

  promised('every position that was given out is known', async (t, { log }) => {
    const receipts = await log.append(drafts('a', 3))
    const { snapshot } = await everything(log, 'a')
    const end = await log.close('a', null)
    const { position } = await log.seek(0, ['a'], { from: 'earliest' })
    const given = [
      ...receipts.map((each) => each.position!),
      snapshot,
      end,
      log.position(0),
      position,
    ]
    for (const each of given) t.same(await log.locate(0, each), { known: true })
  })

  promised('a time stands for the position that it fell on, whoever wrote', async (t, { log }) => {
    const [first] = await log.append(drafts('a', 1))
    const { order } = first!.position!
    t.match(await log.locate(0, { order, tag: BY_CLOCK }), {
      known: true,
      position: first!.position!,
    })
    const later = await log.locate(0, { order: order + 4096 * 3_600_000, tag: BY_CLOCK })
    t.equal(later.known, true)
    if (!later.known) return
    t.same(await log.locate(0, later.position!), { known: true }, 'no later than the last')
  })

  promised('a position from the future or from elsewhere is not known', async (t, { log }) => {
    const [receipt] = await log.append(drafts('a', 1))
    const { order, tag } = receipt!.position!
    const future = await log.locate(0, { order: order + 4096 * 3_600_000, tag })
    t.equal(future.known, false)
    const foreign = await log.locate(0, { order, tag: tag ^ 1 })
    t.match(foreign, { known: false, reason: 'unknown' })
    for (const standing of [future, foreign]) {
      if (standing.known) continue
      t.same(await log.locate(0, standing.resume), { known: true })
    }
  })

  promised('facts about a channel', async (t, { log }) => {
    t.equal(await log.info('a'), undefined)
    const receipts = await log.append(drafts('a', 4))
    const info = await log.info('a')
    t.match(info, { channel: 'a', events: 4, closed: false })
    t.equal(info!.first!.order, receipts[0]!.position!.order)
    t.equal(info!.last!.order, receipts[3]!.position!.order)
    t.ok(info!.bytes > 0)
    await log.close('a', null)
    const closed = await log.info('a')
    t.match(closed, { events: 4, closed: true })
    t.equal(closed!.last!.order, receipts[3]!.position!.order)
    await log.delete('a')
    t.match(await log.info('a'), { first: null, last: null, events: 0, bytes: 0, closed: false })
  })
}
