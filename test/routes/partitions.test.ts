/** Sixteen partitions: cursors are vectors, and mean the same. */
import t from 'tap'
import { partitionOf } from '../../src/log/partition.js'
import { ask, poll, post, publish } from './support/ask.js'
import { start } from './support/start.js'
import { controlsOf, dataOf, eventsOf, subscribe } from './support/stream.js'

const config = { partitions: 16 }
const channels = Array.from({ length: 40 }, (_, i) => `p:${i}`)

t.test('a cursor names all partitions of its stream, shortly', async (t) => {
  const { url } = await start(t, config)
  const stream = await subscribe(url, channels)
  const ready = await stream.event('stream.ready')
  t.match(ready.id, /^p[A-Za-z0-9_-]+$/)
  t.ok(ready.id!.length <= 200)
  await stream.event('stream.live')
  const id = await publish(url, 'p:7', 1)
  const event = await stream.find((block) => block.json?.id === id)
  t.match(event.id, /^p/)
  t.not(event.id, ready.id)
})

t.test(
  'every cursor of a stream over many channels resumes without loss, double or gap',
  async (t) => {
    const { url } = await start(t, config)
    const first = await subscribe(url, channels)
    const { id } = await first.event('stream.ready')
    await first.event('stream.live')
    const sent: number[] = []
    for (let n = 0; n < 100; n++) {
      await publish(url, channels[(n * 7) % 40]!, n)
      sent.push(n)
    }
    await first.until((blocks) => dataOf(blocks).length === 100)
    const cursors = [id, ...eventsOf(first.blocks).map((block) => block.id)]
    for (let at = 0; at <= 100; at += 9) {
      const read = new Set(dataOf(first.blocks).slice(0, at))
      const stream = await subscribe(url, channels, '', cursors[at])
      await stream.event('stream.live')
      const rest = dataOf(stream.blocks)
      t.same([...rest].sort(), sent.filter((n) => !read.has(n)).sort(), `from ${at}`)
      t.same(controlsOf(stream.blocks, 'stream.gap'), [])
      stream.close()
    }
  },
)

t.test('polls and streams share vector cursors; pages are cut anywhere', async (t) => {
  const { url } = await start(t, config)
  const events = Array.from({ length: 200 }, (_, n) => ({ channel: channels[n % 40]!, data: n }))
  await post(`${url}/v1/events`, events)
  const query = channels.map((channel) => `channel=${channel}`).join('&')
  const got = new Map<string, number[]>()
  let after = 'earliest'
  for (let more = true; more; ) {
    const { json } = await poll(url, `${query}&wait=0&limit=13&after=${after}`)
    t.ok(json.events.length <= 13)
    t.same(json.control, [])
    for (const { channel, data } of json.events)
      got.set(channel, [...(got.get(channel) ?? []), data])
    more = json.more
    after = json.cursor
  }
  for (const [i, channel] of channels.entries()) {
    t.same(
      got.get(channel),
      [0, 1, 2, 3, 4].map((turn) => turn * 40 + i),
    )
  }
  const stream = await subscribe(url, channels, '', after)
  await stream.event('stream.live')
  t.same(dataOf(stream.blocks), [])
})

t.test('the id of an event is exact for its own partition', async (t) => {
  const { url } = await start(t, config)
  const same = channels.filter((channel) => partitionOf(channel, 16) === partitionOf('p:0', 16))
  const ids = []
  for (const n of [0, 1, 2]) ids.push(await publish(url, same[n % same.length]!, n))
  const stream = await subscribe(url, same, '', ids[0])
  await stream.event('stream.live')
  t.same(dataOf(stream.blocks), [1, 2])
  t.same(controlsOf(stream.blocks, 'stream.gap'), [])
})

t.test(
  'a channel that joins a stream’s cursor from another partition is told as a gap, alone',
  async (t) => {
    const { url } = await start(t, config)
    const other = channels.find((channel) => partitionOf(channel, 16) !== partitionOf('p:0', 16))!
    const first = await subscribe(url, ['p:0'])
    const { id } = await first.event('stream.live')
    const stream = await subscribe(url, ['p:0', other], '', id)
    await stream.event('stream.live')
    const gaps = controlsOf(stream.blocks, 'stream.gap').map((block) => block.json)
    t.match(gaps, [{ channel: other, after: null, reason: 'unknown' }])
    t.equal(gaps.length, 1)
  },
)

t.test('all channels ended, in whichever partitions: the end, then 204', async (t) => {
  const { url } = await start(t, config)
  const stream = await subscribe(url, channels.slice(0, 5))
  await stream.event('stream.live')
  for (const channel of channels.slice(0, 5)) {
    await ask(`${url}/v1/channels/close?channel=${channel}`, { method: 'POST' })
  }
  t.equal(await stream.over(), 'end')
  t.equal(controlsOf(stream.blocks, 'stream.end').length, 5)
  t.equal((await subscribe(url, channels.slice(0, 5), '', stream.cursor)).status, 204)
})

t.test('no two events of any partition have the same id', async (t) => {
  const { url } = await start(t, { partitions: 16 })
  const drafts = Array.from({ length: 500 }, (_, i) => ({ channel: `c${i % 50}`, data: i }))
  const { json } = await post(`${url}/v1/events`, JSON.stringify(drafts))
  t.equal(new Set(json.map(({ id }: { id: string }) => id)).size, 500)
})
