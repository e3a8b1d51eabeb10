/** Tickets: one session, one origin, thirty seconds, and no more than was granted. */
import t from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { onBothLogs, stopRedis } from '../routes/support/start.js'
import { dataOf, open } from '../routes/support/stream.js'
import { bearer, KEY, locked, look, mint, ticketFor, write } from './support/locked.js'

t.teardown(stopRedis)

const INVALID = { status: 401, json: { code: 'ticket_invalid' } }
const FIRST = 'session=the-first-session-there-is'
const SECOND = 'session=the-second-session-there-'
const APP = 'https://app.example'

onBothLogs(t, '29: a ticket redeemed for a second session is 401', async (t, start) => {
  const { url } = await start(locked())
  const { ticket } = await ticketFor(url, await mint(), { channels: ['chat:1'] })
  const stream = await open(`${url}/v1/events?ticket=${ticket}&${FIRST}`)
  await stream.event('stream.live')
  t.match(await look(url, `ticket=${ticket}&${SECOND}`), INVALID)
  t.match(await look(url, `ticket=${ticket}`), INVALID)
  t.equal((await look(url, `ticket=${ticket}&${FIRST}`)).status, 200, 'the first comes back')
  stream.close()
  const nameless = await ticketFor(url, await mint(), { channels: ['chat:1'] })
  t.equal((await look(url, `ticket=${nameless.ticket}`)).status, 200)
  t.equal((await look(url, `ticket=${nameless.ticket}`)).status, 200)
  t.match(await look(url, `ticket=${nameless.ticket}&${FIRST}`), INVALID)
})

onBothLogs(t, '29: a ticket that comes from another origin is 401', async (t, start) => {
  const other = 'https://other.example'
  const { url } = await start(locked({ corsOrigins: [APP, other], allowedHosts: 'any' }))
  const token = await mint()
  const from = (origin: string) => ({ origin, accept: 'application/json' })
  // A page that asks itself, and one whose backend asks for it.
  const own = await ticketFor(url, token, { channels: ['chat:1'] }, { origin: APP })
  const given = await ticketFor(url, KEY, { subject: 'alice', channels: ['chat:1'], origin: APP })
  for (const { ticket } of [own, given]) {
    const query = `ticket=${ticket}&${FIRST}`
    t.match(await look(url, query, from(other)), INVALID)
    t.match(await look(url, query), INVALID, 'nor from nowhere')
    t.match(await look(url, query, { 'sec-fetch-site': 'same-origin' }), INVALID, 'another host')
    t.match(
      await look(url, query, { host: 'app.example', 'sec-fetch-site': 'cross-site' }),
      INVALID,
    )
    t.equal((await look(url, query, from(APP))).status, 200)
    t.equal((await look(url, query, { host: 'app.example' })).status, 200, 'a page of this host')
  }
  const any = await ticketFor(url, KEY, { subject: 'alice', channels: ['chat:1'] })
  t.equal((await look(url, `ticket=${any.ticket}&${FIRST}`, from(other))).status, 200)
  t.match(
    await look(url, `ticket=${any.ticket}&${FIRST}`, from(APP)),
    INVALID,
    'the first page that comes',
  )
  t.match(await look(url, `ticket=${any.ticket}&${FIRST}`), INVALID)
  const liar = await post(
    `${url}/v1/tickets`,
    { channels: ['chat:1'], origin: other },
    { ...bearer(token), origin: APP },
  )
  t.match(liar, { status: 400, json: { code: 'option_invalid' } })
})

onBothLogs(t, '29: a ticket that isn’t redeemed within 30 s is 401', async (t, start) => {
  // The clock of whoever issues it: Redis has its own.
  let behind = 0
  const { url } = await start(locked(), { now: () => Date.now() - behind })
  const token = await mint()
  behind = 31_000
  const late = await ticketFor(url, token, { channels: ['chat:1'] })
  behind = 28_000
  const just = await ticketFor(url, token, { channels: ['chat:1'] })
  behind = 0
  t.equal(late.redeemBy < Date.now(), true)
  t.match(await look(url, `ticket=${late.ticket}`), INVALID)
  t.equal((await look(url, `ticket=${just.ticket}`)).status, 200)
})

onBothLogs(t, '29: a ticket ends with the token it was got with', async (t, start) => {
  let ahead = 0
  const { url } = await start(locked(), { now: () => Date.now() + ahead })
  const exp = Math.floor(Date.now() / 1000) + 100
  const { ticket, expires } = await ticketFor(url, await mint({ exp }), { channels: ['chat:1'] })
  t.equal(expires, exp * 1000)
  const query = `ticket=${ticket}&${FIRST}`
  const stream = await open(`${url}/v1/events?${query}`)
  await stream.event('stream.live')
  ahead = 101_000
  t.match((await stream.event('stream.bye')).json, { reason: 'token_expired' })
  t.match(await look(url, query), { status: 401, json: { code: 'token_expired' } })
  // A fresh one for the session: the old URL, with which an EventSource comes back, counts again.
  const fresh = await ticketFor(url, await mint({ exp: exp + 1000 }), { channels: ['chat:1'] })
  const session = FIRST.slice('session='.length)
  const renewed = await post(
    `${url}/v1/sessions/token`,
    { ticket: fresh.ticket },
    { 'sluice-session': session },
  )
  t.match(renewed, { status: 202, json: { live: false, expires: (exp + 1000) * 1000 } })
  t.equal((await look(url, query)).status, 200)
  t.match(await look(url, `ticket=${ticket}&${SECOND}`), INVALID)
  ahead = 1_101_000
  t.match(await look(url, query), { status: 401, json: { code: 'token_expired' } })
})

onBothLogs(
  t,
  '29: a ticket ends with a revocation of its subject, or its token',
  async (t, start) => {
    const { url } = await start(locked())
    for (const target of [{ subject: 'alice' }, { jti: 'token-1' }]) {
      const token = await mint({ jti: 'token-1' })
      const { ticket } = await ticketFor(url, token, { channels: ['chat:1'] })
      const stream = await open(`${url}/v1/events?ticket=${ticket}`)
      await stream.event('stream.live')
      await post(`${url}/v1/revocations`, target, bearer(KEY))
      t.match((await stream.event('stream.bye')).json, { reason: 'revoked', reconnect: false })
      t.match(await look(url, `ticket=${ticket}`), { status: 401, json: { code: 'token_revoked' } })
      const [name, value] = Object.entries(target)[0]!
      const back = `${url}/v1/revocations?${name}=${value}`
      t.equal((await ask(back, { method: 'DELETE', headers: bearer(KEY) })).status, 204)
      t.equal((await look(url, `ticket=${ticket}`)).status, 200)
    }
  },
)

onBothLogs(
  t,
  'a ticket reads its channels, as far as its token does, and nothing else',
  async (t, start) => {
    const { url } = await start(locked())
    await write(url, 'chat:1', 'old')
    const channels = { 'chat:*': ['subscribe', 'publish', 'admin', 'history:none'] }
    const token = await mint({ channels })
    const { ticket } = await ticketFor(url, token, { channels: ['chat:1', 'chat:2'] })
    const stream = await open(`${url}/v1/events?ticket=${ticket}&${FIRST}&after=earliest`)
    t.same((await stream.event('stream.ready')).json.channels, ['chat:1', 'chat:2'], 'its own')
    await stream.event('stream.live')
    await write(url, 'chat:2', 'new')
    await stream.find((block) => block.json?.data === 'new')
    t.same(dataOf(stream.blocks), ['new'])
    stream.close()
    const query = `ticket=${ticket}&${FIRST}`
    t.equal((await look(url, `${query}&channel=chat:2`)).status, 200, 'some of them')
    t.match(await look(url, `${query}&channel=chat:3`), { status: 403 })
    for (const [method, path] of [
      ['POST', '/v1/events'],
      ['DELETE', '/v1/channels'],
      ['GET', '/v1/channels'],
      ['POST', '/v1/tickets'],
    ] as const) {
      const headers: Record<string, string> =
        method === 'POST' ? { 'content-type': 'application/json' } : {}
      const body = method === 'POST' ? '1' : undefined
      const answer = await ask(`${url}${path}?channel=chat:1&ticket=${ticket}`, {
        method,
        headers,
        body,
      })
      t.equal(answer.status, 401, `${method} ${path}`)
    }
    t.equal((await write(url, 'chat:1', 1, ticket)).status, 401, 'nor is it a token')
  },
)

onBothLogs(t, 'who asks for a ticket gets no more than they have', async (t, start) => {
  const { url } = await start(locked())
  const token = await mint()
  const wish = (body: unknown) => post(`${url}/v1/tickets`, body, bearer(token))
  t.match(await wish({ channels: ['chat:1', 'secret'] }), {
    status: 403,
    json: { code: 'forbidden' },
  })
  const invalid = { status: 400, json: { code: 'option_invalid' } }
  t.match(await wish({ channels: ['chat:1'], subject: 'bob' }), invalid)
  t.match(await wish({ channels: ['chat:1'], ttl: 99_999 }), invalid)
  t.match(await wish({ channels: { '**': ['subscribe'] } }), invalid)
  t.match(await wish({ channels: [] }), invalid)
  t.match(await wish({ channels: ['chat:1'], origin: 'app.example' }), invalid)
  t.match(await wish({ channel: ['chat:1'] }), invalid)
  t.match(await wish({ channels: ['chat:*'] }), { status: 400, json: { code: 'channel_invalid' } })
  t.match(await wish('{'), { status: 400, json: { code: 'body_invalid' } })
  const many = Array.from({ length: 1001 }, (_, i) => `chat:${i}`)
  t.match(await wish({ channels: many }), { status: 400, json: { code: 'channels_too_many' } })
})

onBothLogs(
  t,
  'a backend gives tickets to whom it wants, for as long as it wants',
  async (t, start) => {
    const { url } = await start(locked())
    await write(url, 'chat:1', 'old')
    const { ticket, expires } = await ticketFor(url, KEY, {
      ...{ subject: 'carol', ttl: 60 },
      channels: { 'chat:*': ['subscribe', 'history:none'], 'user:carol': ['subscribe'] },
    })
    t.ok(Math.abs(expires - Date.now() - 60_000) < 10_000)
    const query = `ticket=${ticket}&${FIRST}`
    t.same((await look(url, `${query}&channel=chat:1&after=earliest`)).json.events, [])
    t.match(await look(url, `${query}&channel=user:alice`), { status: 403 })
    t.match(await look(url, query), { status: 400, json: { code: 'channel_missing' } })
    // The session is carol's.
    const carol = await mint({ sub: 'carol' })
    t.equal((await look(url, `${FIRST}&channel=chat:1`, bearer(carol))).status, 200)
    t.equal((await look(url, `${FIRST}&channel=chat:1`, bearer(await mint()))).status, 403)
    const typo = await post(`${url}/v1/tickets`, { channels: { a: ['read'] } }, bearer(KEY))
    t.match(typo, { status: 400, json: { code: 'option_invalid' } })
  },
)

onBothLogs(t, 'what is no ticket opens nothing', async (t, start) => {
  const { url } = await start(locked())
  t.match(await look(url, `ticket=${'x'.repeat(43)}`), INVALID)
  for (const wrong of ['', 'short', 'x'.repeat(44), await mint()]) {
    t.match(await look(url, `ticket=${wrong}`), { status: 400, json: { code: 'option_invalid' } })
  }
})

onBothLogs(t, 'a ticket for nothing is told what is missing', async (t, start) => {
  const { url } = await start(locked())
  const answer = await post(`${url}/v1/tickets`, { subject: 'alice' }, bearer(KEY))
  t.match(answer, { status: 400, json: { detail: /^Option "channels" is missing: / } })
})

onBothLogs(t, 'a ticket and somebody’s session are not that somebody', async (t, start) => {
  const { url } = await start(locked())
  const channels = { 'chat:*': ['subscribe'], 'user:{sub}': ['subscribe'] }
  const alice = await mint({ channels })
  const session = FIRST.slice('session='.length)
  const own = await ticketFor(url, alice, { channels: ['user:alice'] })
  t.equal((await look(url, `ticket=${own.ticket}&${FIRST}`)).status, 200)
  const headers = { ...bearer(alice), 'sluice-session': session }
  t.equal((await post(`${url}/v1/sessions/token`, {}, headers)).status, 202)
  const bobs = await ticketFor(url, await mint({ sub: 'bob', channels }), {
    channels: ['user:bob'],
  })
  for (const channel of ['user:alice', 'user:bob']) {
    const answer = await look(url, `ticket=${bobs.ticket}&${FIRST}&channel=${channel}`)
    t.match(answer.status, /^40[13]$/, channel)
  }
})

onBothLogs(t, 'a renewal makes a ticket last, and no wider', async (t, start) => {
  const { url } = await start(locked())
  const wide = await mint({ channels: { '**': ['subscribe'] } })
  const { ticket } = await ticketFor(url, wide, { channels: ['chat:1', 'chat:2'] })
  const query = `ticket=${ticket}&${FIRST}`
  t.equal((await look(url, query)).status, 200)
  const renewed = { 'sluice-session': FIRST.slice('session='.length) }
  const renew = async (token: string) =>
    (await post(`${url}/v1/sessions/token`, {}, { ...renewed, ...bearer(token) })).status
  t.equal(await renew(wide), 202)
  t.equal((await look(url, `${query}&channel=secret`)).status, 403)
  t.equal(await renew(await mint({ channels: { 'chat:1': ['subscribe'] } })), 202)
  t.equal((await look(url, `${query}&channel=chat:1`)).status, 200)
  t.equal((await look(url, `${query}&channel=chat:2`)).status, 403, 'what the fresh token lacks')
})
