/** The end of channels, and gaps: told where something is missing, told once, told by their reason. */
import t from 'tap'
import { ask, overrun, post, publish } from './support/ask.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { controlsOf, dataOf, subscribe } from './support/stream.js'

t.teardown(stopRedis)

const close = (url: string, channel: string, reason?: string) =>
  post(`${url}/v1/channels/close?channel=${channel}`, reason === undefined ? {} : { reason })

/** Opens from a cursor, reads until live, answers the gaps that were told and the cursor reached. */
async function resume(url: string, channels: readonly string[], cursor: string) {
  const stream = await subscribe(url, channels, '', cursor)
  await stream.event('stream.live')
  const gaps = controlsOf(stream.blocks, 'stream.gap')
  stream.close()
  return { gaps: gaps.map((gap) => gap.json), stream, cursor: stream.cursor! }
}

// ── ends ──

onBothLogs(
  t,
  'a stream whose channels have all ended ends, and coming back is 204',
  async (t, start) => {
    const { url } = await start()
    const stream = await subscribe(url, ['a', 'b'])
    await stream.event('stream.live')
    await publish(url, 'a', 1)
    await close(url, 'a', 'done')
    const end = await stream.event('stream.end')
    t.same(end.json, { channel: 'a', reason: 'done' })
    await publish(url, 'b', 2)
    await stream.find((block) => block.json?.data === 2)
    t.equal(stream.ended, undefined, 'one is still open')
    await close(url, 'b')
    t.equal(await stream.over(), 'end')
    const ends = controlsOf(stream.blocks, 'stream.end').map((block) => block.json)
    t.same(ends, [
      { channel: 'a', reason: 'done' },
      { channel: 'b', reason: null },
    ])
    t.same(dataOf(stream.blocks), [1, 2])
    t.equal((await subscribe(url, ['a', 'b'], '', stream.cursor)).status, 204)
  },
)

onBothLogs(
  t,
  'an end is said again at each opening that has something left to read',
  async (t, start) => {
    const { url } = await start()
    const first = await publish(url, 'a', 1)
    await publish(url, 'a', 2)
    await close(url, 'a', 'done')
    for (const [query, cursor, expected] of [
      ['after=earliest', undefined, [1, 2]],
      ['', first, [2]],
    ] as const) {
      const stream = await subscribe(url, ['a'], query, cursor)
      t.equal(await stream.over(), 'end')
      t.same(dataOf(stream.blocks), expected)
      t.match(stream.blocks.at(-1), { event: 'stream.end', json: { reason: 'done' } })
    }
    const mixed = await subscribe(url, ['a', 'open'])
    await mixed.event('stream.end')
    t.equal(mixed.ended, undefined)
  },
)

t.test('a cursor that ended for good is answered 204, in every form', async (t) => {
  const { url } = await start(t)
  const id = await publish(url, 'a', 1)
  for (const cursor of [`end.${id}`, 'end.1763675123456-53248', 'end.pDZqjOq8AAAANAAA']) {
    for (const accept of ['text/event-stream', 'application/json', '*/*']) {
      const headers = { accept, 'last-event-id': cursor }
      for (const query of ['', '&format=raw', '&mode=poll']) {
        const answer = await ask(`${url}/v1/events?channel=a${query}`, { headers })
        t.match(answer, { status: 204, text: '' }, `${cursor} ${accept} ${query}`)
      }
    }
  }
})

onBothLogs(t, 'a deleted channel begins anew, also where it was closed', async (t, start) => {
  const { url } = await start()
  await publish(url, 'a', 1)
  await close(url, 'a')
  t.match(await post(`${url}/v1/events?channel=a`, '2'), {
    status: 409,
    json: { code: 'channel_closed' },
  })
  t.equal((await ask(`${url}/v1/channels?channel=a`, { method: 'DELETE' })).status, 204)
  await publish(url, 'a', 3)
  const stream = await subscribe(url, ['a'], 'after=earliest')
  await stream.event('stream.live')
  t.same(dataOf(stream.blocks), [3])
})

// ── gaps ──

onBothLogs(
  t,
  'more events than the channel keeps are a gap `trimmed`, told once over two reconnects',
  async (t, start) => {
    const { url } = await start({ retentionEvents: 5 })
    const first = await overrun(url, 'a')
    const one = await resume(url, ['a', 'b'], first)
    t.match(one.gaps, [{ channel: 'a', after: first, reason: 'trimmed' }])
    const events = one.stream.blocks.filter(
      (block) => block.json?.channel && block.json.data !== undefined,
    )
    t.equal(one.gaps[0].next, events[0]?.json.id, 'everything from `next` on follows')
    t.equal(one.stream.blocks[1]?.event, 'stream.gap', 'and the gap comes before it')
    t.equal(events.at(-1)?.json.data, 599)
    const two = await resume(url, ['a', 'b'], one.cursor)
    t.same(two.gaps, [])
    t.same((await resume(url, ['a', 'b'], two.cursor)).gaps, [])
    const cut = await resume(url, ['a', 'b'], one.stream.blocks[1]!.id!)
    t.equal(cut.gaps.length, 1, 'cut right behind it, before any event: told again')
    const alone = await resume(url, ['a'], first)
    const again = await resume(url, ['a'], alone.stream.blocks[1]!.id!)
    t.same(again.gaps, [], 'on a channel of its own the cursor moves with it')
  },
)

t.test('events older than the channel keeps are a gap `expired`, told once', async (t) => {
  let ahead = 0
  const realNow = Date.now
  Date.now = () => realNow() + ahead
  t.teardown(() => {
    Date.now = realNow
  })
  const { url } = await start(t, { retentionAgeMs: 10_000 })
  const first = await publish(url, 'a', 1)
  await publish(url, 'a', 2)
  ahead = 11_000
  const one = await resume(url, ['a'], first)
  t.match(one.gaps, [{ channel: 'a', after: first, reason: 'expired' }])
  t.same(dataOf(one.stream.blocks), [])
  t.same((await resume(url, ['a'], one.cursor)).gaps, [])
  await publish(url, 'a', 3)
  const two = await resume(url, ['a'], one.cursor)
  t.same([two.gaps, dataOf(two.stream.blocks)], [[], [3]])
})

onBothLogs(
  t,
  'events that were deleted are a gap `deleted` to whoever had not read them, told once',
  async (t, start) => {
    const { url } = await start()
    const first = await publish(url, 'a', 1)
    const second = await publish(url, 'a', 2)
    await ask(`${url}/v1/channels?channel=a`, { method: 'DELETE' })
    const third = await publish(url, 'a', 3)
    const one = await resume(url, ['a'], first)
    t.match(one.gaps, [{ channel: 'a', after: first, next: third, reason: 'deleted' }])
    t.same(dataOf(one.stream.blocks), [3])
    t.same((await resume(url, ['a'], one.cursor)).gaps, [])
    t.same((await resume(url, ['a'], second)).gaps, [], 'who had read them all misses nothing')
  },
)

onBothLogs(t, 'a live reader misses nothing by a deletion', async (t, start) => {
  const { url } = await start()
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  await publish(url, 'a', 1)
  await stream.find((block) => block.json?.data === 1)
  await ask(`${url}/v1/channels?channel=a`, { method: 'DELETE' })
  await publish(url, 'a', 2)
  await stream.find((block) => block.json?.data === 2)
  t.same(controlsOf(stream.blocks, 'stream.gap'), [])
})

onBothLogs(
  t,
  'an unknown cursor is a gap on every channel, of which only the last moves the cursor',
  async (t, start) => {
    const { url } = await start()
    await publish(url, 'a', 1)
    const cursor = '1763675123456-53248'
    const one = await resume(url, ['a', 'b', 'c'], cursor)
    t.same(
      one.gaps.map((gap) => [gap.channel, gap.after, gap.reason]),
      ['a', 'b', 'c'].map((c) => [c, cursor, 'unknown']),
    )
    const ids = controlsOf(one.stream.blocks, 'stream.gap').map((block) => block.id)
    t.same(ids.slice(0, 2), [undefined, undefined], 'cut in between, it is told all of them again')
    t.ok(ids[2])
    const two = await resume(url, ['a', 'b', 'c'], one.cursor)
    t.same(two.gaps, [])
    t.same((await resume(url, ['a', 'b', 'c'], two.cursor)).gaps, [])
  },
)

onBothLogs(t, 'earliest and rewind ask for what there is, and get no gap', async (t, start) => {
  const { url } = await start({ retentionEvents: 5 })
  await overrun(url, 'a')
  await publish(url, 'b', 1)
  await ask(`${url}/v1/channels?channel=b`, { method: 'DELETE' })
  for (const query of ['after=earliest', 'rewind=3', 'rewind=1000', 'rewind=1h', 'after=latest']) {
    const stream = await subscribe(url, ['a', 'b'], query)
    await stream.event('stream.live')
    t.same(controlsOf(stream.blocks, 'stream.gap'), [], query)
    const again = await resume(url, ['a'], stream.blocks[0]!.id!)
    t.same(again.gaps, [], `${query}, resumed from its stream.ready`)
    stream.close()
  }
})
