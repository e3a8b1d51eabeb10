/** Which reports count: those of every version, and nothing that would break an answer. */
import t from 'tap'
import { readReport } from '../../src/admin/shape.js'

const rates = { published: 1, received: 2, delivered: 3 }
const node = {
  ...{ id: 'other', host: 'h', pid: 1, version: '0.1.0', started: 1 },
  ...{ draining: false, fault: null },
  ...{ streams: 1, maxStreams: 2, polls: 0, lagging: 0, channels: 1 },
  rates,
  totals: { ...rates, refused: 0, gaps: 0, stalls: 0, slow: 0, interruptions: 0 },
  refusals: { forbidden: 2 },
  process: { rss: 1, heap: 1, busy: 0.5, delay: 0 },
  past: { every: 2000, published: [1], delivered: [] },
}
const channel = { channel: 'a', subscribers: 1, publishRate: 0, receiveRate: 0, order: 0, tag: 0 }
const stream = {
  ...{ session: null, subject: 'alice', address: '::1', opened: 1, channels: ['a'], count: 1 },
  ...{ format: 'raw', phase: 'live', stalledMs: 0, buffered: 0 },
}
const lists = { channels: [channel], streams: [stream] }

const read = (report: unknown) => readReport(JSON.stringify(report))

t.test('what a node tells is read, with lists and without', async (t) => {
  t.same(read({ node }), { node })
  t.same(read({ node, lists }), { node, lists })
})

t.test('a newer node may tell more', async (t) => {
  const more = { ...node, zone: 'north', totals: { ...node.totals, lost: 1 } }
  const strange = { ...stream, phase: 'resting' }
  const report = { node: more, lists: { ...lists, streams: [strange], rooms: [] } }
  t.same(read(report), report)
})

t.test('what would break an answer is left out', async (t) => {
  const odd: Record<string, unknown> = {
    'no report': null,
    'one figure alone': { node: { totals: { published: 1 } } },
    'a rate that is text': { node: { ...node, rates: { ...rates, published: '9' } } },
    'a name that is none': { node: { ...node, host: { toString: null } } },
    'no past': { node: { ...node, past: null } },
    'no lists where there should be': { node, lists: null },
    'an object of channels': { node, lists: { ...lists, channels: {} } },
    'no channel': { node, lists: { ...lists, channels: [null] } },
    'a number as a channel': { node, lists: { ...lists, channels: [{ ...channel, channel: 5 }] } },
    'a place in no log': { node, lists: { ...lists, channels: [{ ...channel, order: 1e300 }] } },
    'no stream': { node, lists: { ...lists, streams: [null] } },
  }
  for (const [what, report] of Object.entries(odd)) t.equal(read(report), undefined, what)
  t.equal(readReport('{"node":'), undefined, 'half a text')
})
