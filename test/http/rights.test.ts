/** What may be done: rights on every resource, how far back, and the hook. */
import { createServer } from 'node:http'
import t from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { onBothLogs, stopRedis } from '../routes/support/start.js'
import { controlsOf, dataOf } from '../routes/support/stream.js'
import { bearer, KEY, locked, look, mint, read, write } from './support/locked.js'

t.teardown(stopRedis)

const FORBIDDEN = { status: 403, json: { code: 'forbidden' } }

onBothLogs(t, '10: grants on a_b and c are none on a and b_c', async (t, start) => {
  const { url } = await start(locked())
  const rights = (parts: string) => ({ [parts]: ['subscribe', 'publish'] })
  const token = await mint({ channels: rights('a_b:c') })
  const other = await mint({ sub: 'a_b', channels: rights('{sub}:c') })
  const crossing = await mint({ sub: 'a:b', channels: rights('{sub}:c') })
  for (const may of [token, other]) {
    t.equal((await write(url, 'a_b:c', 1, may)).status, 201)
    for (const channel of ['a:b_c', 'a_b_c', 'a:b:c', 'a_b:c:d', 'a_b', 'A_B:c']) {
      t.match(await write(url, channel, 1, may), FORBIDDEN, channel)
      t.match(await look(url, `channel=${channel}`, bearer(may)), FORBIDDEN, channel)
    }
  }
  for (const channel of ['a:b:c', 'a_b:c', 'b:c']) {
    t.match(await write(url, channel, 1, crossing), FORBIDDEN, `a subject with ":" on ${channel}`)
  }
  // The same key by another publisher is another key.
  const key = { 'idempotency-key': 'k' }
  const send = (token: string) =>
    post(`${url}/v1/events?channel=a_b:c`, '1', { ...bearer(token), ...key })
  const ids = [(await send(token)).json.id, (await send(other)).json.id]
  t.equal(new Set(ids).size, 2)
})

onBothLogs(
  t,
  'a forbidden channel that exists and one that doesn’t are answered alike',
  async (t, start) => {
    const { url } = await start(locked())
    await write(url, 'secret:1', 'there')
    const token = await mint()
    const plain = (text: string) => text.replaceAll(/secret:\d/g, 'secret')
    for (const [method, path] of [
      ['GET', '/v1/events?wait=0&channel='],
      ['GET', '/v1/channels?channel='],
      ['POST', '/v1/channels/close?channel='],
      ['DELETE', '/v1/channels?channel='],
      ['POST', '/v1/events?channel='],
    ] as const) {
      const headers = { ...bearer(token), 'content-type': 'application/json' }
      const body = method === 'POST' ? '{}' : undefined
      const [there, not] = await Promise.all(
        ['secret:1', 'secret:2'].map((channel) =>
          ask(url + path + channel, { method, headers, body }),
        ),
      )
      t.match(there, FORBIDDEN, `${method} ${path}`)
      t.equal(plain(there!.text), plain(not!.text))
      const { date: _, ...rest } = there!.headers
      const { date: __, ...others } = not!.headers
      t.same(rest, others)
    }
    t.match(await write(url, 'secret:1', 2), { status: 201 }, 'neither closed nor deleted')
  },
)

onBothLogs(t, 'each verb allows what it says and nothing else', async (t, start) => {
  const { url } = await start(locked())
  const only = (verb: string) => mint({ channels: { 'chat:*': [verb] } })
  const tries = {
    subscribe: (token: string) => look(url, 'channel=chat:1', bearer(token)),
    publish: (token: string) => write(url, 'chat:1', 1, token),
    admin: (token: string) =>
      ask(`${url}/v1/channels?channel=chat:1`, { method: 'DELETE', headers: bearer(token) }),
  }
  for (const verb of ['subscribe', 'publish', 'admin', 'presence', 'signal']) {
    const token = await only(verb)
    for (const [tried, attempt] of Object.entries(tries)) {
      const { status } = await attempt(token)
      t.equal(status < 300, tried === verb, `${tried} with ${verb}: ${status}`)
    }
  }
  t.match(
    await look(url, 'channel=chat:1&channel=other', bearer(await only('subscribe'))),
    FORBIDDEN,
  )
})

onBothLogs(t, 'one forbidden item refuses an array, and ends a streamed body', async (t, start) => {
  const { url } = await start(locked())
  const token = await mint()
  const events = [1, 2, 3].map((n) => ({ channel: n === 2 ? 'other' : 'chat:1', data: n }))
  const array = await post(`${url}/v1/events`, events, bearer(token))
  t.match(array, { ...FORBIDDEN, json: { item: 1 } })
  t.same((await look(url, 'channel=chat:1&after=earliest', bearer(token))).json.events, [])
  const body = events.map((event) => `${JSON.stringify(event)}\n`).join('')
  const headers = { ...bearer(token), 'content-type': 'application/x-ndjson' }
  const stream = await ask(`${url}/v1/events`, { method: 'POST', headers, body })
  t.match(stream, { ...FORBIDDEN, json: { appended: 1 } })
  const early = await ask(`${url}/v1/events?channel=other`, {
    method: 'POST',
    headers,
    body: '1\n',
  })
  t.match(early, FORBIDDEN)
})

onBothLogs(t, 'the sender is the token’s subject, whatever an event claims', async (t, start) => {
  const { url } = await start(locked())
  const stream = await read(url, ['chat:1'], await mint())
  await write(url, 'chat:1', 1, await mint({ sub: 'bob' }))
  await write(url, 'chat:1', 2, await mint({ sub: null }))
  await write(url, 'chat:1', 3)
  await stream.find((block) => block.json?.data === 3)
  const senders = stream.blocks.filter(({ json }) => json?.data).map(({ json }) => json.sender)
  t.same(senders, ['bob', undefined, undefined])
  const forged = { channel: 'chat:1', data: 1, sender: 'alice' }
  const answer = await post(`${url}/v1/events`, forged, bearer(await mint({ sub: 'bob' })))
  t.match(answer, { status: 400, json: { code: 'event_invalid' } })
  stream.close()
})

onBothLogs(t, 'nobody may do what the configuration gives to nobody', async (t, start) => {
  const anonymous = { channels: { 'public:*': ['subscribe'], '{sub}:*': ['subscribe'] } }
  const { url } = await start(locked({ anonymous }))
  t.equal((await look(url, 'channel=public:1')).status, 200)
  const login = { status: 401, json: { code: 'token_missing' } }
  t.match(await look(url, 'channel=public:1&channel=chat:1'), login)
  t.match(await look(url, 'channel=undefined:1'), login)
  t.match(await post(`${url}/v1/events?channel=public:1`, '1'), login)
  t.match(await post(`${url}/v1/tickets`, { channels: ['public:1'] }), login)
})

// ── how far back ──

onBothLogs(
  t,
  'history:none gives nothing from before, and tells what it withholds',
  async (t, start) => {
    const { url } = await start(locked())
    const token = await mint({ channels: { 'chat:*': ['subscribe', 'history:none'] } })
    for (const data of [1, 2]) await write(url, 'chat:1', data)
    for (const query of ['after=earliest', 'rewind=20', 'rewind=5m']) {
      const stream = await read(url, ['chat:1', 'chat:2'], token, query)
      await stream.event('stream.live')
      const id = (await write(url, 'chat:1', query)).json.id
      await stream.find((block) => block.json?.id === id)
      t.same(dataOf(stream.blocks), [query])
      t.same(
        controlsOf(stream.blocks, 'stream.gap'),
        [],
        'whoever asks for the beginning has theirs',
      )
      stream.close()
      const polled = await look(url, `channel=chat:1&${query}`, bearer(token))
      t.match(polled.json, { events: [], control: [] })
    }
    // Coming back with a cursor.
    const first = await read(url, ['chat:1', 'chat:2'], token)
    await first.event('stream.live')
    const cursor = first.cursor!
    first.close()
    const again = await read(url, ['chat:1', 'chat:2'], token, '', { 'last-event-id': cursor })
    await again.event('stream.live')
    t.same(controlsOf(again.blocks, 'stream.gap'), [], 'nothing came in between')
    again.close()
    await write(url, 'chat:1', 'missed')
    const late = await read(url, ['chat:1', 'chat:2'], token, '', { 'last-event-id': cursor })
    await late.event('stream.live')
    const gaps = controlsOf(late.blocks, 'stream.gap')
    t.match(gaps, [{ json: { channel: 'chat:1', after: cursor, reason: 'withheld' } }])
    t.equal(gaps.length, 1)
    await write(url, 'chat:1', 'live')
    await late.find((block) => block.json?.data === 'live')
    t.same(dataOf(late.blocks), ['live'])
    late.close()
    const polled = await look(url, `channel=chat:1&after=${cursor}`, bearer(token))
    t.match(polled.json, {
      events: [],
      control: [{ event: 'stream.gap', data: { reason: 'withheld' } }],
    })
    t.notMatch(JSON.stringify(late.blocks) + polled.text, '"missed"')
    const raw = await read(url, ['chat:1'], token, `format=raw&after=${cursor}`)
    t.equal(raw.status, 410, 'a raw stream can’t tell a gap')
  },
)

onBothLogs(
  t,
  'history since a time begins there; a wider grant of the same token counts',
  async (t, start) => {
    let ahead = 0
    const { url } = await start(locked(), { now: () => Date.now() + ahead })
    await write(url, 'chat:1', 'old')
    const since = Math.floor(Date.now() / 1000)
    const grant = (...words: string[]) => mint({ channels: { 'chat:*': ['subscribe', ...words] } })
    const dates = async (token: string) => {
      const { json } = await look(url, 'channel=chat:1&after=earliest', bearer(token))
      return json.events.map((event: { data: unknown }) => event.data)
    }
    t.same(await dates(await grant(`history:${since - 60}`)), ['old'])
    t.same(await dates(await grant(`history:${since + 60}`)), [])
    t.same(await dates(await grant('history:1m')), ['old'])
    ahead = 120_000
    t.same(await dates(await grant('history:1m')), [])
    t.same(await dates(await grant('history:1m', 'history:1h')), ['old'])
    t.same(await dates(await grant('history:all')), ['old'])
    const two = { 'chat:*': ['subscribe', 'history:none'], 'chat:1': ['subscribe'] }
    t.same(await dates(await mint({ channels: two })), ['old'])
    // Rights limit the past only: what is published now is live, whenever they begin.
    ahead = 0
    const stream = await read(
      url,
      ['chat:1'],
      await grant(`history:${since + 3600}`),
      'after=earliest',
    )
    await stream.event('stream.live')
    await write(url, 'chat:1', 'now')
    await stream.find((block) => block.json?.data === 'now')
    t.same(dataOf(stream.blocks), ['now'])
    stream.close()
  },
)

// ── the hook ──

async function serveHook(t: Parameters<Parameters<typeof onBothLogs>[2]>[0]) {
  const asked: Record<string, unknown>[] = []
  let answer: (body: { channels: string[] }) => [status: number, body: unknown] | undefined =
    () => [200, { allow: true }]
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const body = JSON.parse(text)
    asked.push({ ...body, key: request.headers.authorization })
    const given = answer(body)
    if (given === undefined) return
    response.writeHead(given[0], {
      'content-type': 'application/json',
      location: 'http://127.0.0.1:1/',
    })
    response.end(JSON.stringify(given[1]))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return {
    authorizeUrl: `http://127.0.0.1:${port}/may`,
    asked,
    answers(next: typeof answer) {
      answer = next
    },
  }
}

onBothLogs(t, 'the backend’s word counts beside the token’s rights', async (t, start) => {
  const hook = await serveHook(t)
  const { authorizeUrl } = hook
  const { url } = await start(
    locked({ authorizeUrl, authorizeKey: 'hello-it-is-me', authorizeCacheMs: 0 }),
  )
  const token = await mint()
  t.equal((await write(url, 'chat:1', 1, token)).status, 201)
  t.match(hook.asked, [
    {
      action: 'publish',
      subject: 'alice',
      channels: ['chat:1'],
      address: '127.0.0.1',
      key: 'Bearer hello-it-is-me',
    },
  ])
  hook.answers(({ channels }) => [200, { denied: channels.filter((it) => it === 'chat:2') }])
  t.match(await look(url, 'channel=chat:1&channel=chat:2', bearer(token)), {
    ...FORBIDDEN,
    json: { channel: 'chat:2' },
  })
  t.equal((await look(url, 'channel=chat:1', bearer(token))).status, 200)
  hook.answers(() => [200, { allow: false }])
  t.match(await write(url, 'chat:1', 1, token), FORBIDDEN)
  const ticket = await post(`${url}/v1/tickets`, { channels: ['chat:1'] }, bearer(token))
  t.match(ticket, FORBIDDEN)
  const before = hook.asked.length
  t.match(await write(url, 'other', 1, token), FORBIDDEN)
  t.equal(hook.asked.length, before, 'what the token doesn’t grant isn’t asked')
  t.equal((await write(url, 'chat:1', 1)).status, 201, 'nor is a backend')
})

onBothLogs(t, 'where the backend can’t answer the door is closed', async (t, start) => {
  const hook = await serveHook(t)
  const { authorizeUrl } = hook
  const { url } = await start(
    locked({ authorizeUrl, authorizeCacheMs: 0, authorizeTimeoutMs: 100 }),
  )
  const token = await mint()
  const closed = { status: 503, json: { code: 'authorization_unavailable', retryable: true } }
  for (const [what, answer] of Object.entries({
    fails: () => [500, {}],
    'redirects to somebody who would say yes': () => [302, { allow: true }],
    'says nonsense': () => [200, { allow: 'yes' }],
    'says nothing': () => undefined,
  } as Record<string, () => [number, unknown] | undefined>)) {
    hook.answers(answer)
    const sent = await write(url, 'chat:1', 1, token)
    t.match(sent, closed, what)
    t.ok(sent.headers['retry-after'])
    t.match(await look(url, 'channel=chat:1', bearer(token)), closed, what)
    const stream = await read(url, ['chat:1'], token)
    t.equal(stream.status, 200, 'a native EventSource is told in its own words')
    t.equal(await stream.over(), 'end')
    t.match(stream.text, /^retry: \d+\n: authorization_unavailable/)
  }
  t.same((await look(url, 'channel=chat:1&after=earliest', bearer(KEY))).json.events, [])
})
