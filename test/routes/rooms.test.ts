/** Rooms over HTTP: who is in, who may do what, and what everybody hears of it. */
import t from 'tap'
import { isParticipantId, isRoom } from '../../src/rooms/names.js'
import { bearer, KEY, locked, mint } from '../http/support/locked.js'
import { type Answer, ask } from './support/ask.js'
import { said, visitor } from './support/rooms.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { open } from './support/stream.js'

t.teardown(stopRedis)

const ROOM = { 'room:*': ['signal'] }
const as = async (sub: string | null, channels: Record<string, string[]> = ROOM) =>
  bearer(await mint({ sub, channels }))
const path = (room: string, id: string) => `/v1/rooms/${room}/participants/${id}`
const members = async (url: string, room: string, headers = {}) =>
  (await ask(`${url}/v1/rooms/${room}`, { headers })).json?.participants.map(
    ({ id }: { id: string }) => id,
  )

onBothLogs(
  t,
  'joining tells all there is to know, and a stream that goes on from it',
  async (t, start) => {
    const { url } = await start()
    const alice = visitor(url)
    t.equal((await alice.join('r', { participant: 'alice', data: { n: 1 } })).status, 201)
    t.match(alice.joined.json, {
      room: { name: 'r', locked: false, maxParticipants: null, moderators: [], data: {} },
      participant: {
        id: 'alice',
        data: { n: 1 },
        hand: false,
        muted: { audio: false, video: false },
      },
      participants: [],
      iceServers: [],
      iceTransportPolicy: 'all',
      ttl: 3600,
      channels: ['room:r', `inbox:r:${alice.incarnation}`],
      live: false,
    })
    t.equal(alice.joined.headers.location, path('r', 'alice'))
    t.equal(alice.joined.headers['cache-control'], 'no-store')
    const bob = visitor(url)
    await bob.join('r', { participant: 'bob', muted: { audio: true } })
    t.match(bob.joined.json.participants, [{ id: 'alice', polite: true, away: true }])
    const stream = await alice.stream()
    t.match((await stream.event('participant.joined')).json.data, {
      participant: {
        id: 'bob',
        incarnation: bob.incarnation,
        muted: { audio: true, video: false },
      },
    })
    t.notMatch(JSON.stringify(bob.joined.json), alice.session)
    stream.close()
  },
)

onBothLogs(t, 'joining while the stream is open puts the room on it', async (t, start) => {
  const { url } = await start()
  const alice = visitor(url)
  await alice.join('other')
  const reading = await alice.stream()
  await reading.event('stream.live')
  const { json } = await alice.join('r', { participant: 'alice' })
  t.equal(json.live, true)
  const bob = visitor(url)
  await bob.join('r', { participant: 'bob' })
  const { json: event } = await reading.find((block) => block.json?.channel === 'room:r')
  t.match(event.data, { participant: { id: 'bob' } }, 'its own joining isn’t news to it')
  reading.close()
})

onBothLogs(
  t,
  'a join that is repeated is answered again, and nothing is missed',
  async (t, start) => {
    const { url } = await start()
    const [alice, bob] = [visitor(url), visitor(url)]
    await alice.join('r', { participant: 'alice' })
    await bob.join('r', { participant: 'bob' })
    await bob.send('r', { to: 'alice', type: 'offer', messageId: '1' })
    const first = alice.incarnation
    t.equal((await alice.join('r', { participant: 'alice' })).status, 200)
    t.equal(alice.incarnation, first)
    const stream = await alice.stream()
    t.match((await stream.event('signal.offer')).json.data, { from: 'bob', messageId: '1' })
    stream.close()
  },
)

onBothLogs(
  t,
  'leaving is told, ends the stream for good, and the room with the last',
  async (t, start) => {
    const { url } = await start()
    const [alice, bob] = [visitor(url), visitor(url)]
    await alice.join('r', { participant: 'alice' })
    await bob.join('r', { participant: 'bob' })
    const [hers, his] = [await alice.stream(), await bob.stream()]
    await his.event('stream.live')
    t.equal((await bob.request('DELETE', path('r', 'bob'))).status, 204)
    t.match((await hers.event('participant.left')).json.data, {
      id: 'bob',
      incarnation: bob.incarnation,
      reason: 'left',
    })
    t.match((await his.event('stream.bye')).json, { reason: 'left', reconnect: false })
    await his.over()
    t.equal((await bob.stream(his.cursor)).status, 204)
    t.equal((await bob.request('DELETE', path('r', 'bob'))).status, 204, 'as often as one likes')
    t.same(await members(url, 'r'), ['alice'])
    await alice.request('DELETE', path('r', 'alice'))
    t.equal((await ask(`${url}/v1/rooms/r`)).json.code, 'room_unknown')
    hers.close()
  },
)

onBothLogs(
  t,
  'somebody who goes and comes back with the same session is somebody new',
  async (t, start) => {
    const { url } = await start()
    const [alice, bob] = [visitor(url), visitor(url)]
    await bob.join('r', { participant: 'bob' })
    await alice.join('r', { participant: 'alice' })
    const first = alice.incarnation
    await alice.request('DELETE', path('r', 'alice'))
    t.equal((await alice.join('r', { participant: 'alice' })).status, 201)
    t.not(alice.incarnation, first)
    const stream = await alice.stream()
    await bob.send('r', { to: 'alice', type: 'offer', messageId: '1' })
    await stream.event('signal.offer')
    stream.close()
  },
)

onBothLogs(
  t,
  'a kick ends the room’s part of a stream, and the stream where nothing else is on it',
  async (t, start) => {
    const { url } = await start(locked())
    const mo = visitor(url, await as('mo', { 'room:*': ['signal', 'admin'] }))
    const eve = visitor(url, await as('eve', { ...ROOM, chat: ['subscribe', 'publish'] }))
    const bob = visitor(url, await as('bob'))
    for (const one of [mo, eve, bob]) await one.join('r')
    const plain = await eve.stream()
    await plain.event('stream.live')
    t.match(await bob.request('DELETE', path('r', 'eve')), { status: 403 })
    t.equal((await mo.request('DELETE', `${path('r', 'eve')}?ban=10m`)).status, 204)
    t.match((await plain.event('stream.bye')).json, { reason: 'kicked', reconnect: false })
    t.match(plain.blocks.find(({ event }) => event === 'stream.end')?.json, { reason: 'kicked' })
    await plain.over()
    t.equal((await eve.stream(plain.cursor)).status, 204, 'for good')
    t.match(await eve.join('r'), { status: 403, json: { code: 'participant_banned' } })
    t.equal(
      (await bob.send('r', { to: 'eve', type: 'bye', messageId: '1' })).json.results[0].status,
      'gone',
    )
    t.match(await eve.send('r', { to: 'bob', type: 'bye', messageId: '1' }), { status: 404 })
    const kicked = await bob.stream()
    t.match((await kicked.event('participant.left')).json.data, {
      id: 'eve',
      reason: 'kicked',
      by: 'mo',
    })
    kicked.close()
  },
)

onBothLogs(t, 'on an open gateway a ban holds, and so does a lock', async (t, start) => {
  const { url } = await start()
  const [alice, bob] = [visitor(url), visitor(url)]
  await alice.join('r', { participant: 'alice' })
  await bob.join('r', { participant: 'bob' })
  t.equal((await alice.request('DELETE', `${path('r', 'bob')}?ban=10m`)).status, 204)
  for (const one of [bob, visitor(url)]) {
    t.match(await one.join('r', { participant: 'bob' }), {
      status: 403,
      json: { code: 'participant_banned', until: Number },
    })
  }
  t.equal((await alice.request('PATCH', '/v1/rooms/r', { locked: true })).status, 200)
  t.match(await bob.join('r', { participant: 'carl' }), {
    status: 403,
    json: { code: 'room_locked' },
  })
  t.equal((await alice.request('PATCH', '/v1/rooms/r', { moderators: ['bob'] })).status, 200)
  t.equal((await bob.join('r', { participant: 'bob' })).status, 201, 'whom the room names')
})

onBothLogs(t, 'a newer session of somebody takes the place of the older one', async (t, start) => {
  const { url } = await start(locked())
  const token = await as('alice')
  const [older, newer, bob] = [
    visitor(url, token),
    visitor(url, token),
    visitor(url, await as('bob')),
  ]
  await bob.join('r')
  await older.join('r')
  const stream = await older.stream()
  await stream.event('stream.live')
  const his = await bob.stream()
  await newer.join('r')
  t.match((await stream.event('stream.bye')).json, { reason: 'replaced', reconnect: false })
  await his.until((blocks) => said(blocks, 'participant.joined').length === 2)
  t.match(said(his.blocks, 'participant.left'), [
    { id: 'alice', incarnation: older.incarnation, reason: 'replaced' },
  ])
  t.match(await older.send('r', { to: 'bob', type: 'bye', messageId: '1' }), { status: 404 })
  t.match(await visitor(url, await as('eve')).join('r', { participant: 'alice' }), {
    status: 409,
    json: { code: 'participant_taken' },
  })
  his.close()
})

onBothLogs(t, 'a lock and a cap hold, and moderators are whom the room names', async (t, start) => {
  const { url } = await start(locked())
  const backend = bearer(KEY)
  const configure = (body: object, headers: Record<string, string> = backend) =>
    ask(`${url}/v1/rooms/r`, {
      method: 'PATCH',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  t.match(await configure({ maxParticipants: 2, moderators: ['mo'], data: { topic: 'x' } }), {
    status: 200,
    json: { name: 'r', maxParticipants: 2, moderators: ['mo'], data: { topic: 'x' } },
  })
  const [alice, bob, mo] = await Promise.all(
    ['alice', 'bob', 'mo'].map(async (name) => visitor(url, await as(name))),
  )
  await alice!.join('r')
  const stream = await alice!.stream()
  t.match((await mo!.join('r')).json.participant, { id: 'mo', role: 'moderator' })
  t.match(await bob!.join('r'), { status: 409, json: { code: 'room_full', maxParticipants: 2 } })
  t.match(await alice!.request('PATCH', '/v1/rooms/r', { locked: true }), { status: 403 })
  t.equal(
    (await mo!.request('PATCH', '/v1/rooms/r', { locked: true, maxParticipants: null })).status,
    200,
  )
  t.match((await stream.event('room.updated')).json.data.room, {
    locked: true,
    maxParticipants: null,
  })
  t.match(await bob!.join('r'), { status: 403, json: { code: 'room_locked' } })
  t.match((await ask(`${url}/v1/rooms/r`, { method: 'DELETE', headers: backend })).status, 204)
  t.match((await stream.event('stream.bye')).json, { reason: 'closed' })
  t.equal((await bob!.join('r')).status, 201, 'what was set is gone with it')
})

onBothLogs(
  t,
  'participants change what is theirs, moderators ask and appoint',
  async (t, start) => {
    const { url } = await start(locked())
    const mo = visitor(url, await as('mo', { 'room:*': ['signal', 'admin'] }))
    const bob = visitor(url, await as('bob'))
    for (const one of [mo, bob]) await one.join('r')
    const stream = await bob.stream()
    const change = { hand: true, muted: { video: true }, data: { name: 'Bob' } }
    t.match(await bob.request('PATCH', path('r', 'bob'), change), {
      status: 200,
      json: { id: 'bob', hand: true, muted: { audio: false, video: true }, data: { name: 'Bob' } },
    })
    t.match(await bob.request('PATCH', path('r', 'mo'), { hand: false }), { status: 403 })
    t.match(await mo.request('PATCH', path('r', 'bob'), { muted: { audio: true } }), {
      status: 403,
    })
    await mo.request('PATCH', path('r', 'bob'), { mute: ['audio'] })
    t.match((await stream.event('participant.mute')).json.data, { kinds: ['audio'], by: 'mo' })
    t.match(await mo.request('PATCH', path('r', 'bob'), { role: 'moderator', hand: false }), {
      json: { role: 'moderator', hand: false, sender: 'bob' },
    })
    t.match(await mo.request('PATCH', path('r', 'nobody'), { hand: false }), { status: 404 })
    await stream.until((blocks) => said(blocks, 'participant.updated').length === 2)
    t.equal((await bob.request('DELETE', path('r', 'mo'))).status, 204, 'one of them now')
    stream.close()
  },
)

onBothLogs(t, 'whoever has no stream within the grace is out, once', async (t, start) => {
  const members = { leaseMs: 300, sweepMs: 50 }
  const { url } = await start({ presenceGraceMs: 300 }, { members })
  const [alice, bob] = [visitor(url), visitor(url)]
  await alice.join('r', { participant: 'alice' })
  const stream = await alice.stream()
  await bob.join('r', { participant: 'bob' })
  const his = await bob.stream()
  await his.event('stream.live')
  await bob.send('r', { to: 'alice', type: 'x-hello', messageId: '1' })
  his.close()
  t.match((await stream.event('participant.left')).json.data, { id: 'bob', reason: 'timeout' })
  t.match((await ask(`${url}/v1/rooms/r`)).json.participants, [{ id: 'alice', away: false }])
  const back = await bob.stream(his.cursor)
  t.not(back.status, 200, 'and is told when it comes too late')
  const again = visitor(url)
  await again.join('r', { participant: 'carl' })
  await again.request('DELETE', path('r', 'carl'))
  await stream.until((blocks) => said(blocks, 'participant.left').length === 2)
  t.match(said(stream.blocks, 'participant.left'), [{ id: 'bob' }, { id: 'carl', reason: 'left' }])
  stream.close()
})

onBothLogs(t, 'a reconnect within the grace is no leave', async (t, start) => {
  const { url } = await start(
    { presenceGraceMs: 2_000 },
    { members: { leaseMs: 400, sweepMs: 50 } },
  )
  const [alice, bob] = [visitor(url), visitor(url)]
  await alice.join('r', { participant: 'alice' })
  const stream = await alice.stream()
  await bob.join('r', { participant: 'bob' })
  for (let i = 0; i < 5; i++) {
    const his = await bob.stream()
    await his.event('stream.live')
    his.close()
  }
  await bob.request('PATCH', path('r', 'bob'), { hand: true })
  await stream.event('participant.updated')
  t.same(said(stream.blocks, 'participant.left'), [])
  stream.close()
})

t.test('who may', async (t) => {
  const { url } = await start(t, locked({ anonymous: { channels: { 'room:lobby': ['signal'] } } }))
  const plain = visitor(url, await as('alice', { 'chat:*': ['subscribe'] }))
  const guest = visitor(url)
  for (const one of [plain, guest]) {
    const calls = [
      () => one.join('r'),
      () => one.request('GET', '/v1/rooms/r'),
      () => one.request('PATCH', '/v1/rooms/r', {}),
      () => one.request('DELETE', '/v1/rooms/r'),
      () => one.request('PATCH', path('r', 'x'), {}),
      () => one.request('DELETE', path('r', 'x')),
      () => one.send('r', { to: 'x', type: 'bye', messageId: '1' }),
    ]
    const code = one === plain ? 'forbidden' : 'token_missing'
    for (const call of calls) t.equal((await call()).json.code, code)
  }
  t.equal((await guest.join('lobby', { participant: 'guest' })).status, 201)
  t.match(
    (await visitor(url).join('lobby', { participant: 'guest' })).json.code,
    'participant_taken',
  )
  t.equal((await plain.request('GET', '/v1/ice-servers')).json.code, 'forbidden')
  t.equal((await guest.request('GET', '/v1/ice-servers')).status, 200)
  t.match((await ask(`${url}/v1/rooms/lobby/participants`, { method: 'POST' })).json, {
    code: 'option_invalid',
    detail: /Sluice-Session/,
  })
})

t.test('a secret alone is not enough: its session is its login’s', async (t) => {
  const { url } = await start(t, locked())
  const alice = visitor(url, await as('alice'))
  await alice.join('r')
  const thief = { ...(await as('eve')), 'sluice-session': alice.session }
  const call = (method: string, to: string, body?: object) => {
    const headers = { ...thief, 'content-type': 'application/json' }
    return ask(`${url}${to}`, { method, headers, body: body && JSON.stringify(body) })
  }
  const signal = { to: 'alice', type: 'bye', messageId: '1' }
  t.equal((await call('POST', '/v1/rooms/r/participants', {})).json.code, 'session_foreign')
  t.equal((await call('POST', '/v1/rooms/r/signals', signal)).json.code, 'session_foreign')
  t.equal((await call('PATCH', path('r', 'alice'), { hand: true })).json.code, 'session_foreign')
  t.equal((await call('DELETE', path('r', 'alice'))).json.code, 'session_foreign')
})

t.test('names and bodies have their bounds', async (t) => {
  const { url } = await start(t)
  const one = visitor(url)
  const long = 'x'.repeat(100)
  t.equal((await one.join(encodeURIComponent('|'.repeat(100)))).status, 201)
  t.equal((await one.join(`${long}x`)).json.code, 'room_invalid')
  t.equal((await one.join('a:b')).json.code, 'room_invalid')
  for (const dots of ['.', '..']) {
    // Nobody could send it in a URL that a browser makes.
    t.same([isRoom(dots), isParticipantId(dots)], [false, false])
    t.equal((await one.join('r', { participant: dots })).json.code, 'option_invalid')
  }
  t.equal((await one.join('r', { participant: 'a:b' })).json.code, 'option_invalid')
  t.equal((await one.join('r', { participant: 'x'.repeat(128) })).status, 201)
  t.equal((await one.request('DELETE', path('r', 'x'.repeat(128)))).status, 204)
  t.equal((await one.join('r', { data: [] })).json.code, 'option_invalid')
  t.equal((await one.join('r', { data: { x: 'x'.repeat(4_089) } })).json.code, 'option_invalid')
  t.equal((await one.join('r', { data: { x: 'x'.repeat(9_000) } })).json.code, 'body_too_large')
  t.equal((await one.join('r', { data: { x: 'x'.repeat(4_088) } })).status, 201)
  t.equal((await one.join('r', { admin: true })).json.code, 'option_invalid')
  for (const body of [
    { maxParticipants: 0 },
    { maxParticipants: 1_001 },
    { moderators: [''] },
    { locked: 1 },
  ]) {
    t.equal((await one.request('PATCH', '/v1/rooms/r', body)).json.code, 'option_invalid')
  }
  t.equal((await one.request('DELETE', `${path('r', 'x')}?ban=25h`)).json.code, 'option_invalid')
  t.match(await one.request('PUT', '/v1/rooms/r'), {
    status: 405,
    headers: { allow: 'GET, HEAD, PATCH, DELETE' },
  })
})

t.test('joins and signals are counted', async (t) => {
  const rate = (amount: number) => ({ amount, ms: 60_000 })
  const { url } = await start(t, locked({ streamRate: rate(2), publishRate: rate(3) }))
  const alice = visitor(url, await as('alice'))
  t.equal((await alice.join('r')).status, 201)
  t.equal((await alice.join('r')).status, 200)
  t.match(await alice.join('r'), { status: 429, headers: { 'retry-after': /\d/ } })
  const signals = [1, 2, 3].map((i) => ({ to: 'bob', type: 'bye', messageId: `${i}` }))
  t.equal((await alice.send('r', signals)).status, 200)
  t.equal((await alice.send('r', signals[0])).status, 429)
  t.equal((await alice.request('PATCH', path('r', 'alice'), { hand: true })).status, 429)
})

t.test('with each join come links to relays', async (t) => {
  const iceServers = {
    servers: [{ urls: ['turn:t.example', 'stun:t.example'], secret: 'north' }],
    ttl: '10m',
  }
  const { url } = await start(t, { iceServers })
  const one = visitor(url)
  const { json, headers } = await one.join('r', { participant: 'alice' })
  t.match(json, { ttl: 600, iceServers: [{ username: /^\d+:[\w-]{22}$/, credential: /=$/ }] })
  const { username, credential } = json.iceServers[0]
  t.equal(
    headers.link,
    `<turn:t.example>; rel="ice-server"; username="${username}"; credential="${credential}"; credential-type="password", <stun:t.example>; rel="ice-server"`,
  )
  const fresh = await one.request('GET', '/v1/ice-servers')
  t.match(fresh.json, {
    ttl: 600,
    iceTransportPolicy: 'all',
    iceServers: [{ urls: ['turn:t.example', 'stun:t.example'] }],
  })
  t.equal(fresh.headers['cache-control'], 'no-store')
})

onBothLogs(t, 'whose token grants no room any more reads none', async (t, start) => {
  const { url } = await start(locked())
  const chat = { chat: ['subscribe'] }
  const alice = visitor(url, await as('alice', { ...ROOM, ...chat }))
  const bob = visitor(url, await as('bob'))
  for (const one of [alice, bob]) await one.join('r')
  const renew = async (channels: Record<string, string[]>) => {
    const headers = { 'sluice-session': alice.session, ...(await as('alice', channels)) }
    return ask(`${url}/v1/sessions/token`, { method: 'POST', headers })
  }
  const stream = await alice.stream()
  await stream.event('stream.live')
  t.equal((await renew({ 'room:r': ['signal'] })).status, 200)
  await bob.send('r', { to: 'alice', type: 'x-a', messageId: '1' })
  await stream.event('signal.x-a')
  t.equal((await renew(chat)).status, 200)
  t.match((await stream.event('stream.bye')).json, { reason: 'revoked', reconnect: true })

  const weak = await as('alice', chat)
  const reopen = (query: string) =>
    open(`${url}/v1/events?session=${alice.session}&${query}after=${stream.cursor}`, {
      headers: weak,
    })
  t.equal((await reopen('')).status, 403, 'there is nothing else for it')
  const again = await reopen('channel=chat&')
  await again.event('stream.live')
  t.same(again.blocks[0]!.json.channels, ['chat'])
  t.match(
    await alice.join('r'),
    { status: 200, json: { live: false } },
    'not on a stream that may not have it',
  )
  await bob.send('r', { to: 'alice', type: 'x-a', messageId: '2' })
  t.equal((await renew({ ...ROOM, ...chat })).status, 200)
  await again.find(({ json }) => json?.data?.messageId === '2')
  t.equal(again.ended, undefined, 'but there again with the right to it')
  again.close()
})

onBothLogs(t, 'a ticket that lists a room reads it while its reader is in', async (t, start) => {
  const { url } = await start(locked())
  const token = await as('alice', { ...ROOM, chat: ['subscribe'] })
  const alice = visitor(url, token)
  await alice.join('r')
  const headers = { 'content-type': 'application/json', ...token }
  const ticketFor = async (...channels: string[]) => {
    const body = JSON.stringify({ channels })
    return (await ask(`${url}/v1/tickets`, { method: 'POST', headers, body })).json.ticket
  }
  const read = async (ticket: string) => {
    const stream = await open(`${url}/v1/events?session=${alice.session}&ticket=${ticket}`)
    await stream.event('stream.live')
    return stream.blocks.find(({ event }) => event === 'stream.ready')!.json.channels
  }
  t.same(await read(await ticketFor('chat')), ['chat'])
  const { channels } = alice.joined.json
  t.same(await read(await ticketFor('chat', 'room:r')), ['chat', ...channels])
  t.same(await read(await ticketFor('room:r')), channels)
  t.equal(await ticketFor('room:other', 'chat:none'), undefined)
})

t.test('credentials of relays are in the name of whoever gets them', async (t) => {
  const servers = [{ urls: ['turn:t.example'], secret: 'north' }]
  const { url } = await start(t, locked({ iceServers: { servers } }))
  const nameIn = ({ json }: Answer) => json.iceServers[0].username.replace(/^\d+:/, '')
  const mallory = visitor(url, await as('mallory'))
  t.equal(nameIn(await mallory.join('r', { participant: 'alice' })), 'mallory')
  const { url: open } = await start(t, { iceServers: { servers } })
  const nameless = visitor(open)
  const name = nameIn(await nameless.join('r', { participant: 'alice' }))
  t.match(name, /^[\w-]{22}$/)
  t.equal(nameIn(await nameless.join('r', { participant: 'alice' })), name)
})

t.test('relays are for whoever may take part in a room', async (t) => {
  const { url } = await start(t, locked())
  const statusWith = async (pattern: string) => {
    const headers = await as('alice', { [pattern]: ['signal'] })
    return (await ask(`${url}/v1/ice-servers`, { headers })).status
  }
  for (const pattern of ['**', '*:*', 'room:**', 'room:*', 'room:a']) {
    t.equal(await statusWith(pattern), 200, pattern)
  }
  for (const pattern of ['*', 'chat:*', 'rooms:**', 'room', 'room:a:*']) {
    t.equal(await statusWith(pattern), 403, pattern)
  }
})
