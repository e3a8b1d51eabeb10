import type { Draft } from '../../../src/log/log.js'
import type { Promised } from '../contract.js'
import { dataOf, drafts, everything } from '../subject.js'

/** What a producer sends. */
function by(fence: number, group: readonly Draft[]): Draft[] {
  return group.map((draft) => ({ ...draft, fence }))
}

const refused = { code: 'fenced', status: 409, retryable: false }

export function fencing(promised: Promised): void {
  promised('a producer goes on for as long as nobody takes over', async (t, { log }) => {
    for (let i = 0; i < 3; i++) await log.append(by(1, drafts('a', 2, 2 * i)))
    const [receipt] = await log.append(by(1, drafts('a', 1, 6)))
    t.equal(receipt!.duplicate, false)
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2', '3', '4', '5', '6'])
  })

  promised('from a newer producer’s first append on an older one’s is refused', async (t, sub) => {
    const { log } = sub
    await log.append(by(1, drafts('a', 1)))
    await log.append(by(3, drafts('a', 1, 1)))
    await t.rejects(log.append(by(1, drafts('a', 1, 8))), refused)
    await t.rejects(log.append(by(2, drafts('a', 2, 8))), refused)
    await log.append(by(3, drafts('a', 1, 2)))
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2'])
  })

  promised('also where both are called at once', async (t, { log }) => {
    const calls = await Promise.allSettled([
      log.append(by(1, drafts('a', 1))),
      log.append(by(2, drafts('a', 1, 1))),
      log.append(by(1, drafts('a', 1, 8))),
      log.append(by(2, drafts('a', 1, 2))),
    ])
    t.same(
      calls.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    )
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2'])
  })

  promised('nothing of a group with one event of an older producer is there', async (t, sub) => {
    const { log } = sub
    await log.append(by(2, drafts('a', 1)))
    const old = { channel: 'a', name: 'message', data: '8', key: 'k', fence: 1 }
    const group = [...drafts('b', 1), ...by(5, drafts('c', 1)), old, ...drafts('a', 1, 9)]
    await t.rejects(log.append(group), refused)
    for (const channel of ['b', 'c']) t.equal(await log.info(channel), undefined)
    t.same(dataOf((await everything(log, 'a')).entries), ['0'])
    // Nor did it raise a fence.
    await log.append(by(1, drafts('c', 1)))
  })

  promised('what is refused for another reason takes nothing over', async (t, { log }) => {
    const event = { channel: 'a', name: 'message', data: '0', key: 'k', fence: 1 }
    await log.append([event])
    await t.rejects(log.append([{ ...event, data: '1', fence: 2 }]), { code: 'key_conflict' })
    await log.append(by(1, drafts('a', 1, 1)))
    await log.close('a', null)
    await t.rejects(log.append(by(2, drafts('a', 1))), { code: 'channel_closed' })
    await t.rejects(log.append(by(2, drafts('a', 2))), { code: 'channel_closed' })
    await log.fence('a', 1)
  })

  promised('each channel has its own producer', async (t, { log }) => {
    await log.append([...by(7, drafts('a', 1)), ...by(2, drafts('b', 1))])
    await log.append([...by(2, drafts('b', 1, 1)), ...by(7, drafts('a', 1, 1))])
    const mixed = [...by(7, drafts('a', 1, 8)), ...by(1, drafts('b', 1, 8))]
    await t.rejects(log.append(mixed), refused)
    for (const channel of ['a', 'b']) {
      t.same(dataOf((await everything(log, channel)).entries), ['0', '1'])
    }
  })

  promised('within a group, too, a newer producer is the last word', async (t, { log }) => {
    const backwards = [...by(2, drafts('a', 1, 8)), ...by(1, drafts('a', 1, 9))]
    await t.rejects(log.append(backwards), refused)
    await log.append([...by(1, drafts('a', 1)), ...by(2, drafts('a', 1, 1))])
    await t.rejects(log.append(by(1, drafts('a', 1, 8))), refused)
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1'])
  })

  promised('a take-over shuts the older producer out before it appends', async (t, { log }) => {
    await log.append(by(1, drafts('a', 1)))
    await log.fence('a', 2)
    await t.rejects(log.append(by(1, drafts('a', 1, 8))), refused)
    await log.fence('a', 2)
    await t.rejects(log.fence('a', 1), refused)
    await log.append(by(2, drafts('a', 1, 1)))
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1'])
  })

  promised('a take-over takes its turn among the appends', async (t, { log }) => {
    const before = log.append(by(1, drafts('a', 1)))
    const taken = log.fence('a', 2)
    const late = log.append(by(1, drafts('a', 1, 8)))
    await t.rejects(late, refused)
    await before
    await taken
    t.same(dataOf((await everything(log, 'a')).entries), ['0'])
  })

  promised('a take-over alone is nothing that a reader sees', async (t, { log, heard }) => {
    await log.follow('a')
    await log.fence('a', 1)
    t.equal(await log.info('a'), undefined)
    t.same(await everything(log, 'a').then(({ entries, gaps }) => [entries, gaps]), [[], []])
    await log.append(by(1, drafts('a', 1)))
    await heard.until(() => heard.entries.length > 0)
    t.match(heard.entries, [{ kind: 'event', prev: 0 }])
    t.same(heard.holes, [])
  })

  promised('only the newest producer ends the channel', async (t, { log }) => {
    await log.append(by(1, drafts('a', 1)))
    await log.fence('a', 2)
    await t.rejects(log.close('a', 'old', 1), refused)
    const end = await log.close('a', 'new', 2)
    t.equal(end.reason, 'new')
    t.same({ ...(await log.close('a', null, 2)) }, { ...end })
    // That it was closed is the newer one's affair.
    await t.rejects(log.close('a', 'old', 1), refused)
    await t.rejects(log.append(by(1, drafts('a', 1))), refused)
    t.same(dataOf((await everything(log, 'a')).entries), ['0', 'end'])
  })

  promised('an end takes over as an event does', async (t, { log }) => {
    const end = log.close('a', null, 2)
    const late = log.append(by(1, drafts('a', 1)))
    await t.rejects(late, refused)
    await end
    await t.rejects(log.append(by(2, drafts('a', 1))), { code: 'channel_closed' })
  })

  promised(
    'an older producer’s repetition is refused, a newer one’s a duplicate',
    async (t, sub) => {
      const { log } = sub
      const event = { channel: 'a', name: 'message', data: '0', key: 'k', sender: 'bob' }
      const [first] = await log.append(by(1, [event]))
      const [again] = await log.append(by(2, [event, ...drafts('a', 1, 1)]))
      t.equal(again!.duplicate, true)
      t.equal(again!.position!.order, first!.position!.order)
      await t.rejects(log.append(by(1, [event])), refused)
      await t.rejects(log.append(by(1, [event, event])), refused)
      // Fences come first: it isn't told what its key stands for.
      await t.rejects(log.append(by(1, [{ ...event, data: '9' }])), refused)
      t.same(dataOf((await everything(log, 'a')).entries), ['0', '1'])
    },
  )

  promised('a repetition alone takes over', async (t, { log }) => {
    const event = { channel: 'a', name: 'message', data: '0', key: 'k' }
    await log.append(by(1, [event]))
    await log.append(by(2, [event]))
    await t.rejects(log.append(by(1, drafts('a', 1))), refused)
  })

  promised('an ephemeral event is fenced like any other', async (t, { log, heard }) => {
    await log.follow('a')
    const event = { channel: 'a', name: 'typing', data: 'true', ephemeral: true }
    await log.append(by(2, [event]))
    await t.rejects(log.append(by(1, [event])), refused)
    await t.rejects(log.append(by(1, drafts('a', 1))), refused)
    await log.append(by(2, drafts('a', 1)))
    await heard.until(() => heard.entries.length === 1)
    t.equal(heard.ephemerals.length, 1)
  })

  promised('whoever names no fence isn’t asked for one', async (t, { log }) => {
    await log.append(by(9, drafts('a', 1)))
    await log.append(drafts('a', 1, 1))
    await log.append(drafts('a', 2, 2))
    await log.close('a', null)
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2', '3', 'end'])
  })

  promised('a fence outlives the channel’s events and its deletion', async (t, { log, elapse }) => {
    for (const channel of ['short:a', 'b']) await log.append(by(2, drafts(channel, 1)))
    await log.delete('b')
    await elapse(2500)
    for (const channel of ['short:a', 'b']) {
      await t.rejects(log.append(by(1, drafts(channel, 1))), refused)
      await log.append(by(2, drafts(channel, 1, 1)))
      t.same(dataOf((await everything(log, channel)).entries), ['1'])
    }
  })

  promised('a fence may be any whole number', async (t, { log }) => {
    const { MAX_SAFE_INTEGER: most } = Number
    await log.fence('a', most - 1)
    await log.append(by(most, drafts('a', 1)))
    await t.rejects(log.append(by(most - 1, drafts('a', 1, 8))), refused)
    await log.append(by(most, drafts('a', 2, 1)))
    t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2'])
  })

  promised(
    'with partitions, each channel’s fence is where its events are',
    async (t, { log }) => {
      const channels = Array.from({ length: 20 }, (_, i) => `c${i}`)
      t.equal(new Set(channels.map((each) => log.partitionOf(each))).size, 4)
      await log.append(channels.flatMap((each) => by(2, drafts(each, 1))))
      await Promise.all(channels.slice(0, 10).map((each) => log.fence(each, 3)))
      for (const [i, channel] of channels.entries()) {
        const next = log.append(by(2, drafts(channel, 1, 1)))
        if (i < 10) await t.rejects(next, refused)
        else await next
        const kept = i < 10 ? ['0'] : ['0', '1']
        t.same(dataOf((await everything(log, channel)).entries), kept)
      }
    },
    { partitions: 4 },
  )
}
