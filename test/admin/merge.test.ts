/** Many nodes as one: what each tells of a channel. */
import t from 'tap'
import { type ChannelOrder, channelsOf } from '../../src/admin/merge.js'
import type { Report } from '../../src/admin/report.js'
import type { ChannelStanding } from '../../src/hub/survey.js'

const NOTHING = { subscribers: 0, publishRate: 0, receiveRate: 0, order: 0, tag: 0 }

/** A report that has nothing but channels. */
function report(...channels: (Partial<ChannelStanding> & { channel: string })[]): Report {
  const lists = { channels: channels.map((it) => ({ ...NOTHING, ...it })), streams: [] }
  return { node: { id: 'x' } as Report['node'], lists }
}

t.test('readers add up; an event that comes to two nodes is one', async (t) => {
  const one = report({ channel: 'a', subscribers: 2, publishRate: 3, receiveRate: 5, order: 4096 })
  const two = report({ channel: 'a', subscribers: 1, publishRate: 2, receiveRate: 5, order: 8192 })
  t.same(channelsOf([one, two], 'rate'), [
    { channel: 'a', subscribers: 3, rate: 5, last: '2-0', time: 2, nodes: 2 },
  ])
})

t.test('what came counts where nobody told of having published it', async (t) => {
  const rows = channelsOf([report({ channel: 'a', receiveRate: 7 })], 'rate')
  t.match(rows, [{ rate: 7, last: null, time: null }])
})

t.test('a node that has told no lists adds nothing', async (t) => {
  const { node } = report()
  t.match(channelsOf([{ node }, report({ channel: 'a' })], 'rate'), [{ channel: 'a', nodes: 1 }])
})

t.test('each order has a first', async (t) => {
  const all = report(
    { channel: 'c', subscribers: 1, receiveRate: 1, order: 1 },
    { channel: 'b', subscribers: 3, receiveRate: 0, order: 4096 },
    { channel: 'a', subscribers: 2, receiveRate: 0, order: 8192 },
    { channel: 'd', subscribers: 0, receiveRate: 9, order: 2 },
  )
  const names = (order: ChannelOrder) => {
    return channelsOf([all], order)
      .map(({ channel }) => channel)
      .join('')
  }
  t.equal(names('rate'), 'dcba')
  t.equal(names('subscribers'), 'bacd')
  t.equal(names('last'), 'abcd')
  t.equal(names('channel'), 'abcd')
})
