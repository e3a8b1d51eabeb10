/** Presence as clients see it: on streams, by polls, and asked for. */
import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import type { PresenceMember } from '../../src/wire/presence.js'
import { bearer, KEY, locked, mint, read, ticketFor } from '../http/support/locked.js'
import { until } from '../support/until.js'
import { Watcher } from '../support/watcher.js'
import { ask, poll, post, publish } from './support/ask.js'
import { onBothLogs, stopRedis } from './support/start.js'
import { open, type Stream, subscribe } from './support/stream.js'

t.teardown(stopRedis)

const CONFIG = {
  channels: [{ pattern: 'chat:*', presence: true }],
  presenceGraceMs: 400,
}
const SOON = { members: { leaseMs: 600, beatMs: 50 } }
/** Time enough to come back. */
const CALM = { ...CONFIG, presenceGraceMs: 60_000 }
const RIGHTS = { 'chat:*': ['subscribe', 'publish', 'presence'] }

const session = (letter: string) => letter.repeat(22)
/** What others see of a session. */
const idOf = (letter: string) =>
  createHash('sha256').update(session(letter)).digest('base64url').slice(0, 22)

async function enter(t: Test, url: string, who: string, more = ''): Promise<Stream> {
  const stream = await subscribe(url, ['chat:7'], `session=${session(who)}${more}`)
  t.teardown(stream.close)
  await stream.event('presence.state')
  return stream
}

async function present(url: string, headers = {}): Promise<PresenceMember[]> {
  const { status, json, text } = await ask(`${url}/v1/presence?channel=chat:7`, { headers })
  if (status !== 200) throw new Error(text)
  return json.members
}

/** The changes that a stream was told. */
const diffs = (stream: Stream) =>
  stream.blocks.filter(({ event }) => event === 'presence.diff').map(({ json }) => json.data)

/** Resolves with the first change that fits. */
async function diff(stream: Stream, fits: (data: Record<string, unknown[]>) => boolean) {
  const { json } = await stream.find(({ event, json }) => {
    return event === 'presence.diff' && fits(json.data)
  })
  return json.data
}

onBothLogs(t, 'who says presence=false reads and is told, and is not present', async (t, start) => {
  const { url } = await start(CONFIG, SOON)
  const a = await enter(t, url, 'a', '&presence=false')
  t.same((await a.event('presence.state')).json.members, [])
  const body = JSON.stringify({ channel: 'chat:7', session: session('b'), presence: false })
  const headers = { 'content-type': 'application/json' }
  const b = await open(`${url}/v1/events/stream`, { method: 'POST', headers, body })
  t.teardown(b.close)
  await b.event('presence.state')
  await poll(url, `channel=chat:7&wait=0&presence=false&session=${session('c')}`)
  await enter(t, url, 'd')
  await diff(a, ({ joined }) => joined!.length === 1)
  t.match(await present(url), [{ id: idOf('d') }])
  await publish(url, 'chat:7', 'hello')
  await a.find(({ json }) => json?.data === 'hello')
})

onBothLogs(t, 'a stream is told who is present, and then who comes and goes', async (t, start) => {
  const { url } = await start(CONFIG, SOON)
  const a = await enter(t, url, 'a')
  const { json: state, id } = await a.event('presence.state')
  t.equal(id, undefined, 'it moves no cursor')
  t.match(state, {
    channel: 'chat:7',
    position: /^\d+-\d+$/,
    members: [{ id: idOf('a'), count: 1 }],
  })
  t.equal(a.blocks[1]?.event, 'presence.state', 'right after the opening')
  t.strictSame(a.blocks[0]?.json.channels, ['chat:7', 'presence:chat:7'])
  const b = await enter(t, url, 'b')
  t.match(await diff(a, ({ joined }) => joined!.length > 0), {
    channel: 'chat:7',
    joined: [{ id: idOf('b'), count: 1 }],
    left: [],
    updated: [],
  })
  b.close()
  t.match(await diff(a, ({ left }) => left!.length > 0), {
    left: [{ id: idOf('b'), reason: 'timeout' }],
  })
  t.match(await present(url), [{ id: idOf('a') }])
})

onBothLogs(t, 'a reconnect within the grace is seen by nobody', async (t, start) => {
  const { url } = await start(CALM)
  const a = await enter(t, url, 'a')
  for (let i = 0; i < 3; i++) {
    const b = await enter(t, url, 'b', '&presence={"n":1}')
    b.close()
    await b.over()
  }
  const c = await enter(t, url, 'c')
  await diff(a, ({ joined }) => joined!.some((it) => (it as PresenceMember).id === idOf('c')))
  t.equal(diffs(a).length, 2, 'b came once, c came once')
  t.match((await c.event('presence.state')).json.members, { length: 3 })
})

onBothLogs(
  t,
  'who comes back with a cursor is told the state anew, and misses nothing',
  async (t, start) => {
    const { url } = await start(CALM)
    const a = await enter(t, url, 'a')
    await a.event('stream.live')
    const cursor = a.cursor!
    a.close()
    await enter(t, url, 'b')
    await publish(url, 'chat:7', 'missed')
    const back = await subscribe(url, ['chat:7'], `session=${session('a')}`, cursor)
    t.teardown(back.close)
    const { json } = await back.event('presence.state')
    t.match(json.members, { length: 2 })
    await back.event('stream.live')
    t.strictSame(diffs(back), [], 'what the state has already isn’t told once more')
    t.match(
      back.blocks.filter(({ event }) => event === undefined).map((it) => it.json.data),
      ['missed'],
    )
  },
)

onBothLogs(t, 'tabs of one subject are one member with their count', async (t, start) => {
  const { url } = await start(locked(CALM))
  const token = await mint({ channels: RIGHTS, more: {} })
  const tab = async (letter: string) => {
    const stream = await read(url, ['chat:7'], token, `session=${session(letter)}`)
    t.teardown(stream.close)
    await stream.event('presence.state')
    return stream
  }
  const first = await tab('a')
  await tab('b')
  t.match(await diff(first, ({ updated }) => updated!.length > 0), {
    joined: [],
    updated: [{ id: 'alice', count: 2 }],
  })
  t.match(await present(url, bearer(KEY)), [{ id: 'alice', count: 2 }])
})

onBothLogs(t, 'the token’s info and the client’s data are seen', async (t, start) => {
  const { url } = await start(locked(CALM))
  const more = { sluice: { channels: RIGHTS, info: { name: 'Alice' } } }
  const token = await mint({ more })
  const query = `session=${session('a')}&presence=${encodeURIComponent('{"big":12345678901234567890}')}`
  const stream = await read(url, ['chat:7'], token, query)
  t.teardown(stream.close)
  await stream.event('presence.state')
  t.match(stream.text, '"info":{"name":"Alice"},"data":{"big":12345678901234567890}')
})

onBothLogs(t, 'a ticket carries info', async (t, start) => {
  const { url } = await start(locked(CALM))
  const token = await mint({ more: { sluice: { channels: RIGHTS, info: { name: 'Alice' } } } })
  const { ticket } = await ticketFor(url, token, { channels: ['chat:7'] })
  const own = await read(url, ['chat:7'], undefined, `ticket=${ticket}`)
  t.teardown(own.close)
  t.match((await own.event('presence.state')).json.members, [
    { id: 'alice', info: { name: 'Alice' } },
  ])
  const given = { subject: 'bob', channels: RIGHTS, info: { name: 'Bob' } }
  const { ticket: other } = await ticketFor(url, KEY, given)
  const bob = await read(url, ['chat:7'], undefined, `ticket=${other}`)
  t.teardown(bob.close)
  const { json } = await bob.event('presence.state')
  t.match(
    json.members.find(({ id }: PresenceMember) => id === 'bob'),
    { info: { name: 'Bob' } },
  )
})

onBothLogs(t, 'without the right one neither is present nor told', async (t, start) => {
  const { url } = await start(locked(CALM))
  const stream = await read(url, ['chat:7'], await mint(), `session=${session('a')}`)
  t.teardown(stream.close)
  await stream.event('stream.live')
  t.strictSame(stream.blocks[0]?.json.channels, ['chat:7'])
  t.strictSame(await present(url, bearer(KEY)), [])
  const watching = await read(url, ['presence:chat:7'], await mint())
  t.equal(watching.status, 403)
  const asked = await ask(`${url}/v1/presence?channel=chat:7`, { headers: bearer(await mint()) })
  t.match(asked, { status: 403, json: { code: 'forbidden' } })
})

onBothLogs(t, 'presence can be watched without being on the channel', async (t, start) => {
  const { url } = await start(locked(CALM))
  const watcher = await read(
    url,
    ['presence:chat:7'],
    await mint({ sub: 'watcher', channels: { 'chat:*': ['presence'] } }),
    `session=${session('w')}`,
  )
  t.teardown(watcher.close)
  t.match((await watcher.event('presence.state')).json, { channel: 'chat:7', members: [] })
  const member = await read(
    url,
    ['chat:7'],
    await mint({ channels: RIGHTS }),
    `session=${session('a')}`,
  )
  t.teardown(member.close)
  t.match(await diff(watcher, () => true), { joined: [{ id: 'alice' }] })
  t.match(await present(url, bearer(KEY)), { length: 1 })
})

onBothLogs(t, 'a backend’s key is told and isn’t present', async (t, start) => {
  const { url } = await start(locked(CALM))
  const backend = await read(url, ['chat:7', 'presence:chat:7'], KEY)
  t.teardown(backend.close)
  t.match((await backend.event('presence.state')).json.members, [])
})

onBothLogs(t, 'a nameless stream without a session leaves at once', async (t, start) => {
  const { url } = await start(CALM)
  const a = await enter(t, url, 'a')
  const nobody = await subscribe(url, ['chat:7'])
  const { json: ready } = await nobody.event('stream.ready')
  await diff(a, ({ joined }) => joined!.length > 0)
  nobody.close()
  t.match(await diff(a, ({ left }) => left!.length > 0), {
    left: [{ id: ready.session, reason: 'left' }],
  })
})

onBothLogs(t, 'a revoked login leaves at once', async (t, start) => {
  const { url } = await start(locked(CALM))
  const watcher = await read(url, ['presence:chat:7'], KEY)
  t.teardown(watcher.close)
  await watcher.event('presence.state')
  const alice = await read(
    url,
    ['chat:7'],
    await mint({ channels: RIGHTS }),
    `session=${session('a')}`,
  )
  await diff(watcher, ({ joined }) => joined!.length > 0)
  await post(`${url}/v1/revocations`, { subject: 'alice' }, bearer(KEY))
  t.match(await diff(watcher, ({ left }) => left!.length > 0), {
    left: [{ id: 'alice', reason: 'left' }],
  })
  await alice.over()
})

onBothLogs(t, 'a poll is told in its control, and is present by its session', async (t, start) => {
  const { url } = await start(CALM)
  const mine = `channel=chat:7&session=${session('p')}`
  const first = await poll(url, mine)
  t.match(first.json, {
    events: [],
    control: [
      { event: 'presence.state', data: { channel: 'chat:7', members: [{ id: idOf('p') }] } },
    ],
  })
  const waiting = poll(url, `${mine}&after=${first.json.cursor}`)
  await enter(t, url, 'a')
  const { json } = await waiting
  t.match(json, {
    events: [],
    control: [{ event: 'presence.diff', id: /^\d+-\d+$/, data: { joined: [{ id: idOf('a') }] } }],
  })
  t.equal(json.control.length, 1)
  const watcher = new Watcher('chat:7')
  watcher.state(first.json.control[0].data)
  watcher.diff(json.control[0].id, json.control[0].data)
  t.same(watcher.all.map(({ id }) => id).sort(), [idOf('a'), idOf('p')].sort())
})

onBothLogs(t, 'a poll without a session is told and isn’t present', async (t, start) => {
  const { url } = await start(CALM)
  const { json } = await poll(url, 'channel=chat:7')
  t.match(json.control, [{ event: 'presence.state', data: { members: [] } }])
})

onBothLogs(t, 'a finite stream is told as a stream is', async (t, start) => {
  const { url } = await start(CALM)
  const stream = await subscribe(url, ['chat:7'], `mode=poll&session=${session('p')}`)
  const { json, id } = await stream.event('presence.state')
  t.match(json.members, [{ id: idOf('p') }])
  t.equal(id, undefined)
})

onBothLogs(t, 'a closed channel ends a stream, whoever is present', async (t, start) => {
  const { url } = await start(CALM)
  await publish(url, 'chat:7', 1)
  const a = await enter(t, url, 'a')
  await post(`${url}/v1/channels/close?channel=chat:7`, {})
  await a.event('stream.end')
  t.equal(await a.over(), 'end')
  const again = await subscribe(url, ['chat:7'], `session=${session('a')}`, a.cursor)
  t.equal(again.status, 204)
})

onBothLogs(t, 'whether anybody is there is told', async (t, start) => {
  const { url } = await start(CONFIG, SOON)
  const server = await subscribe(url, ['server:occupancy'])
  t.teardown(server.close)
  await server.event('stream.live')
  const a = await enter(t, url, 'a')
  const b = await enter(t, url, 'b')
  a.close()
  b.close()
  await server.event('channel.vacated')
  const told = server.blocks.filter(({ event }) => event?.startsWith('channel.'))
  t.match(
    told.map(({ event, json }) => [event, json.data]),
    [
      ['channel.occupied', { channel: 'chat:7' }],
      ['channel.vacated', { channel: 'chat:7' }],
    ],
  )
  t.equal(told.length, 2)
})

onBothLogs(t, 'over partitions that is told all the same', async (t, start) => {
  const { url } = await start({ ...CONFIG, partitions: 4 }, SOON)
  const server = await subscribe(url, ['server:occupancy'])
  t.teardown(server.close)
  await server.event('stream.live')
  const names = ['chat:1', 'chat:2', 'chat:3', 'chat:4', 'chat:5']
  const stream = await subscribe(url, names, `session=${session('a')}`)
  const of = (event: string) =>
    server.blocks
      .filter((it) => it.event === event)
      .map(({ json }) => json.data.channel)
      .sort()
  await server.until(() => of('channel.occupied').length >= names.length)
  stream.close()
  await server.until(() => of('channel.vacated').length >= names.length)
  t.strictSame(of('channel.occupied'), names)
  t.strictSame(of('channel.vacated'), names)
})

onBothLogs(t, 'nobody may publish what is said of presence', async (t, start) => {
  const { url } = await start(CALM)
  for (const channel of ['presence:chat:7', 'server:occupancy', 'session:x']) {
    const answer = await post(`${url}/v1/events?channel=${channel}`, {})
    t.match(answer, { status: 403, json: { code: 'channel_reserved' } })
  }
})

onBothLogs(t, 'a channel whose readers aren’t present says so', async (t, start) => {
  const { url } = await start(CALM)
  const answer = await ask(`${url}/v1/presence?channel=other`)
  t.match(answer, { status: 404, json: { code: 'presence_off' } })
})

onBothLogs(t, 'a wrong option is told', async (t, start) => {
  const { url } = await start(CALM)
  for (const wrong of ['[]', '7', '{', `{"x":"${'x'.repeat(1024)}"}`]) {
    const query = `channel=chat:7&presence=${encodeURIComponent(wrong)}`
    const { status, json } = await poll(url, query)
    t.equal(status, 400, wrong.slice(0, 9))
    t.match(json.code, /^(option|body)_invalid$/)
  }
})

onBothLogs(t, 'the body may have it as an object', async (t, start) => {
  const { url } = await start(CALM)
  const body = { channel: 'chat:7', session: session('a'), presence: { status: 'here' }, wait: 0 }
  const { json } = await post(`${url}/v1/events/stream`, body, { accept: 'application/json' })
  t.match(json.control, [{ data: { members: [{ data: { status: 'here' } }] } }])
})

onBothLogs(t, 'a gateway that goes takes nobody along who comes to another', async (t, start) => {
  const [first, second] = [await start(CALM), await start(CALM)]
  // In memory each gateway has a log of its own.
  if (t.name.includes('memory')) return
  const watcher = await enter(t, second.url, 'w')
  const a = await enter(t, first.url, 'a')
  await diff(watcher, ({ joined }) => joined!.length > 0)
  await first.close()
  await a.over()
  await enter(t, second.url, 'a')
  await enter(t, second.url, 'c')
  await diff(watcher, ({ joined }) => joined!.some((it) => (it as PresenceMember).id === idOf('c')))
  t.equal(diffs(watcher).length, 2)
  await until('all are there', async () => (await present(second.url)).length === 3)
})

onBothLogs(
  t,
  'what one says of oneself changes by PATCH, and stays so for the reconnect',
  async (t, start) => {
    const { url } = await start(CALM)
    const watcher = await enter(t, url, 'w')
    const a = await enter(t, url, 'a', '&presence={"status":"here"}')
    const headers = { 'sluice-session': session('a'), 'content-type': 'application/json' }
    const say = (body: unknown) =>
      ask(`${url}/v1/sessions`, { method: 'PATCH', headers, body: JSON.stringify(body) })
    const answer = await say({ presence: { 'chat:7': { status: 'busy' } } })
    t.match(answer, { status: 200, json: { session: idOf('a') } })
    t.match(await diff(watcher, ({ updated }) => updated!.length > 0), {
      updated: [{ id: idOf('a'), data: { status: 'busy' } }],
    })
    a.close()
    await a.over()
    await enter(t, url, 'a', '&presence={"status":"here"}')
    t.match(
      (await present(url)).find(({ id }) => id === idOf('a')),
      { data: { status: 'busy' } },
    )
    t.match(await say({ presence: { 'chat:8': {} } }), {
      status: 409,
      json: { code: 'not_present' },
    })
  },
)

onBothLogs(
  t,
  'a channel that comes to a stream brings its presence, and takes it along',
  async (t, start) => {
    const { url } = await start(CALM)
    const watcher = await subscribe(url, ['presence:chat:8'])
    t.teardown(watcher.close)
    await watcher.event('presence.state')
    const a = await enter(t, url, 'a')
    const headers = { 'sluice-session': session('a'), 'content-type': 'application/json' }
    const change = (body: unknown) =>
      ask(`${url}/v1/sessions`, { method: 'PATCH', headers, body: JSON.stringify(body) })
    await change({ add: ['chat:8'] })
    const { json } = await a.find(({ event, json }) => {
      return event === 'presence.state' && json.channel === 'chat:8'
    })
    t.match(json.members, [{ id: idOf('a') }])
    t.match(await diff(watcher, ({ joined }) => joined!.length > 0), {
      joined: [{ id: idOf('a') }],
    })
    const b = await subscribe(url, ['chat:8'], `session=${session('b')}`)
    t.teardown(b.close)
    await a.find(({ event, json }) => event === 'presence.diff' && json.data.channel === 'chat:8')
    await change({ remove: ['chat:8'] })
    t.match(await diff(watcher, ({ left }) => left!.length > 0), {
      left: [{ id: idOf('a'), reason: 'left' }],
    })
    const ends = (channel: string) =>
      a.find(({ event, json }) => event === 'stream.end' && json.channel === channel)
    t.equal((await ends('chat:8')).json.reason, 'removed')
    t.equal((await ends('presence:chat:8')).json.reason, 'removed', 'and for the same reason')
  },
)

onBothLogs(
  t,
  'presence that is read by its own name stays when its channel goes',
  async (t, start) => {
    const { url } = await start(CALM)
    const named = ['chat:7', 'presence:chat:7']
    const a = await subscribe(url, named, `session=${session('a')}`)
    t.teardown(a.close)
    await a.event('presence.state')
    const headers = { 'sluice-session': session('a'), 'content-type': 'application/json' }
    const body = JSON.stringify({ remove: ['chat:7'] })
    t.match(await ask(`${url}/v1/sessions`, { method: 'PATCH', headers, body }), { status: 200 })
    t.match(await diff(a, ({ left }) => left!.length > 0), { left: [{ id: idOf('a') }] })
    await enter(t, url, 'b')
    t.match(await diff(a, ({ joined }) => joined!.length > 0), { joined: [{ id: idOf('b') }] })
    const ended = a.blocks.filter(({ event }) => event === 'stream.end')
    t.same(
      ended.map(({ json }) => json.channel),
      ['chat:7'],
    )
  },
)

onBothLogs(t, 'a channel that goes while no stream is open ends the grace', async (t, start) => {
  const { url } = await start(CALM)
  const watcher = await enter(t, url, 'w')
  const a = await enter(t, url, 'a')
  a.close()
  await a.over()
  const headers = { 'sluice-session': session('a'), 'content-type': 'application/json' }
  const body = JSON.stringify({ remove: ['chat:7'] })
  t.match(await ask(`${url}/v1/sessions`, { method: 'PATCH', headers, body }), { status: 202 })
  t.match(await diff(watcher, ({ left }) => left!.length > 0), {
    left: [{ id: idOf('a'), reason: 'left' }],
  })
})

onBothLogs(
  t,
  'whose token grants no presence any more is neither told nor seen',
  async (t, start) => {
    const { url } = await start(locked(CALM))
    const as = async (sub: string, verbs: string[]) =>
      bearer(await mint({ sub, channels: { 'chat:*': verbs } }))
    const streamOf = async (sub: string, letter: string) => {
      const stream = await open(`${url}/v1/events?channel=chat:7&session=${session(letter)}`, {
        headers: await as(sub, RIGHTS['chat:*']),
      })
      t.teardown(stream.close)
      await stream.event('stream.live')
      return stream
    }
    const [alice, bob] = [await streamOf('alice', 'a'), await streamOf('bob', 'b')]
    const headers = { 'sluice-session': session('a'), ...(await as('alice', ['subscribe'])) }
    t.equal((await ask(`${url}/v1/sessions/token`, { method: 'POST', headers })).status, 200)
    t.match(await diff(bob, ({ left }) => left!.length > 0), {
      left: [{ id: 'alice', reason: 'left' }],
    })
    t.match((await alice.event('stream.end')).json, {
      channel: 'presence:chat:7',
      reason: 'revoked',
    })
    const after = alice.blocks.length
    await streamOf('carl', 'c')
    await publish(url, 'chat:7', 'last', bearer(KEY))
    await alice.find(({ json }) => json?.data === 'last')
    t.notOk(alice.blocks.slice(after).some(({ event }) => event === 'presence.diff'))
  },
)

onBothLogs(t, 'a channel that comes and goes at once leaves nobody behind', async (t, start) => {
  const { url } = await start(CALM)
  const a = await enter(t, url, 'a')
  const headers = { 'sluice-session': session('a'), 'content-type': 'application/json' }
  const change = (body: unknown) =>
    ask(`${url}/v1/sessions`, { method: 'PATCH', headers, body: JSON.stringify(body) })
  const channels = Array.from({ length: 20 }, (_, i) => `chat:at-once-${i}`)
  for (const channel of channels) {
    await change({ add: [channel] })
    await change({ remove: [channel] })
  }
  for (const channel of channels) {
    await until(`${channel} left`, async () => {
      const { json } = await ask(`${url}/v1/presence?channel=${channel}`)
      return json.members.length === 0
    })
    const about = (event: string, name = channel) =>
      a.blocks.findLastIndex((it) => it.event === event && it.json.channel === name)
    t.ok(about('stream.end', `presence:${channel}`) > about('presence.state'), channel)
  }
})
