/** `/v1/admin`: how all nodes are, and for whom. */
import t, { type Test } from 'tap'
import { bearer, KEY, locked, mint, read } from '../http/support/locked.js'
import { startGatewayProcess } from '../support/gateway.js'
import { startRedis } from '../support/redis.js'
import { baseOf, lookInto } from '../support/redis-keys.js'
import { until } from '../support/until.js'
import { ask, overrun, poll, post, publish } from './support/ask.js'
import { connect } from './support/socket.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { subscribe } from './support/stream.js'

t.teardown(stopRedis)

const FAST = { admin: { beatMs: 100 } }

const admin = async (url: string, path = '') => (await ask(`${url}/v1/admin${path}`)).json
const channelsOf = async (url: string, query = '') => {
  return (await admin(url, `/channels${query}`)).channels as Record<string, unknown>[]
}

/** The answer, once it is as it should be. */
async function eventually<T>(what: string, look: () => Promise<T>, fits: (it: T) => boolean) {
  let last: T
  await until(
    what,
    async () => {
      last = await look()
      return fits(last)
    },
    15_000,
  )
  return last!
}

onBothLogs(t, 'a node says what it is, and what goes on', async (t, start) => {
  const { url } = await start({ maxStreams: 50 }, FAST)
  const streams = [await subscribe(url, ['a', 'b']), await subscribe(url, ['a'])]
  for (const stream of streams) await stream.event('stream.live')
  for (let n = 0; n < 3; n++) await publish(url, 'a', n)
  await publish(url, 'unread', 1)
  await Promise.all(streams.map((stream) => stream.until((blocks) => blocks.length >= 5)))
  const [node, ...others] = (await admin(url)).nodes
  t.same(others, [])
  t.match(node, {
    id: /^[\w-]{8}$/,
    pid: process.pid,
    version: /^\d+\.\d+\.\d+/,
    draining: false,
    fault: null,
    streams: 2,
    maxStreams: 50,
    polls: 0,
    lagging: 0,
    channels: 2,
    totals: { published: 4, received: 3, delivered: 6, refused: 0, gaps: 0 },
  })
  t.ok(node.process.rss > 1e6 && node.process.heap > 1e6 && node.process.busy >= 0)
  const lively = await eventually(
    'rates',
    () => admin(url),
    ({ sum }) => sum.rates.published > 0,
  )
  t.match(lively.sum, { streams: 2, totals: { published: 4, delivered: 6 } })
  t.ok(
    lively.nodes[0].past.published.some((rate: number) => rate > 0),
    'it can be drawn',
  )
  for (const stream of streams) stream.close()
})

onBothLogs(t, 'the liveliest channels, and the most read', async (t, start) => {
  const { url } = await start({}, FAST)
  const streams = await Promise.all(
    [['read', 'both'], ['read'], ['idle']].map((channels) => subscribe(url, channels)),
  )
  for (const stream of streams) await stream.event('stream.live')
  const id = await publish(url, 'both', 1)
  let newest = ''
  for (let n = 0; n < 5; n++) newest = await publish(url, 'unread', n)
  const rows = await eventually(
    'rates of both',
    () => channelsOf(url),
    (rows) => rows.filter(({ rate }) => Number(rate) > 0).length === 2,
  )
  t.same(
    rows.slice(0, 2).map(({ channel }) => channel),
    ['unread', 'both'],
  )
  t.match(rows[0], { subscribers: 0, last: newest })
  t.match(rows[1], { subscribers: 1, last: id, time: Number(id.split('-')[0]), nodes: 1 })
  t.match(await channelsOf(url, '?sort=subscribers&limit=1'), [{ channel: 'read', subscribers: 2 }])
  const named = async (query: string) => {
    return (await channelsOf(url, query)).map(({ channel }) => channel)
  }
  t.same(await named('?sort=channel'), ['both', 'idle', 'read', 'unread'])
  t.same(await named('?prefix=re'), ['read'])
  t.same(await named('?sort=last&limit=1'), ['unread'])
  for (const query of ['?sort=size', '?limit=0', '?limit=501', '?all=1']) {
    const answer = await ask(`${url}/v1/admin/channels${query}`)
    t.match(answer, { status: 400, json: { code: 'option_invalid' } }, query)
  }
  for (const stream of streams) stream.close()
})

onBothLogs(t, 'streams are named by what an operator can act on', async (t, start) => {
  const { url } = await start(locked(), FAST)
  const token = await mint({ sub: 'alice', channels: { 'chat:*': ['subscribe'] } })
  const secret = 'a-secret-session-of-alice'
  const stream = await read(url, ['chat:1', 'chat:2'], token, `session=${secret}`)
  const { session } = (await stream.event('stream.ready')).json
  await stream.event('stream.live')
  const { json, text } = await ask(`${url}/v1/admin/streams`, { headers: bearer(KEY) })
  t.match(json.streams, [
    { session, subject: 'alice', address: '127.0.0.1', count: 2, channels: ['chat:1', 'chat:2'] },
  ])
  t.match(json.streams, [{ format: 'envelope', phase: 'live', stalledMs: 0, buffered: 0 }])
  t.notMatch(text, secret)
  t.notMatch(text, token)
  t.match(json.streams[0].node, /^[\w-]{8}$/)
  const revoked = await post(`${url}/v1/revocations`, { session }, bearer(KEY))
  t.equal(revoked.status, 201)
  t.match(await stream.event('stream.bye'), { json: { reason: 'revoked' } })
})

onBothLogs(t, 'gaps are counted, of streams and of polls', async (t, start) => {
  const { url } = await start({ retentionEvents: 5 }, FAST)
  const first = await overrun(url, 'a')
  const stream = await subscribe(url, ['a'], '', first)
  await stream.event('stream.gap')
  t.equal((await admin(url)).sum.totals.gaps, 1)
  await poll(url, `channel=a&after=${first}&wait=0`)
  t.equal((await admin(url)).sum.totals.gaps, 2)
  stream.close()
})

t.test('a reader that takes nothing shows up, first of all streams', async (t) => {
  const { url } = await start(t, {}, FAST)
  const fine = await subscribe(url, ['other'])
  await fine.event('stream.live')
  const stuck = await connect(url)
  stuck.write('GET /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await stuck.until(/stream\.live/)
  stuck.pause()
  const data = JSON.stringify('x'.repeat(200_000))
  const lagging = () => admin(url)
  await until('lagging', async () => {
    await post(`${url}/v1/events?channel=a`, data)
    return (await lagging()).sum.lagging === 1
  })
  t.ok((await lagging()).sum.totals.stalls >= 1)
  const { streams } = await admin(url, '/streams')
  t.match(streams[0], { channels: ['a'], phase: 'lagging' })
  t.ok(streams[0].stalledMs > 0 && streams[0].buffered > 0)
  t.match(streams[1], { channels: ['other'], phase: 'live', stalledMs: 0 })
  stuck.destroy()
  fine.close()
})

t.test('refusals are counted by their code, those of publishers beside', async (t) => {
  const { url } = await start(t, locked(), FAST)
  await post(`${url}/v1/events?channel=a`, '1')
  await post(`${url}/v1/events?channel=room:a`, '1', bearer(KEY))
  await ask(`${url}/v1/events?channel=a`)
  const { json } = await ask(`${url}/v1/admin`, { headers: bearer(KEY) })
  t.match(json.nodes[0].refusals, { token_missing: 2, channel_reserved: 1 })
  t.equal(json.sum.totals.refused, 2)
})

t.test('a locked gateway tells admins of everything, and nobody else', async (t) => {
  const { url } = await start(t, locked(), FAST)
  const some = await mint({ channels: { 'chat:*': ['subscribe', 'admin'], '**': ['subscribe'] } })
  const all = await mint({ channels: { '**': ['admin'] } })
  for (const path of ['', '/channels', '/streams']) {
    const look = (headers = {}) => ask(`${url}/v1/admin${path}`, { headers })
    t.match(await look(), { status: 401, json: { code: 'token_missing' } })
    t.match(await look(bearer(some)), { status: 403, json: { code: 'forbidden' } })
    t.match(await look(bearer(all)), { status: 200, headers: { 'cache-control': 'no-store' } })
    t.match(await look(bearer(KEY)), { status: 200 })
  }
  t.match(await post(`${url}/v1/admin`, '1', bearer(KEY)), {
    status: 405,
    headers: { allow: 'GET, HEAD' },
  })
})

t.test(
  'who has admin on everything may read everything; on some channels, nothing by that',
  async (t) => {
    const { url } = await start(t, locked(), FAST)
    const all = await read(url, ['chat:1'], await mint({ channels: { '**': ['admin'] } }))
    t.equal(all.status, 200)
    const some = await read(url, ['chat:1'], await mint({ channels: { 'chat:*': ['admin'] } }))
    t.equal(some.status, 403)
    all.close()
  },
)

/** Two processes on one Redis. */
async function pair(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const env = { SLUICE_REDIS_URL: redis.url, SLUICE_PARTITIONS: '4' }
  const nodes = await Promise.all([startGatewayProcess(env), startGatewayProcess(env)])
  for (const node of nodes) t.teardown(() => node.stop())
  return nodes as [(typeof nodes)[0], (typeof nodes)[0]]
}

t.test('nodes on one Redis see each other, and what is read on all of them', async (t) => {
  const [one, two] = await pair(t)
  const pids = ({ nodes }: { nodes: { pid: number }[] }) => nodes.map(({ pid }) => pid)
  const both = await eventually(
    'two',
    () => admin(one.url),
    ({ nodes }) => nodes.length === 2,
  )
  t.same(pids(both), [one.pid, two.pid], 'the one that is asked comes first')
  const streams = await Promise.all([one, two].map(({ url }) => subscribe(url, ['a'])))
  for (const stream of streams) await stream.event('stream.live')
  await publish(two.url, 'a', 1)
  await Promise.all(streams.map((stream) => stream.find(({ json }) => json?.data === 1)))
  const { channels, partial } = await admin(one.url, '/channels')
  t.match(channels, [{ channel: 'a', subscribers: 2, nodes: 2 }])
  t.equal(partial, undefined, 'all have told theirs')
  const rows = (await admin(one.url, '/streams')).streams as { node: string }[]
  t.same(new Set(rows.map(({ node }) => node)).size, 2)
  const sum = await eventually(
    'told',
    () => admin(one.url),
    ({ sum }) => sum.streams === 2,
  )
  t.match(sum.sum.totals, { published: 1, delivered: 2 })
  for (const stream of streams) stream.close()

  await two.kill('SIGKILL')
  const left = await eventually(
    'gone',
    () => admin(one.url),
    ({ nodes }) => nodes.length === 1,
  )
  t.same(pids(left), [one.pid], 'one that was killed vanishes')
})

t.test(
  'one that ends leaves at once, and a store that is away hides the others only',
  async (t) => {
    const redis = await startRedis()
    const config = { redisUrl: redis.url }
    const { url } = await start(t, config, FAST)
    // So slow that it would be counted for a minute.
    const other = await start(t, config, { admin: { beatMs: 20_000 } })
    await eventually(
      'two',
      () => admin(url),
      ({ nodes }) => nodes.length === 2,
    )
    await other.close()
    t.equal((await admin(url)).nodes.length, 1)
    await redis.stop()
    const alone = await eventually(
      'a fault',
      () => admin(url),
      ({ nodes }) => nodes[0].fault !== null,
    )
    t.match(alone, { partial: true, nodes: [{ pid: process.pid, fault: String }] })
  },
)

t.test('a report that is none breaks nobody’s answer', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { url } = await start(t, { redisUrl: redis.url, redisPrefix: 'odd', partitions: 1 }, FAST)
  const { client, serverTime } = lookInto(redis.url)
  t.teardown(() => client.disconnect())
  const nodes = `${baseOf('odd')}:y`
  const hang = async (id: string, report: object) => {
    await client.zadd(nodes, (await serverTime()) + 60_000, id)
    await client.set(`${nodes}:${id}`, JSON.stringify(report))
  }
  const [node] = (await admin(url)).nodes
  await hang('fine', { node: { ...node, id: 'fine' }, lists: { channels: [], streams: [] } })
  await hang('one-figure', { node: { totals: { published: 1 } } })
  await hang('odd-lists', {
    node: { ...node, id: 'odd' },
    lists: { channels: {}, streams: [null] },
  })
  const { nodes: told } = await admin(url)
  t.same(told.map(({ id }: { id: string }) => id).sort(), [node.id, 'fine'].sort())
  for (const path of ['/channels', '/streams']) {
    t.equal((await ask(`${url}/v1/admin${path}`)).status, 200, path)
  }
})
