/** Signals: in order, once, to whom they are meant for and to nobody else. */
import t from 'tap'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { bearer, KEY, locked, mint } from '../http/support/locked.js'
import { startRedis } from '../support/redis.js'
import { ask, poll, post } from './support/ask.js'
import { said, type Visitor, visitor } from './support/rooms.js'
import { onBothLogs, start, stopRedis } from './support/start.js'

t.teardown(stopRedis)

async function pair(url: string): Promise<[Visitor, Visitor]> {
  const [alice, bob] = [visitor(url), visitor(url)]
  await alice.join('r', { participant: 'alice' })
  await bob.join('r', { participant: 'bob' })
  return [alice, bob]
}

const bye = (messageId: string, more: object = {}) => ({
  to: 'bob',
  type: 'bye',
  messageId,
  ...more,
})
const statuses = (answer: { json: { results: { status: string }[] } }) =>
  answer.json.results.map(({ status }) => status)

onBothLogs(
  t,
  'a signal says whom it is from, and carries its data as it came',
  async (t, start) => {
    const { url } = await start()
    const [alice, bob] = await pair(url)
    const stream = await bob.stream()
    await stream.event('stream.live')
    const headers = { 'sluice-session': alice.session }
    const body =
      '{"to":"bob","type":"x-app","messageId":"m","data":{"n":1.0,"big":12345678901234567890}}'
    t.equal((await post(`${url}/v1/rooms/r/signals`, body, headers)).status, 200)
    const block = await stream.event('signal.x-app')
    t.match(block.data, '"data":{"n":1.0,"big":12345678901234567890}')
    t.match(block.json.data, {
      from: 'alice',
      fromIncarnation: alice.incarnation,
      to: 'bob',
      toIncarnation: bob.incarnation,
      messageId: 'm',
    })
    stream.close()
  },
)

onBothLogs(t, 'each is answered: delivered, queued, gone or stale', async (t, start) => {
  const { url } = await start()
  const [alice, bob] = await pair(url)
  t.same(statuses(await alice.send('r', bye('1'))), ['queued'], 'no stream yet')
  const stream = await bob.stream()
  await stream.event('signal.bye')
  const batch = [
    bye('2'),
    bye('3', { to: 'nobody' }),
    bye('4', { toIncarnation: 'another' }),
    bye('5', { toIncarnation: bob.incarnation }),
  ]
  const answer = await alice.send('r', batch)
  t.same(statuses(answer), ['delivered', 'gone', 'stale', 'delivered'])
  t.match(answer.json.results, [{ messageId: '2', duplicate: false, id: /^\d+-\d+$/ }, {}, {}, {}])
  stream.close()
})

onBothLogs(
  t,
  'a message that is sent again gets its first answer, and is one',
  async (t, start) => {
    const { url } = await start()
    const [alice, bob] = await pair(url)
    const stream = await bob.stream()
    const first = await alice.send('r', bye('1', { data: 7 }))
    const again = await alice.send('r', [bye('1', { data: 7 }), bye('2')])
    t.match(again.json.results, [
      { duplicate: true, id: first.json.results[0].id },
      { duplicate: false },
    ])
    t.equal((await alice.send('r', bye('1', { data: 8 }))).json.code, 'key_conflict')
    await stream.until((blocks) => said(blocks, 'signal.bye').length === 2)
    t.same(
      said(stream.blocks, 'signal.bye').map(({ messageId }) => messageId),
      ['1', '2'],
    )
    stream.close()
  },
)

onBothLogs(
  t,
  'numbers keep the order: a hole is refused, what was taken is taken',
  async (t, start) => {
    const { url } = await start()
    const [alice, bob] = await pair(url)
    const stream = await bob.stream()
    t.equal((await alice.send('r', [bye('1', { seq: 1 }), bye('2', { seq: 2 })])).status, 200)
    t.match(await alice.send('r', bye('4', { seq: 4 })), {
      status: 409,
      json: { code: 'signal_out_of_order', expected: 3 },
    })
    t.equal((await alice.send('r', [bye('2', { seq: 2 }), bye('3', { seq: 3 })])).status, 200)
    t.equal(
      (await alice.send('r', bye('5', { seq: 4, to: 'nobody' }))).status,
      200,
      'counted all the same',
    )
    t.equal((await alice.send('r', bye('6', { seq: 5 }))).status, 200)
    await stream.until((blocks) => said(blocks, 'signal.bye').length === 4)
    t.same(
      said(stream.blocks, 'signal.bye').map(({ seq }) => seq),
      [1, 2, 3, 5],
    )
    stream.close()
  },
)

onBothLogs(t, 'what comes during a cut is there after it', async (t, start) => {
  const { url } = await start()
  const [alice, bob] = await pair(url)
  const before = await bob.stream()
  await alice.send('r', bye('1'))
  await before.event('signal.bye')
  before.close()
  await alice.send('r', [bye('2'), bye('3')])
  const after = await bob.stream(before.cursor)
  await after.until((blocks) => said(blocks, 'signal.bye').length === 2)
  t.same(
    said(after.blocks, 'signal.bye').map(({ messageId }) => messageId),
    ['2', '3'],
  )
  after.close()
})

onBothLogs(t, 'what nobody came back for is told to its sender', async (t, start) => {
  const config = { presenceGraceMs: 300 }
  const { url } = await start(config, { members: { leaseMs: 300, sweepMs: 50 } })
  const alice = visitor(url)
  await alice.join('r', { participant: 'alice' })
  const hers = await alice.stream()
  const bob = visitor(url)
  await bob.join('r', { participant: 'bob' })
  t.same(statuses(await alice.send('r', [bye('1'), bye('2')])), ['queued', 'queued'])
  await hers.until((blocks) => said(blocks, 'signal.expired').length === 2)
  t.match(said(hers.blocks, 'signal.expired'), [
    { messageId: '1', to: 'bob', toIncarnation: bob.incarnation, reason: 'timeout' },
    { messageId: '2' },
  ])
  t.same(statuses(await alice.send('r', bye('3'))), ['gone'])
  hers.close()
})

onBothLogs(t, 'a long poll gets them as well', async (t, start) => {
  const { url } = await start()
  const [alice, bob] = await pair(url)
  await alice.send('r', bye('1'))
  const { json } = await poll(url, `session=${bob.session}&after=${bob.joined.json.cursor}&wait=0`)
  t.match(json.events, [{ name: 'signal.bye', data: { messageId: '1' } }])
})

onBothLogs(t, 'no one else sees any, whatever they may', async (t, start) => {
  const all = ['subscribe', 'publish', 'history', 'presence', 'signal', 'admin']
  const { url } = await start(locked())
  const backend = bearer(KEY)
  const everything = bearer(await mint({ channels: { '**': all } }))
  const [alice, bob, eve] = [backend, backend, everything].map((headers) => visitor(url, headers))
  await alice!.join('r', { participant: 'alice' })
  await bob!.join('r', { participant: 'bob' })
  await eve!.join('r', { participant: 'eve' })
  const hers = await eve!.stream()
  await alice!.send('r', bye('secret', { data: 'SDP-OF-ALICE' }))
  const inbox = `inbox:r:${bob!.incarnation}`
  for (const headers of [backend, everything]) {
    const options = { headers: { ...headers, accept: 'application/json' } }
    const body = { headers: { ...headers, 'content-type': 'application/json' } }
    const answers = [
      await ask(`${url}/v1/events?channel=${inbox}`, { headers }),
      await ask(`${url}/v1/events?channel=chat&channel=${inbox}&after=earliest&wait=0`, options),
      await post(`${url}/v1/events/stream`, { channel: inbox }, headers),
      await ask(`${url}/v1/channels?channel=${inbox}`, { headers }),
      await ask(`${url}/v1/channels?channel=${inbox}`, { method: 'DELETE', headers }),
      await post(`${url}/v1/channels/close?channel=${inbox}`, {}, headers),
      await post(`${url}/v1/events?channel=${inbox}`, '1', headers),
      await post(`${url}/v1/tickets`, { channels: [inbox] }, headers),
      await ask(`${url}/v1/sessions`, {
        method: 'PATCH',
        headers: { ...body.headers, 'sluice-session': eve!.session },
        body: JSON.stringify({ add: [inbox] }),
      }),
    ]
    for (const answer of answers) t.match(answer.json, { status: 403 }, answer.text)
  }
  await alice!.send('r', bye('after', { to: 'eve' }))
  await hers.event('signal.bye')
  t.notMatch(hers.text, 'SDP-OF-ALICE')
  hers.close()
})

t.test('only who is in sends, and only as themselves', async (t) => {
  const { url } = await start(t)
  const [alice] = await pair(url)
  const stranger = visitor(url)
  t.match(await stranger.send('r', bye('1')), {
    status: 404,
    json: { code: 'participant_unknown' },
  })
  t.match(await stranger.send('nowhere', bye('1')), { status: 404 })
  t.match(await alice.send('r', bye('1', { from: 'bob' })), {
    status: 400,
    json: { code: 'signal_invalid' },
  })
  const nameless = await post(`${url}/v1/rooms/r/signals`, bye('1'))
  t.match(nameless.json, { code: 'option_invalid', detail: /Sluice-Session/ })
  t.match(await alice.send('r', [bye('1'), bye('2', { type: 'nonsense' })]), { json: { item: 1 } })
})

t.test('SDP and candidates are in no log', async (t) => {
  const lines: string[] = []
  const write = (fields: unknown, message?: string) =>
    void lines.push(`${JSON.stringify(fields)} ${message}`)
  const logger = { debug: write, info: write, warn: write, error: write }
  const gateway = await startGateway({ ...loadConfig(), port: 0 }, { logger })
  const [alice] = await pair(gateway.url)
  const data = { sdp: 'v=0 PRIVATE-ADDRESS', candidates: ['PRIVATE-ADDRESS'] }
  await alice.send('r', bye('1', { data }))
  await alice.send('r', bye('2', { data: 'PRIVATE-ADDRESS'.repeat(9_000) }))
  await alice.send('r', [bye('3', { data, type: 'wrong' })])
  await gateway.close()
  t.notMatch(lines.join('\n'), 'PRIVATE-ADDRESS')
})

t.test('two gateways on one Redis are one room', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const options = { redisUrl: redis.url }
  const here = await start(t, options)
  const there = await start(t, options)
  const alice = visitor(here.url)
  const bob = visitor(there.url)
  await alice.join('r', { participant: 'alice' })
  await bob.join('r', { participant: 'bob' })
  const stream = await bob.stream()
  await stream.event('stream.live')
  const sent = Array.from({ length: 50 }, (_, i) => bye(`${i}`, { seq: i + 1 }))
  t.same(new Set(statuses(await alice.send('r', sent.slice(0, 30)))), new Set(['delivered']))
  await alice.send('r', sent.slice(30))
  await stream.until((blocks) => said(blocks, 'signal.bye').length === 50)
  t.same(
    said(stream.blocks, 'signal.bye').map(({ seq }) => seq),
    sent.map((_, i) => i + 1),
  )
  await ask(`${here.url}/v1/rooms/r/participants/bob`, { method: 'DELETE' })
  t.match((await stream.event('stream.bye')).json, { reason: 'kicked' }, 'kicked from elsewhere')
})
