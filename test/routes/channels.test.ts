/** `/v1/channels`: what a channel holds, its end, its removal. */
import t from 'tap'
import { ask, post, publish } from './support/ask.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { subscribe } from './support/stream.js'

t.teardown(stopRedis)

const info = async (url: string, channel: string) =>
  (await ask(`${url}/v1/channels?channel=${channel}`)).json

onBothLogs(t, 'a channel says what it holds', async (t, start) => {
  const { url } = await start()
  t.same(await info(url, 'a'), {
    first: null,
    last: null,
    events: 0,
    bytes: 0,
    subscribers: 0,
    closed: false,
  })
  const first = await publish(url, 'a', 'one')
  await publish(url, 'a', 'two')
  const last = await publish(url, 'a', 'three')
  const stream = await subscribe(url, ['a', 'b'])
  await stream.event('stream.live')
  const held = await info(url, 'a')
  t.match(held, { first, last, events: 3, subscribers: 1, closed: false })
  t.ok(held.bytes > 0)
  t.match(await info(url, 'b'), { first: null, events: 0, subscribers: 1 })
})

onBothLogs(t, 'closing twice gives the first answer again', async (t, start) => {
  const { url } = await start()
  const last = await publish(url, 'a', 1)
  const first = await post(`${url}/v1/channels/close?channel=a`, { reason: 'finished' })
  t.match(first, {
    status: 200,
    json: { channel: 'a', closed: true, reason: 'finished', id: /^\d+-\d+$/ },
  })
  const again = await post(`${url}/v1/channels/close?channel=a`, { reason: 'other' })
  t.same(again.json, first.json)
  t.match(await info(url, 'a'), { closed: true, events: 1, last })
  const bodyless = await ask(`${url}/v1/channels/close?channel=b`, { method: 'POST' })
  t.match(bodyless, { status: 200, json: { channel: 'b', closed: true, reason: null } })
})

t.test('a reason is a string of up to 200 characters, and nothing else is said', async (t) => {
  const { url } = await start(t)
  const target = `${url}/v1/channels/close?channel=a`
  for (const body of [
    { reason: 1 },
    { reason: 'x'.repeat(201) },
    { why: 'x' },
    [],
    'null',
    '"x"',
  ]) {
    t.match(await post(target, body), { status: 400, json: { code: 'option_invalid' } })
  }
  t.match(await post(target, '{'), { status: 400, json: { code: 'body_invalid' } })
  t.equal((await info(url, 'a')).closed, false)
  t.equal((await post(target, { reason: 'x'.repeat(200) })).status, 200)
})

onBothLogs(t, 'deleting is answered 204 whether there was something or not', async (t, start) => {
  const { url } = await start()
  const before = await publish(url, 'a', 1)
  for (let i = 0; i < 2; i++) {
    t.match(await ask(`${url}/v1/channels?channel=a`, { method: 'DELETE' }), {
      status: 204,
      text: '',
    })
    t.match(await info(url, 'a'), { first: null, last: null, events: 0, closed: false })
  }
  const after = await publish(url, 'a', 2)
  t.ok(Number(after.split('-')[0]) >= Number(before.split('-')[0]) && after !== before, 'ids go on')
})

t.test(
  'channels of the server can be read unless they are somebody’s own, and neither published to, closed nor deleted',
  async (t) => {
    const { url } = await start(t)
    for (const channel of ['run:1', 'room:1', 'presence:1', 'server:1', 'inbox:1', 'session:1']) {
      const refused = { status: 403, json: { code: 'channel_reserved' } }
      t.match(await post(`${url}/v1/events?channel=${channel}`, '1'), refused)
      t.match(await post(`${url}/v1/events`, { channel, data: 1 }), refused)
      t.match(await post(`${url}/v1/channels/close?channel=${channel}`, {}), refused)
      t.match(await ask(`${url}/v1/channels?channel=${channel}`, { method: 'DELETE' }), refused)
      const hidden = /^(inbox|session):/.test(channel)
      t.equal((await ask(`${url}/v1/channels?channel=${channel}`)).status, hidden ? 403 : 200)
    }
  },
)

t.test('health and readiness', async (t) => {
  const { url } = await start(t)
  t.match(await ask(`${url}/healthz`), { status: 200, json: { status: 'ok' } })
  t.match(await ask(`${url}/readyz`), { status: 200, json: { status: 'ready', streams: 0 } })
})
