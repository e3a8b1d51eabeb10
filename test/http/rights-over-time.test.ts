/** Rights end while something is open: with the token, by a revocation; a fresh token goes on. */
import t, { type Test } from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { connect } from '../routes/support/socket.js'
import { onBothLogs, start, stopRedis } from '../routes/support/start.js'
import { controlsOf, dataOf, open, type Stream } from '../routes/support/stream.js'
import { startRedis } from '../support/redis.js'
import { bearer, KEY, locked, look, mint, read, ticketFor, write } from './support/locked.js'

t.teardown(stopRedis)

/** A clock that can be put forward. */
function clock() {
  let ahead = 0
  return {
    now: () => Date.now() + ahead,
    forward(seconds: number) {
      ahead += seconds * 1000
    },
  }
}

const inSeconds = (seconds: number) => Date.now() / 1000 + seconds
const SESSION = 'a-session-of-22-letters'
const revoke = (url: string, body: object) => post(`${url}/v1/revocations`, body, bearer(KEY))
const renew = (url: string, session: string, token: string, body: object = {}) =>
  post(`${url}/v1/sessions/token`, body, { ...bearer(token), 'sluice-session': session })

onBothLogs(
  t,
  'a stream is told half a minute before its token ends, and ends with it',
  async (t, start) => {
    const time = clock()
    const { url } = await start(locked({ heartbeatMs: 60_000 }), { now: time.now })
    const exp = inSeconds(100)
    const stream = await read(url, ['chat:1'], await mint({ exp }))
    await stream.event('stream.live')
    const expires = Math.floor(exp) * 1000
    time.forward(71)
    t.match((await stream.event('stream.expiring')).json, { expires })
    time.forward(40)
    const bye = await stream.event('stream.bye')
    t.match(bye.json, { reason: 'token_expired', reconnect: true })
    t.notMatch(bye.id, /^end\./, 'whoever has a fresh token goes on from here')
    t.equal(await stream.over(), 'end')
    t.equal(controlsOf(stream.blocks, 'stream.expiring').length, 1, 'told once')
    const again = await look(url, `channel=chat:1&after=${bye.id}`, bearer(await mint({ exp })))
    t.match(again, { status: 401, json: { code: 'token_expired' } })
  },
)

onBothLogs(t, 'a poll that waits, and an upload, end with their token', async (t, start) => {
  const time = clock()
  const { url } = await start(locked(), { now: time.now })
  const token = await mint({ exp: inSeconds(100) })
  const poll = ask(`${url}/v1/events?channel=chat:1`, {
    headers: { accept: 'application/json', ...bearer(token) },
  })
  const watch = await read(url, ['chat:1'], KEY)
  const wire = await connect(url)
  t.teardown(wire.destroy)
  wire.write(
    `POST /v1/events?channel=chat:2 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n` +
      'Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1\n\r\n',
  )
  const uploaded = await read(url, ['chat:2'], KEY, 'after=earliest')
  await uploaded.find((block) => block.json?.data === 1)
  time.forward(101)
  t.match(await poll, { status: 401, json: { code: 'token_expired' } })
  t.match(await wire.until(/\}$/), /^HTTP\/1\.1 401 .*"appended":1.*"token_expired"/s)
  t.same(dataOf(watch.blocks), [])
  watch.close()
  uploaded.close()
})

onBothLogs(t, 'with a fresh token a stream goes on without a reconnect', async (t, start) => {
  const time = clock()
  const { url } = await start(locked(), { now: time.now })
  const old = await mint({ exp: inSeconds(100) })
  const stream = await read(url, ['chat:1'], old, `session=${SESSION}`)
  await stream.event('stream.live')
  const exp = Math.floor(inSeconds(1000))
  const fresh = await mint({ exp })
  time.forward(75)
  await stream.event('stream.expiring')
  const answer = await renew(url, SESSION, fresh)
  t.match(answer, {
    status: 200,
    json: { live: true, expires: exp * 1000 },
  })
  t.equal(answer.json.session, (await stream.event('stream.ready')).json.session)
  time.forward(100)
  await write(url, 'chat:1', 'still here')
  await stream.find((block) => block.json?.data === 'still here')
  time.forward(900)
  t.match((await stream.event('stream.bye')).json, { reason: 'token_expired' })
})

onBothLogs(t, 'a session is its subject’s alone, also for a fresh token', async (t, start) => {
  const { url } = await start(locked({ anonymous: { channels: { 'chat:*': ['subscribe'] } } }))
  const alice = await mint()
  const stream = await read(url, ['chat:1'], alice, `session=${SESSION}`)
  await stream.event('stream.live')
  const bob = await mint({ sub: 'bob' })
  const foreign = { status: 403, json: { code: 'session_foreign' } }
  t.match(await renew(url, SESSION, bob), foreign)
  t.match(await look(url, `channel=chat:1&session=${SESSION}`, bearer(bob)), foreign)
  t.match(
    await look(url, `channel=chat:1&session=${SESSION}`),
    { status: 401, json: { code: 'token_missing' } },
    'a login that has lapsed doesn’t go on as nobody',
  )
  t.match(await look(url, `channel=chat:1&session=${SESSION}`, bearer(alice)), { status: 200 })
  t.match(await renew(url, 'another-session-of-22-l', alice), {
    status: 404,
    json: { code: 'session_unknown' },
  })
  for (const wrong of ['', 'short', 'x'.repeat(129), 'with spaces in it, 22 or more']) {
    t.match(
      await renew(url, wrong, alice),
      { status: 400, json: { code: 'option_invalid' } },
      wrong,
    )
  }
  stream.close()
  await stream.over()
  // Known still, but nobody reads.
  for (;;) {
    const answer = await renew(url, SESSION, alice)
    t.match(answer.status, /^20[02]$/)
    if (answer.status === 202) break
  }
})

onBothLogs(
  t,
  'a fresh token that grants less ends the stream; the opening says why',
  async (t, start) => {
    const { url } = await start(locked())
    const stream = await read(url, ['chat:1', 'user:alice'], await mint(), `session=${SESSION}`)
    await stream.event('stream.live')
    const less = await mint({ channels: { 'chat:*': ['subscribe'] } })
    t.match(await renew(url, SESSION, less), { status: 200 })
    t.match((await stream.event('stream.bye')).json, { reason: 'revoked', reconnect: true })
    const again = await look(
      url,
      `channel=chat:1&channel=user:alice&session=${SESSION}`,
      bearer(less),
    )
    t.match(again, { status: 403, json: { code: 'forbidden', channel: 'user:alice' } })
  },
)

for (const kind of ['subject', 'jti', 'session'] as const) {
  onBothLogs(
    t,
    `whoever is revoked by ${kind} is out at once, and stays out until then`,
    async (t, start) => {
      const time = clock()
      const { url } = await start(locked(), { now: time.now })
      const alice = await mint({ jti: 'token-1', exp: inSeconds(100_000) })
      const bob = await mint({ sub: 'bob', jti: 'token-2', exp: inSeconds(100_000) })
      const query = `channel=chat:1&session=${SESSION}`
      const streams = [
        await read(url, ['chat:1'], alice, `session=${SESSION}`),
        await read(url, ['chat:1'], bob, 'session=the-session-of-somebody'),
      ] as const
      for (const stream of streams) await stream.event('stream.live')
      const poll = ask(`${url}/v1/events?${query}`, {
        headers: { accept: 'application/json', ...bearer(alice) },
      })
      while ((await ask(`${url}/readyz`)).json.streams < 3);
      const ready = await streams[0].event('stream.ready')
      const value = { subject: 'alice', jti: 'token-1', session: ready.json.session }[kind]
      const until = Math.floor(inSeconds(3600))
      t.match(await revoke(url, { [kind]: value, until }), {
        status: 201,
        json: { [kind]: value, until },
      })
      const bye = await streams[0].event('stream.bye')
      t.match(bye.json, { reason: 'revoked', reconnect: false })
      t.match(bye.id, /^end\./, 'a native EventSource stops for good')
      const out = { status: 401, json: { code: 'token_revoked' } }
      t.match(await poll, out)
      t.match(await look(url, query, bearer(alice)), out)
      if (kind !== 'session') t.match(await write(url, 'chat:1', 1, alice), out)
      if (kind === 'subject')
        t.match(await look(url, query, bearer(await mint())), out, 'a new token too')
      const id = (await write(url, 'chat:1', 'for bob', bob)).json.id
      await streams[1].find((block) => block.json?.id === id)
      streams[1].close()
      const list = { status: 200, json: { revocations: [{ [kind]: value, until }] } }
      t.match(await ask(`${url}/v1/revocations`, { headers: bearer(KEY) }), list)
      time.forward(3601)
      t.equal((await look(url, query, bearer(alice))).status, 200, 'until then, no longer')
    },
  )
}

onBothLogs(t, 'a revocation can be taken back', async (t, start) => {
  const { url } = await start(locked())
  const token = await mint()
  await revoke(url, { subject: 'alice' })
  t.equal((await write(url, 'chat:1', 1, token)).status, 401)
  const headers = bearer(KEY)
  const back = await ask(`${url}/v1/revocations?subject=alice`, { method: 'DELETE', headers })
  t.equal(back.status, 204)
  t.equal((await write(url, 'chat:1', 1, token)).status, 201)
  t.same((await ask(`${url}/v1/revocations`, { headers })).json.revocations, [])
})

onBothLogs(t, 'only an admin revokes, and names one thing and a time to come', async (t, start) => {
  const { url } = await start(locked())
  const alice = await mint()
  const body = { subject: 'bob' }
  t.match(await post(`${url}/v1/revocations`, body, bearer(alice)), { status: 403 })
  t.match(await ask(`${url}/v1/revocations`, { headers: bearer(alice) }), { status: 403 })
  const some = await mint({ channels: { 'chat:**': ['admin'], '*': ['admin'] } })
  t.match(
    await post(`${url}/v1/revocations`, body, bearer(some)),
    { status: 403 },
    'not everywhere',
  )
  const admin = await mint({ channels: { '**': ['admin'] } })
  t.match(await post(`${url}/v1/revocations`, body, bearer(admin)), { status: 201 })
  for (const wrong of [
    {},
    { subject: 'a', jti: 'b' },
    { subject: '' },
    { subject: 'x'.repeat(257) },
    { subject: 'a', until: 1 },
    { subject: 'a', until: Date.now() },
    { subject: 'a', until: '9' },
    { user: 'a' },
  ]) {
    t.match(
      await revoke(url, wrong),
      { status: 400, json: { code: 'option_invalid' } },
      JSON.stringify(wrong),
    )
  }
})

// ── several gateways ──

async function pair(t: Test, config = {}) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const both = await Promise.all(
    [1, 2].map(() => start(t, locked({ redisUrl: redis.url, ...config }))),
  )
  return { redis, urls: both.map(({ url }) => url) as [string, string] }
}

t.test('a revocation on one gateway ends streams on the other within a second', async (t) => {
  const { urls } = await pair(t)
  const streams: Stream[] = []
  for (const url of urls) streams.push(await read(url, ['chat:1'], await mint()))
  for (const stream of streams) await stream.event('stream.live')
  const from = performance.now()
  await revoke(urls[0], { subject: 'alice' })
  for (const stream of streams) {
    t.match((await stream.event('stream.bye')).json, { reason: 'revoked', reconnect: false })
  }
  // A promise in seconds, kept in milliseconds: a factor of some hundred for a busy machine.
  t.ok(performance.now() - from < 1000)
  for (const url of urls) t.equal((await write(url, 'chat:1', 1, await mint())).status, 401)
})

t.test('a fresh token reaches the gateway that holds the stream', async (t) => {
  const { urls } = await pair(t)
  const exp = Math.floor(inSeconds(6))
  const stream = await read(urls[0], ['chat:1'], await mint({ exp }), `session=${SESSION}`)
  await stream.event('stream.expiring')
  const fresh = await mint()
  t.match(await renew(urls[1], SESSION, fresh), { status: 200, json: { live: true } })
  t.match(await renew(urls[1], SESSION, await mint({ sub: 'bob' })), { status: 403 })
  await post(`${urls[1]}/v1/events?channel=chat:1`, '1', bearer(KEY))
  await stream.find((block) => block.json?.data === 1)
  t.equal(controlsOf(stream.blocks, 'stream.bye').length, 0)
  stream.close()
})

t.test('a ticket of one gateway opens a stream of the other', async (t) => {
  const { urls } = await pair(t)
  const { ticket } = await ticketFor(urls[0], await mint(), { channels: ['chat:1'] })
  const stream = await open(`${urls[1]}/v1/events?ticket=${ticket}&session=${SESSION}`)
  await stream.event('stream.live')
  stream.close()
  t.match(await look(urls[0], `ticket=${ticket}&session=${SESSION}`), { status: 200 })
  t.match(await look(urls[0], `ticket=${ticket}&session=another-session-of-22-l`), { status: 401 })
})

t.test('a gateway that comes later, and one whose Redis was away, know who is out', async (t) => {
  const { redis, urls } = await pair(t)
  await revoke(urls[0], { subject: 'alice' })
  const { url } = await start(t, locked({ redisUrl: redis.url }))
  const token = await mint()
  t.equal((await look(url, 'channel=chat:1', bearer(token))).status, 401, 'from its start on')
  // Without persistence, so it comes back empty: the gateways give it back what they know.
  await redis.restart('SIGKILL')
  for (const each of [...urls, url]) {
    while ((await ask(`${each}/readyz`)).status !== 200);
    t.equal((await look(each, 'channel=chat:1', bearer(token))).status, 401)
  }
  t.equal((await publishAs(url, KEY)).status, 201)
})

const publishAs = (url: string, token: string) => write(url, 'chat:1', 1, token)
