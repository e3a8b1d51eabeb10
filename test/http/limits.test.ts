/** Every limit of src/limits.ts: below it, at it, above it. */
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { countedAs } from '../../src/auth/addresses.js'
import { loadConfig } from '../../src/config.js'
import { LIMITS, type LimitName } from '../../src/limits.js'
import { ask, post } from '../routes/support/ask.js'
import { connect, say } from '../routes/support/socket.js'
import { onBothLogs, type Start, start, stopRedis } from '../routes/support/start.js'
import { type Stream, subscribe } from '../routes/support/stream.js'
import { startRedis } from '../support/redis.js'
import { bearer, KEY, locked, look, mint, read, ticketFor, write } from './support/locked.js'

t.teardown(stopRedis)

/** A rate of so many that none comes back while a test runs. */
const rate = (amount: number) => ({ amount, ms: 3_600_000 })
const LIMITED = { status: 429, json: { code: 'rate_limited', retryable: true } }
const CLOSE = 'Host: localhost\r\nConnection: close\r\n'

/** A streamed body that is sent whole. */
function upload(url: string, channel: string, body: string, token: string) {
  const headers = { ...bearer(token), 'content-type': 'application/x-ndjson' }
  return ask(`${url}/v1/events?channel=${channel}`, { method: 'POST', headers, body })
}

/** Opens streams until one is refused; answers those that stand. */
async function fill(t: Test, open: () => Promise<Stream>): Promise<Stream[]> {
  const streams: Stream[] = []
  for (;;) {
    const stream = await open()
    const opened = await Promise.race([
      stream.event('stream.ready').then(
        () => true,
        () => false,
      ),
      stream.over().then(() => stream.text.includes('stream.ready')),
    ])
    if (!opened) {
      t.match([stream.status, stream.text], [200, /^retry: \d+\n: streams_\w+: /])
      return streams
    }
    t.teardown(stream.close)
    streams.push(stream)
  }
}

/** By name, so that the compiler finds a limit without a test. */
const TESTS: Record<LimitName, (t: Test, start: Start) => Promise<void>> = {
  async maxHeadSize(t, start) {
    const { url } = await start({ maxHeadBytes: 4096 })
    const head = (size: number) => {
      const begin = `GET /healthz HTTP/1.1\r\n${CLOSE}X: `
      return `${begin}${'x'.repeat(size - begin.length)}\r\n\r\n`
    }
    // Node counts names and values, not what stands between them: some bytes of tolerance.
    t.match(await say(url, head(3900)), /^HTTP\/1\.1 200 /)
    t.match(await say(url, head(4200)), /^HTTP\/1\.1 400 .*request_invalid/s)
  },
  async maxUrlLength(t, start) {
    const { url } = await start({ maxUrlLength: 200 })
    const of = (length: number) => {
      const begin = '/v1/channels?channel=a&x='
      return ask(url + begin + 'x'.repeat(length - begin.length))
    }
    t.match(await of(199), { status: 400, json: { code: 'option_invalid' } })
    t.match(await of(200), { status: 400, json: { code: 'option_invalid' } })
    t.match(await of(201), { status: 414, json: { code: 'url_too_long' } })
  },
  async headTimeout(t, start) {
    const { url } = await start({ headMs: 200 })
    const wire = await connect(url)
    wire.write('GET /healthz HTTP/1.1\r\n')
    wire.write(`${CLOSE}\r\n`)
    t.match(await wire.rest(), /^HTTP\/1\.1 200 /, 'in time')
    const late = await connect(url)
    late.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n')
    t.match(await late.rest(), /^HTTP\/1\.1 408 /)
  },
  async bodyTimeout(t, start) {
    const { url } = await start({ bodyMs: 200 })
    const head = `POST /v1/events?channel=a HTTP/1.1\r\n${CLOSE}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n`
    const wire = await connect(url)
    wire.write(`${head}o`)
    wire.write('k')
    t.match(await wire.rest(), /^HTTP\/1\.1 201 /, 'in time')
    const late = await connect(url)
    late.write(`${head}o`)
    t.match(await late.rest(), /^HTTP\/1\.1 408 .*body_timeout/s)
  },
  async uploadTimeout(t, start) {
    const { url } = await start({ uploadIdleMs: 300 })
    const wire = await connect(url)
    t.teardown(wire.destroy)
    wire.write(
      `POST /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1\n\r\n`,
    )
    t.match(await wire.until(/\}$/), /^HTTP\/1\.1 408 .*"appended":1/s)
  },
  async maxEventSize(t, start) {
    const { url } = await start(locked({ maxEventBytes: 100 }))
    const of = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2))
    for (const [bytes, status] of [
      [99, 201],
      [100, 201],
      [101, 413],
    ] as const) {
      t.equal((await post(`${url}/v1/events?channel=a`, of(bytes), bearer(KEY))).status, status)
      t.equal((await upload(url, 'a', `${of(bytes)}\n`, KEY)).status, status, 'streamed')
    }
  },
  async maxBodySize(t, start) {
    const { url } = await start({ maxBodyBytes: 1000, maxEventBytes: 1000 })
    for (const [bytes, status] of [
      [999, 201],
      [1000, 201],
      [1001, 413],
    ] as const) {
      const body = JSON.stringify('x'.repeat(bytes - 2))
      t.equal((await post(`${url}/v1/events?channel=a`, body)).status, status)
      const chunked = `POST /v1/events?channel=a HTTP/1.1\r\n${CLOSE}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${bytes.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      t.match(await say(url, chunked), new RegExp(`^HTTP/1\\.1 ${status} `), 'without a length')
    }
  },
  async maxUploadSize(t, start) {
    const { url } = await start(locked({ maxUploadBytes: 1000 }))
    const of = (bytes: number) => '1\n'.repeat(2) + ' '.repeat(bytes - 4)
    t.match(await upload(url, 'a', of(999), KEY), { status: 201, json: { appended: 2 } })
    t.match(await upload(url, 'a', of(1000), KEY), { status: 201, json: { appended: 2 } })
    t.match(await upload(url, 'a', of(1001), KEY), {
      status: 413,
      json: { code: 'body_too_large' },
    })
    const free = await start(locked({ maxUploadBytes: 0 }))
    t.equal((await upload(free.url, 'a', of(100_000), KEY)).status, 201, '0: none')
  },
  async maxStreams(t, start) {
    const { url } = await start({ maxStreams: 3 })
    const streams = await fill(t, () => read(url, ['a'], undefined))
    t.equal(streams.length, 3)
    t.match(await look(url, 'channel=a'), { status: 503, json: { code: 'streams_exhausted' } })
    streams[0]!.close()
    while ((await look(url, 'channel=a')).status !== 200);
  },
  async maxStreamsPerSubject(t, start) {
    const { url } = await start(locked({ maxStreamsPerSubject: 3 }))
    const token = await mint()
    const streams = await fill(t, () => read(url, ['chat:1'], token))
    t.equal(streams.length, 3)
    const answer = await look(url, 'channel=chat:1', bearer(token))
    t.match(answer, { status: 429, json: { code: 'streams_too_many' } })
    t.ok(Number(answer.headers['retry-after']) > 0)
    const { ticket } = await ticketFor(url, token, { channels: ['chat:1'] })
    t.match(await look(url, `ticket=${ticket}`), { status: 429 }, 'by whatever door')
    const bob = bearer(await mint({ sub: 'bob' }))
    t.equal((await look(url, 'channel=chat:1', bob)).status, 200, 'others don’t notice')
    streams[0]!.close()
    while ((await look(url, 'channel=chat:1', bearer(token))).status !== 200);
    const free = await start(locked({ maxStreamsPerSubject: 0 }))
    for (let i = 0; i < 5; i++) {
      const stream = await read(free.url, ['chat:1'], token)
      await stream.event('stream.ready')
      t.teardown(stream.close)
    }
  },
  async maxStreamsPerAddress(t, start) {
    const { url } = await start(
      locked({ maxStreamsPerAddress: 3, maxStreamsPerSubject: 0, trustedProxies: ['loopback'] }),
    )
    const token = await mint()
    const from = (address: string) => ({ 'x-forwarded-for': address })
    const streams = await fill(t, () => read(url, ['chat:1'], token, '', from('203.0.113.1')))
    t.equal(streams.length, 3)
    const here = await look(url, 'channel=chat:1', { ...bearer(token), ...from('203.0.113.1') })
    t.match(here, { status: 429, json: { code: 'streams_too_many' } })
    const there = await look(url, 'channel=chat:1', { ...bearer(token), ...from('203.0.113.2') })
    t.equal(there.status, 200)
    const backend = await look(url, 'channel=chat:1', { ...bearer(KEY), ...from('203.0.113.1') })
    t.equal(backend.status, 200)
  },
  async maxPresent(t, start) {
    const channels = [{ pattern: 'chat:*', presence: true }]
    const { url } = await start({ maxPresent: 2, channels })
    const sessions = ['a', 'b', 'c'].map((it) => it.repeat(22))
    for (const session of sessions) {
      const stream = await subscribe(url, ['chat:7'], `session=${session}`)
      t.teardown(stream.close)
      t.equal(stream.status, 200, 'it reads')
      const { json } = await stream.event('presence.state')
      t.equal(json.members.length, Math.min(2, sessions.indexOf(session) + 1))
    }
  },
  async maxChannels(t, start) {
    const { url } = await start(locked({ maxChannels: 3 }))
    const of = (count: number) =>
      Array.from({ length: count }, (_, i) => `channel=chat:${i}`).join('&')
    const token = bearer(await mint())
    t.equal((await look(url, of(2), token)).status, 200)
    t.equal((await look(url, of(3), token)).status, 200)
    t.match(await look(url, of(4), token), { status: 400, json: { code: 'channels_too_many' } })
    const channels = { channels: ['chat:1', 'chat:2', 'chat:3', 'chat:4'] }
    t.equal((await post(`${url}/v1/tickets`, channels, token)).status, 400)
  },
  async streamRate(t, start) {
    const { url } = await start(locked({ streamRate: rate(3) }))
    const token = bearer(await mint())
    t.equal((await look(url, 'channel=chat:1', token)).status, 200)
    t.equal((await post(`${url}/v1/tickets`, { channels: ['chat:1'] }, token)).status, 201)
    t.equal(
      (await write(url, 'chat:1', 1, await mint())).status,
      201,
      'publishing is another thing',
    )
    t.equal((await look(url, 'channel=chat:1', token)).status, 200, 'at the bound')
    const over = await look(url, 'channel=chat:1', token)
    t.match(over, LIMITED)
    t.ok(Number(over.headers['retry-after']) > 1000, 'a third of an hour')
    const native = await read(url, ['chat:1'], await mint())
    t.equal(await native.over(), 'end')
    t.match([native.status, native.text], [200, /^retry: \d+\n: rate_limited/])
    t.match(await post(`${url}/v1/tickets`, { channels: ['chat:1'] }, token), LIMITED)
    t.equal((await look(url, 'channel=chat:1', bearer(await mint({ sub: 'bob' })))).status, 200)
    t.equal((await look(url, 'channel=chat:1', bearer(KEY))).status, 200, 'nor backends')
  },
  async publishRate(t, start) {
    const { url } = await start(locked({ publishRate: rate(5) }))
    const token = await mint()
    t.equal((await write(url, 'chat:1', 1, token)).status, 201)
    const three = [1, 2, 3].map((data) => ({ channel: `chat:${data}`, data }))
    t.equal((await post(`${url}/v1/events`, three, bearer(token))).status, 201)
    t.equal((await write(url, 'chat:1', 1, token)).status, 201, 'at the bound')
    const over = await write(url, 'chat:1', 'too much', token)
    t.match(over, LIMITED)
    t.ok(Number(over.headers['retry-after']) > 600, 'a fifth of an hour')
    t.match(await post(`${url}/v1/events`, three, bearer(token)), LIMITED)
    t.equal((await write(url, 'chat:1', 1, await mint({ sub: 'bob' }))).status, 201)
    const { json } = await look(url, 'channel=chat:1&after=earliest', bearer(KEY))
    t.notMatch(JSON.stringify(json), 'too much')
    for (let i = 0; i < 10; i++) t.equal((await write(url, 'chat:1', 1)).status, 201)
  },
  async channelRate(t, start) {
    const { url } = await start(locked({ channelRate: rate(3) }))
    const [alice, bob] = [await mint(), await mint({ sub: 'bob' })]
    t.equal((await write(url, 'chat:1', 1, alice)).status, 201)
    t.equal((await write(url, 'chat:1', 1, bob)).status, 201)
    t.equal((await write(url, 'chat:1', 1, alice)).status, 201, 'at the bound')
    t.match(await write(url, 'chat:1', 1, alice), LIMITED)
    t.match(await write(url, 'chat:1', 1, bob), LIMITED)
    t.equal((await write(url, 'chat:2', 1, bob)).status, 201, 'another channel')
    t.equal((await write(url, 'chat:1', 1)).status, 201, 'a backend')
  },
}

for (const [name, test] of Object.entries(TESTS)) {
  onBothLogs(t, `${name} (${LIMITS[name as LimitName].fallback}): below, at and above`, test)
}

t.test('each limit is an option of the same name with the same default', async (t) => {
  const { OPTIONS } = await import('../../src/config.js')
  for (const [name, limit] of Object.entries(LIMITS)) {
    const option = OPTIONS.find(({ key }) => key === name)
    t.equal(option?.fallback, limit.fallback, name)
  }
})

onBothLogs(
  t,
  '24: of 10,000 streams that one user opens, those above the cap are shed',
  async (t, start) => {
    const { url } = await start(locked({ streamRate: { amount: 0, ms: 1000 } }))
    const { maxStreamsPerSubject: cap } = loadConfig()
    const token = await mint()
    const streams: Stream[] = []
    for (let i = 0; i < cap; i++) streams.push(await read(url, ['chat:1'], token))
    for (const stream of streams) t.teardown(stream.close)
    const bob = await read(url, ['chat:1'], await mint({ sub: 'bob' }))
    await bob.event('stream.live')
    t.teardown(bob.close)
    const wire = await connect(url)
    t.teardown(wire.destroy)
    const request = `GET /v1/events?channel=chat:1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${token}\r\n\r\n`
    // One after the other on one connection: each answer ends.
    for (let i = 0; i < (10_000 - cap) / 100; i++) {
      wire.write(request.repeat(100))
      const expected = (i + 1) * 100
      while ((wire.text.match(/: streams_too_many/g)?.length ?? 0) < expected) await wire.next()
    }
    t.notMatch(wire.text, /stream\.ready/)
    const id = (await write(url, 'chat:1', 'hello')).json.id
    await bob.find((block) => block.json?.id === id)
    for (const stream of streams) await stream.find((block) => block.json?.id === id)
    t.equal((await ask(`${url}/readyz`)).json.streams, cap + 1)
  },
)

t.test('an upload that is too fast is slowed down, and loses nothing', async (t) => {
  let time = Date.now()
  // Waiting for the rate is no silence of the sender's.
  const config = locked({ publishRate: { amount: 50, ms: 500 }, uploadIdleMs: 200 })
  const { url } = await start(t, config, { now: () => time })
  const wire = await connect(url)
  t.teardown(wire.destroy)
  wire.write(
    `POST /v1/events?channel=chat:1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${await mint()}\r\n` +
      'Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n',
  )
  const stream = await read(url, ['chat:1'], KEY)
  await stream.event('stream.live')
  t.teardown(stream.close)
  const send = (from: number, to: number) => {
    const lines = Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join('')
    wire.write(`${lines.length.toString(16)}\r\n${lines}\r\n`)
  }
  const held = async () =>
    (await ask(`${url}/v1/channels?channel=chat:1`, { headers: bearer(KEY) })).json.events
  // Let in piece by piece, a quarter of the rate at a time; what is too much must be waited for.
  send(0, 70)
  await stream.find((block) => block.json?.data === 51)
  for (let i = 0; i < 20; i++) t.equal(await held(), 52, 'nothing comes while no time passes')
  time += 500
  await stream.find((block) => block.json?.data === 69)
  wire.write('0\r\n\r\n')
  t.match(await wire.until(/\}$/), /^HTTP\/1\.1 201 .*"appended":70/s)
})

t.test('a rate is counted over all gateways on one Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const config = locked({ redisUrl: redis.url, publishRate: rate(10) })
  const urls = [(await start(t, config)).url, (await start(t, config)).url]
  const token = await mint()
  const answers = []
  for (let i = 0; i < 12; i++) answers.push((await write(urls[i % 2]!, 'chat:1', i, token)).status)
  t.same(answers, [...Array(10).fill(201), 429, 429])
})

onBothLogs(t, 'somebody nameless is counted by address', async (t, start) => {
  const anonymous = { channels: { 'public:*': ['publish'] } }
  const { url } = await start(
    locked({ anonymous, publishRate: rate(2), trustedProxies: ['loopback'] }),
  )
  const send = (address: string) =>
    post(`${url}/v1/events?channel=public:1`, '1', { 'x-forwarded-for': address })
  const statuses = []
  for (let i = 0; i < 3; i++) statuses.push((await send('203.0.113.1')).status)
  t.same(statuses, [201, 201, 429])
  t.equal((await send('203.0.113.2')).status, 201)
})

onBothLogs(t, 'an address that guesses tickets is sent away, and nobody else', async (t, start) => {
  const { url } = await start(locked({ streamRate: rate(3), trustedProxies: ['loopback'] }))
  const { ticket } = await ticketFor(url, await mint(), { channels: ['chat:1'] })
  const come = (address: string, with_: string) =>
    look(url, `ticket=${with_}`, { 'x-forwarded-for': address })
  const statuses = []
  for (let i = 0; i < 6; i++) statuses.push((await come('203.0.113.1', 'x'.repeat(43))).status)
  t.same(statuses, [401, 401, 401, 401, 429, 429])
  t.match(await come('203.0.113.1', ticket), LIMITED)
  t.equal((await come('203.0.113.2', ticket)).status, 200)
  t.equal((await come('203.0.113.1', '')).status, 400)
})

onBothLogs(
  t,
  'what the hook refuses is paid for by who asked, and not by the channel',
  async (t, start) => {
    let asked = 0
    const hook = createServer((request, response) => {
      asked++
      request.resume()
      response.setHeader('content-type', 'application/json').end('{"allow":false}')
    })
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      hook.closeAllConnections()
      hook.close()
    })
    const { port } = hook.address() as { port: number }
    const { url } = await start(
      locked({
        ...{ publishRate: rate(3), channelRate: rate(1), authorizeCacheMs: 0 },
        authorizeUrl: `http://127.0.0.1:${port}/`,
      }),
    )
    const token = await mint()
    const statuses = []
    for (let i = 0; i < 5; i++) statuses.push((await write(url, 'chat:1', i, token)).status)
    t.same(statuses, [403, 403, 403, 429, 429])
    t.equal(asked, 3)
  },
)

onBothLogs(
  t,
  'whoever has no right to it needn’t send a body, and nobody a huge one',
  async (t, start) => {
    const { url } = await start(locked())
    const huge = JSON.stringify(
      Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [i, 0])),
    )
    const session = { 'sluice-session': 'a-session-of-22-letters' }
    for (const path of ['/v1/events/stream', '/v1/sessions/token']) {
      t.match(await post(url + path, huge, session), { status: 401 }, `nameless at ${path}`)
      const named = { ...session, ...bearer(await mint()) }
      t.match(await post(url + path, huge, named), { status: 413 }, `named at ${path}`)
    }
    const reader = bearer(await mint({ channels: { 'chat:*': ['subscribe'] } }))
    t.match(await post(`${url}/v1/events`, huge, reader), { status: /^(403|413)$/ })
    t.match(await post(`${url}/v1/events`, '[1]', reader), { status: 403 }, 'before it is read')
    const wide = Array.from({ length: 900 }, (_, i) => `chat:${'x'.repeat(100)}${i}`)
    const ticket = await post(`${url}/v1/tickets`, { channels: wide }, bearer(await mint()))
    t.match(ticket, {
      status: 400,
      json: { code: 'option_invalid', detail: /takes \d+ characters/ },
    })
  },
)

t.test('an address is counted by one name, however it is spelled', async (t) => {
  const same: [string, string][] = [
    ['203.0.113.5', '203.0.113.5:1234'],
    ['203.0.113.5', '::ffff:203.0.113.5'],
    ['2001:db8::1', '2001:0db8:0:0:ffff::2'],
    ['2001:db8::1', '[2001:db8::9]:443'],
    ['unknown', 'whatever'],
  ]
  for (const [a, b] of same) t.equal(countedAs(a), countedAs(b), `${a} ${b}`)
  t.not(countedAs('2001:db8::1'), countedAs('2001:db8:0:1::1'))
  t.not(countedAs('203.0.113.5'), countedAs('203.0.113.6'))
})
