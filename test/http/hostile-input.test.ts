/** Hostile input without credentials: what it is answered, and that whoever else is there never notices. */
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { ask, post, publish } from '../routes/support/ask.js'
import { onBothLogs, stopRedis } from '../routes/support/start.js'
import { dataOf, subscribe } from '../routes/support/stream.js'

t.teardown(stopRedis)

function problem(
  t: Test,
  answer: { status: number; headers: Record<string, unknown>; json: unknown },
  status: number,
  code: string,
) {
  t.match(answer, { status, json: { code, status } }, `${status} ${code}`)
  t.match(answer.headers['content-type'], /^application\/problem\+json/)
}

onBothLogs(t, '1–3: a line end in an event’s name or in a cursor is refused', async (t, start) => {
  const { url } = await start()
  for (const end of ['\n', '\r', '\r\n']) {
    const name = encodeURIComponent(`a${end}data: x`)
    problem(t, await post(`${url}/v1/events?channel=a&name=${name}`, 1), 400, 'event_invalid')
    const event = { channel: 'a', name: `a${end}id: 1-1`, data: 1 }
    problem(t, await post(`${url}/v1/events`, event), 400, 'event_invalid')
    const cursor = encodeURIComponent(`1-1${end}data: x`)
    const poll = { headers: { accept: 'application/json' } }
    const read = await ask(`${url}/v1/events?channel=a&after=${cursor}`, poll)
    problem(t, read, 400, 'cursor_invalid')
  }
})

onBothLogs(
  t,
  '4–6: a lone CR, U+2028, a BOM and lone surrogates arrive as they were sent',
  async (t, start) => {
    const { url } = await start()
    const stream = await subscribe(url, ['a'])
    await stream.event('stream.live')
    const sent = ['a\rb', 'a\r\n\nb', '\u2028\u2029', '\ufeffx', '\u0000', '\u0085']
    for (const data of sent) await publish(url, 'a', data)
    const lone = await post(`${url}/v1/events?channel=a`, '"\\ud800"')
    t.equal(lone.status, 201)
    await publish(url, 'a', 'last')
    await stream.find((block) => block.json?.data === 'last')
    t.same(dataOf(stream.blocks), [...sent, '\ud800', 'last'])
  },
)

onBothLogs(t, '5: a NUL in an id is refused', async (t, start) => {
  const { url } = await start()
  const answer = await ask(`${url}/v1/events?channel=a&after=1-1%00`)
  problem(t, answer, 400, 'cursor_invalid')
})

onBothLogs(
  t,
  '7: garbage in Last-Event-ID is refused or told, and nothing breaks',
  async (t, start) => {
    const { url } = await start()
    const refused = [
      'garbage',
      'x'.repeat(8192),
      '-1-0',
      '1-',
      `${2n ** 64n}-0`,
      'end.',
      'p',
      '1-1,1-2',
    ]
    for (const id of refused) {
      const headers = { accept: 'text/event-stream', 'last-event-id': id }
      problem(t, await ask(`${url}/v1/events?channel=a`, { headers }), 400, 'cursor_invalid')
    }
    t.equal((await ask(`${url}/healthz`)).status, 200)
  },
)

onBothLogs(
  t,
  '8: a cursor from the future or from elsewhere is told, then the stream is live',
  async (t, start) => {
    const { url } = await start()
    const ours = await publish(url, 'a', 'before')
    const future = `${Date.now() + 3_600_000}-${ours.split('-')[1]}`
    for (const cursor of [future, '1763675123456-53248', '1-1', 'pDZqjOq8AAAANAAA']) {
      const stream = await subscribe(url, ['a'], '', cursor)
      t.equal((await stream.event('stream.ready')).id, cursor)
      const gap = await stream.event('stream.gap')
      // Our own process, but later than all that it wrote: on Redis that is what a lost tail looks like.
      const reason = cursor === future ? /^(unknown|lost)$/ : 'unknown'
      t.match(gap.json, { channel: 'a', reason }, cursor)
      await stream.event('stream.live')
      const id = await publish(url, 'a', cursor)
      const event = await stream.find((block) => block.json?.data === cursor)
      t.equal(event.json.id, id)
      stream.close()
    }
  },
)

onBothLogs(
  t,
  '9: what is no channel name is refused wherever a channel is named',
  async (t, start) => {
    const { url } = await start()
    const names = [
      '*',
      '[a]',
      '{p0}',
      '../',
      '',
      'x'.repeat(1024),
      '\0',
      'a b',
      'ä',
      '__proto__',
      '-a',
    ]
    for (const name of names) {
      const query = `channel=${encodeURIComponent(name)}`
      const shown = JSON.stringify(name.slice(0, 20))
      for (const [method, path] of [
        ['GET', '/v1/events'],
        ['POST', '/v1/events'],
        ['GET', '/v1/channels'],
        ['POST', '/v1/channels/close'],
        ['DELETE', '/v1/channels'],
      ] as const) {
        const headers = { 'content-type': 'application/json' }
        const body = method === 'POST' ? '{}' : undefined
        const answer = await ask(`${url}${path}?${query}`, { method, headers, body })
        t.match(
          answer,
          { status: 400, json: { code: 'channel_invalid' } },
          `${method} ${path} ${shown}`,
        )
      }
      const inBody = await post(`${url}/v1/events`, { channel: name, data: 1 })
      t.match(inBody, { status: 400, json: { code: 'channel_invalid' } }, `in a body ${shown}`)
    }
  },
)

onBothLogs(t, '14–16: a Content-Type that only looks like one is refused', async (t, start) => {
  const { url } = await start()
  const types = ['application/json\tx', 'application/jsonx', 'application/xml', 'text/html', 'json']
  for (const type of [...types, 'application/json; charset=utf-16', 'multipart/form-data', '*/*']) {
    for (const path of [
      '/v1/events?channel=a',
      '/v1/events/stream',
      '/v1/channels/close?channel=a',
    ]) {
      const answer = await post(`${url}${path}`, '{"channel":"a"}', { 'content-type': type })
      t.match(answer, { status: 415, json: { code: 'media_type_unsupported' } }, `${type} ${path}`)
    }
  }
  const none = await ask(`${url}/v1/events?channel=a`, { method: 'POST', body: '1' })
  problem(t, none, 415, 'media_type_unsupported')
})

onBothLogs(t, '18: another spelling of a path is another path', async (t, start) => {
  const { url } = await start()
  for (const path of ['//v1/events', '/v1//events', '/v1/events;x', '/v1/events/', '/V1/events']) {
    problem(t, await ask(`${url}${path}?channel=a`), 404, 'not_found')
  }
  problem(t, await ask(`${url}/v1/%zz`), 400, 'request_invalid')
  // Percent-encoding a plain character is the same path (RFC 3986 § 6.2.2.2), with the same checks.
  problem(t, await ask(`${url}/v1/%65vents?channel=*`), 400, 'channel_invalid')
})

onBothLogs(
  t,
  '19: __proto__ and deep nesting are data or refused, never a way in',
  async (t, start) => {
    const { url } = await start()
    const headers = { ['__proto__']: 'x', constructor: 'y' }
    t.equal((await ask(`${url}/healthz`, { headers: { ...headers } })).status, 200)
    problem(t, await ask(`${url}/v1/events?__proto__=x&channel=a`), 400, 'option_invalid')
    const options = await post(`${url}/v1/events/stream`, '{"channel":"a","__proto__":{"x":1}}')
    problem(t, options, 400, 'option_invalid')
    const member = await post(`${url}/v1/events`, '{"channel":"a","data":1,"__proto__":{"x":1}}')
    problem(t, member, 400, 'event_invalid')

    const stream = await subscribe(url, ['a'])
    await stream.event('stream.live')
    t.equal((await post(`${url}/v1/events?channel=a`, '{"__proto__":{"polluted":1}}')).status, 201)
    const deep = '['.repeat(10_000) + ']'.repeat(10_000)
    const nested = await post(`${url}/v1/events?channel=a`, deep)
    t.ok(nested.status === 201 || nested.status === 400, 'deep nesting')
    await publish(url, 'a', 'last')
    await stream.find((block) => block.json?.data === 'last')
    t.match(stream.text, '"data":{"__proto__":{"polluted":1}}', 'passed on as the text that came')
    t.equal(({} as Record<string, unknown>).polluted, undefined)
  },
)

onBothLogs(t, '20: a compressed body is refused unread', async (t, start) => {
  const { url } = await start()
  const bomb = gzipSync(Buffer.alloc(10_000_000, ' '))
  for (const type of ['application/json', 'application/x-ndjson']) {
    const headers = { 'content-type': type, 'content-encoding': 'gzip' }
    const answer = await ask(`${url}/v1/events?channel=a`, { method: 'POST', headers, body: bomb })
    problem(t, answer, 415, 'media_type_unsupported')
  }
})

onBothLogs(t, '25: 10,000 channels on one stream are refused', async (t, start) => {
  const { url } = await start()
  const channel = Array.from({ length: 10_000 }, (_, i) => `c${i}`)
  problem(t, await post(`${url}/v1/events/stream`, { channel }), 400, 'channels_too_many')
  const query = channel.map((name) => `channel=${name}`).join('&')
  problem(t, await ask(`${url}/v1/events?${query}`), 400, 'request_invalid')
})

onBothLogs(
  t,
  '30: of 1,000 parallel publishes with one key one event is stored',
  async (t, start) => {
    const { url } = await start()
    const headers = { 'idempotency-key': 'once' }
    const send = () => post(`${url}/v1/events?channel=a`, '{"n":1}', headers)
    const answers = []
    // As many connections at once as a test machine has room for.
    for (let i = 0; i < 10; i++)
      answers.push(...(await Promise.all(Array.from({ length: 100 }, send))))
    t.equal(new Set(answers.map((answer) => answer.json.id)).size, 1, 'one id')
    t.ok(answers.every((answer) => answer.status === 201))
    t.equal(answers.filter((answer) => answer.json.duplicate === false).length, 1)
    t.equal((await ask(`${url}/v1/channels?channel=a`)).json.events, 1)
  },
)
