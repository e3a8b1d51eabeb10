/** Publishing what is read whole: answers, event objects, arrays, names, keys. */
import t from 'tap'
import { ask, poll, post, publish } from './support/ask.js'
import { onBothLogs, start, stopRedis } from './support/start.js'

t.teardown(stopRedis)

const dataOf = async (url: string, channel: string) =>
  (await poll(url, `channel=${channel}&after=earliest&wait=0&limit=1000`)).json.events.map(
    (e: { data: unknown }) => e.data,
  )

onBothLogs(t, 'the answer says where the event stands', async (t, start) => {
  const { url } = await start()
  const one = await post(`${url}/v1/events?channel=chat:7`, { text: 'Hel' })
  t.equal(one.status, 201)
  t.same(Object.keys(one.json), ['id', 'channel', 'time', 'duplicate'])
  t.match(one.json, { id: /^\d+-\d+$/, channel: 'chat:7', duplicate: false })
  t.equal(one.json.time, Number(one.json.id.split('-')[0]))
  const text = await ask(`${url}/v1/events?channel=chat:7`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: 'Hello',
  })
  const empty = await ask(`${url}/v1/events?channel=chat:7`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain;charset=UTF-8', 'content-length': '0' },
  })
  t.same([text.status, empty.status], [201, 201])
  t.same(await dataOf(url, 'chat:7'), [{ text: 'Hel' }, 'Hello', ''])
})

t.test('data goes on as the text that came, without the white space around it', async (t) => {
  const { url } = await start(t)
  const texts = ['12345678901234567890', '1.0', '"\\u00e9"', '{"a": 1,\t"a":2}', 'null', '[]', '-0']
  for (const text of texts) await post(`${url}/v1/events?channel=a`, ` ${text}\n`)
  const { text } = await poll(url, 'channel=a&after=earliest&wait=0')
  for (const sent of texts) t.match(text, `"data":${sent},"time"`)
})

onBothLogs(
  t,
  'event objects, alone and as an array, which is answered in its order',
  async (t, start) => {
    const { url } = await start()
    const one = await post(`${url}/v1/events`, { channel: 'a', data: 1 })
    t.match(one, { status: 201, json: { channel: 'a' } })
    const many = await post(`${url}/v1/events`, [
      { channel: 'a', data: 2 },
      { channel: 'b', name: 'token', data: { text: 'lo' } },
      { channel: 'a', data: null },
    ])
    t.match(many, { status: 201, json: [{ channel: 'a' }, { channel: 'b' }, { channel: 'a' }] })
    t.same(await dataOf(url, 'a'), [1, 2, null])
    const live = await post(`${url}/v1/events`, [{ channel: 'a', data: 1, ephemeral: true }])
    t.equal(live.status, 202, 'all of it ephemeral')
  },
)

onBothLogs(t, 'one wrong item refuses the whole array and is named', async (t, start) => {
  const { url } = await start()
  await post(`${url}/v1/channels/close?channel=closed`, {})
  const good = { channel: 'a', data: 1 }
  const wrong: [item: unknown, status: number, code: string][] = [
    [{ channel: 'a b', data: 1 }, 400, 'channel_invalid'],
    [{ data: 1 }, 400, 'channel_missing'],
    [{ channel: 'a' }, 400, 'event_invalid'],
    [{ ...good, name: 'stream.live' }, 400, 'event_invalid'],
    [{ ...good, id: '1-1' }, 400, 'event_invalid'],
    [{ ...good, sender: 'me' }, 400, 'event_invalid'],
    [{ ...good, ephemeral: 'true' }, 400, 'event_invalid'],
    [{ ...good, key: 'a key' }, 400, 'key_invalid'],
    [{ ...good, channel: 'run:1' }, 403, 'channel_reserved'],
    [1, 400, 'event_invalid'],
    [[[good]], 400, 'event_invalid'],
  ]
  for (const [item, status, code] of wrong) {
    const answer = await post(`${url}/v1/events`, [good, good, item])
    t.match(answer, { status, json: { code, item: 2 } }, JSON.stringify(item))
    t.match(await post(`${url}/v1/events`, JSON.stringify(item)), { status }, 'also alone')
  }
  const closed = await post(`${url}/v1/events`, [good, { channel: 'closed', data: 1 }])
  t.match(closed, { status: 409, json: { code: 'channel_closed' } })
  for (const array of [[], Array.from({ length: 1001 }, () => good)]) {
    t.match(await post(`${url}/v1/events`, array), { status: 400, json: { code: 'event_invalid' } })
  }
  t.same(await dataOf(url, 'a'), [], 'nothing was appended')
})

t.test('names that readers could not tell from the server’s are refused', async (t) => {
  const { url } = await start(t)
  const names = [
    'error',
    'open',
    'stream.x',
    'presence.x',
    'participant.x',
    'room.x',
    'signal.x',
    '',
    ' a',
    'x'.repeat(101),
  ]
  for (const name of names) {
    const answer = await post(`${url}/v1/events?channel=a&name=${encodeURIComponent(name)}`, '1')
    t.match(answer, { status: 400, json: { code: 'event_invalid' } }, name)
  }
  for (const query of ['name=x', 'ephemeral=true']) {
    t.match(await post(`${url}/v1/events?${query}`, '1'), {
      status: 400,
      json: { code: 'channel_missing' },
    })
  }
  for (const query of ['channel=a&ephemeral=1', 'channel=a&id=1-1', 'channel=a&channel=b']) {
    t.match(
      await post(`${url}/v1/events?${query}`, '1'),
      { status: 400, json: { code: 'option_invalid' } },
      query,
    )
  }
})

onBothLogs(t, 'a key used twice gives the first answer again, on its channel', async (t, start) => {
  const { url } = await start()
  const headers = { 'idempotency-key': 'k' }
  const first = await post(`${url}/v1/events?channel=a`, '{"n":1}', headers)
  const second = await post(`${url}/v1/events?channel=a`, '{"n":1}', headers)
  t.same(second.json, { ...first.json, duplicate: true })
  t.equal(second.status, 201)
  const other = await post(`${url}/v1/events?channel=a`, '{"n":2}', headers)
  t.match(other, { status: 422, json: { code: 'key_conflict', retryable: false } })
  const renamed = await post(`${url}/v1/events?channel=a&name=x`, '{"n":1}', headers)
  t.equal(renamed.status, 422, 'a name is part of the event')
  const elsewhere = await post(`${url}/v1/events?channel=b`, '{"n":2}', headers)
  t.match(elsewhere, { status: 201, json: { duplicate: false } })
  t.same(await dataOf(url, 'a'), [{ n: 1 }])
})

onBothLogs(
  t,
  'items of an array have keys of their own, and an object’s own key beats them',
  async (t, start) => {
    const { url } = await start()
    const headers = { 'idempotency-key': 'k' }
    const items = [
      { channel: 'a', data: 0 },
      { channel: 'a', data: 1, key: 'own' },
      { channel: 'a', data: 2 },
    ]
    await post(`${url}/v1/events`, items, headers)
    const again = await post(`${url}/v1/events`, items, headers)
    t.same(
      again.json.map((receipt: { duplicate: boolean }) => receipt.duplicate),
      [true, true, true],
    )
    t.match(await post(`${url}/v1/events?channel=a`, '1', { 'idempotency-key': 'own' }), {
      json: { duplicate: true },
    })
    t.match(await post(`${url}/v1/events?channel=a`, '2', { 'idempotency-key': 'k/2' }), {
      json: { duplicate: true },
    })
    t.same(await dataOf(url, 'a'), [0, 1, 2])
  },
)

t.test('a key is 1–200 visible ASCII characters', async (t) => {
  const { url } = await start(t)
  for (const key of ['', 'a b', 'x'.repeat(201), 'ä']) {
    const answer = await post(`${url}/v1/events?channel=a`, '1', { 'idempotency-key': key })
    t.match(answer, { status: 400, json: { code: 'key_invalid' } }, key)
  }
  const full = { 'idempotency-key': 'x'.repeat(200) }
  t.equal((await post(`${url}/v1/events?channel=a`, '1', full)).status, 201)
})

onBothLogs(t, 'what one connection publishes in turn stands in its turn', async (t, start) => {
  const { url } = await start()
  for (let i = 0; i < 20; i++) await publish(url, 'a', i)
  t.same(
    await dataOf(url, 'a'),
    Array.from({ length: 20 }, (_, i) => i),
  )
})
