import type { Promised } from '../contract.js'
import { dataOf, drafts } from '../subject.js'

export function following(promised: Promised): void {
  promised('every append after following is handed over, in order', async (t, { log, heard }) => {
    await log.append(drafts('a', 1))
    await log.follow('a')
    const calls = Array.from({ length: 30 }, (_, i) => log.append(drafts('a', 2, 1 + 2 * i)))
    await Promise.all(calls)
    await heard.until(() => heard.entries.length === 60)
    t.same(
      dataOf(heard.entries),
      Array.from({ length: 60 }, (_, i) => String(i + 1)),
    )
    for (const [i, entry] of heard.entries.entries()) {
      if (i > 0) t.equal(entry.prev, heard.entries[i - 1]!.order)
    }
    t.same(heard.holes, [])
  })

  promised('positions increase over all channels of a partition', async (t, { log, heard }) => {
    const channels = ['a', 'b', 'c']
    await Promise.all(channels.map((each) => log.follow(each)))
    for (let i = 0; i < 10; i++) {
      await log.append(['a', 'b', 'a', 'c', 'b'].flatMap((each) => drafts(each, 1, i)))
    }
    await heard.until(() => heard.entries.length === 50)
    const orders = heard.entries.map(({ order }) => order)
    t.same(
      orders,
      [...orders].sort((x, y) => x - y),
    )
    t.same(
      heard.entries.slice(0, 5).map(({ channel }) => channel),
      ['a', 'b', 'a', 'c', 'b'],
    )
  })

  promised(
    'what was appended before following lies within the frontier, what comes later moves it',
    async (t, { log, heard }) => {
      const [before] = await log.append(drafts('a', 1))
      await log.append(drafts('elsewhere', 3))
      await log.follow('a')
      t.ok(before!.position!.order <= log.frontier(0), 'or a reader would wait for it for ever')
      const [later] = await log.append(drafts('a', 1))
      await heard.until(() =>
        heard.entriesOf('a').some(({ order }) => order === later!.position!.order),
      )
      t.ok(later!.position!.order <= log.frontier(0))
    },
  )

  promised('an entry handed over is the entry that is read', async (t, { log, heard }) => {
    await log.follow('a')
    const odd = { channel: 'a', name: 'x', data: '{"a": [1.0, "\\u001f"]}', sender: 'é\x1f"' }
    await log.append([odd])
    await log.close('a', 'because\nof this')
    await heard.until(() => heard.entries.length === 2)
    const { order: after } = heard.entries[0]!
    const { channels } = await log.read(0, [{ channel: 'a', after: after - 1 }], 10)
    t.same(
      heard.entries.map((each) => ({ ...each })),
      channels[0]!.entries.map((each) => ({ ...each })),
    )
    t.match(heard.entries[0], { ...odd, kind: 'event' })
    t.match(heard.entries[1], { kind: 'end', reason: 'because\nof this' })
  })

  promised('following twice is following once', async (t, { log, heard }) => {
    await Promise.all([log.follow('a'), log.follow('a')])
    await log.follow('a')
    await log.append(drafts('a', 3))
    await log.follow('z')
    await log.append(drafts('z', 1))
    await heard.until(() => heard.entriesOf('z').length === 1)
    t.same(dataOf(heard.entriesOf('a')), ['0', '1', '2'])
  })

  promised('what isn’t followed, or no more, isn’t handed over', async (t, { log, heard }) => {
    await Promise.all(['a', 'b'].map((each) => log.follow(each)))
    log.unfollow('a')
    await log.append([...drafts('a', 1), ...drafts('never', 1), ...drafts('b', 1)])
    await heard.until(() => heard.entries.length === 1)
    t.equal(heard.entries[0]!.channel, 'b')
    await log.follow('a')
    await log.append(drafts('a', 1, 1))
    await heard.until(() => heard.entriesOf('a').length === 1)
    t.same(dataOf(heard.entriesOf('a')), ['1'])
  })

  promised(
    'followers hear of a deletion, and of what comes after it',
    async (t, { log, heard }) => {
      await log.follow('a')
      const [, last] = await log.append(drafts('a', 2))
      await log.delete('a')
      await log.append(drafts('a', 1, 2))
      await heard.until(() => heard.entries.length === 3)
      t.same(heard.deletions, [{ channel: 'a', upTo: last!.position!.order }])
      t.equal(heard.entries[2]!.prev, last!.position!.order)
      t.same(heard.holes, [])
    },
  )

  promised('where followers stand is a position that was given out', async (t, { log }) => {
    await log.follow('a')
    await log.append(drafts('a', 1))
    t.same(await log.locate(0, log.position(0)), { known: true })
  })
}
