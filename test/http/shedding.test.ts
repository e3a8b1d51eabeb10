/** A gateway that can't serve now: full, or shutting down. Who asks decides how it is said. */
import t, { type Test } from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { connect } from '../routes/support/socket.js'
import { start } from '../routes/support/start.js'
import { parseBody, subscribe } from '../routes/support/stream.js'

const EVENT_SOURCE = { accept: 'text/event-stream' }

/** What a native EventSource is told, which never comes back after any status but 200. */
async function toldInItsWords(t: Test, url: string, code: string, from: number, to: number) {
  const answer = await ask(url, { headers: EVENT_SOURCE })
  t.match(answer, { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' } })
  const [block, ...rest] = parseBody(answer.text)
  t.same(rest, [])
  t.match(block?.comment, new RegExp(`^${code}: `))
  const retry = Number(block?.retry)
  t.ok(retry >= from && retry <= to, `retry ${retry}`)
  t.equal(block?.data, undefined, 'nothing that a page would see')
}

t.test(
  'without a free slot an EventSource is sent away for a while, all others get 503',
  async (t) => {
    const { url } = await start(t, { maxStreams: 2 })
    const one = await subscribe(url, ['a'])
    const two = await subscribe(url, ['b'])
    const target = `${url}/v1/events?channel=a`
    await toldInItsWords(t, target, 'streams_exhausted', 20_000, 40_000)
    await toldInItsWords(t, `${target}&format=raw`, 'streams_exhausted', 20_000, 40_000)
    const body = '{"channel":"a"}'
    const others = [
      await ask(target, { headers: { accept: 'application/json' } }),
      await ask(target, { headers: { accept: '*/*' } }),
      await ask(target),
      await post(`${url}/v1/events/stream`, body, EVENT_SOURCE),
    ]
    for (const answer of others) {
      t.match(answer, { status: 503, json: { code: 'streams_exhausted', retryable: true } })
      t.equal(answer.headers['retry-after'], '30')
    }
    t.equal((await post(target, '1')).status, 201, 'publishing goes on')
    two.close()
    while ((await ask(`${url}/readyz`)).json.streams > 1);
    const three = await subscribe(url, ['a'])
    await three.event('stream.live')
    t.equal(one.ended, undefined)
  },
)

t.test('a burst of openings takes no more slots than there are', async (t) => {
  const { url } = await start(t, { maxStreams: 5 })
  const streams = await Promise.all(Array.from({ length: 30 }, () => subscribe(url, ['a'])))
  await Promise.all(
    streams.map((s) =>
      s.find(({ event, comment }) => event === 'stream.live' || comment !== undefined),
    ),
  )
  t.equal(streams.filter((stream) => stream.text.includes('stream.live')).length, 5)
})

t.test('a shutdown says goodbye to streams, cuts raw ones and answers polls', async (t) => {
  const gateway = await start(t)
  const { url } = gateway
  const stream = await subscribe(url, ['a'])
  const raw = await subscribe(url, ['a'], 'format=raw')
  await stream.event('stream.live')
  await raw.until((blocks) => blocks.length > 0)
  const poll = ask(`${url}/v1/events?channel=a`, { headers: { accept: 'application/json' } })
  const finite = ask(`${url}/v1/events?channel=a&mode=poll`, {
    headers: { ...EVENT_SOURCE, 'last-event-id': stream.cursor! },
  })
  while ((await ask(`${url}/readyz`)).json.streams !== 4);

  await gateway.close()
  const bye = await stream.event('stream.bye')
  t.match(bye.json, { reason: 'draining', reconnect: true })
  t.equal(bye.retry, String(bye.json.retry))
  t.equal(bye.id, stream.cursor)
  t.equal(await stream.over(), 'end')
  t.equal(await raw.over(), 'cut', 'a proper end would mean that the channel is over')
  t.match((await poll).json, {
    events: [],
    control: [{ event: 'stream.bye', data: { reason: 'draining' } }],
  })
  const blocks = parseBody((await finite).text)
  const told = blocks.find(({ event }) => event === 'stream.bye')
  t.match(told?.json, { reason: 'draining', reconnect: true })
  t.equal(blocks[0]?.retry, String(told?.json.retry), 'a native EventSource heeds this one only')
})

t.test('who comes during a shutdown is sent away in the same ways', async (t) => {
  const gateway = await start(t, { drainMs: 60_000 })
  const { url } = gateway
  // Somebody whose answer is still under way holds the shutdown up.
  const slow = await connect(url)
  const body = '{"late":true}'
  slow.write(
    `POST /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n{`,
  )
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  const closed = gateway.close()
  await stream.event('stream.bye')

  await toldInItsWords(t, `${url}/v1/events?channel=a`, 'draining', 2_000, 4_000)
  for (const answer of [
    await ask(`${url}/v1/events?channel=a`, { headers: { accept: 'application/json' } }),
    await ask(`${url}/v1/events?channel=a`),
    await post(`${url}/v1/events/stream`, '{"channel":"a"}', EVENT_SOURCE),
  ]) {
    t.match(answer, { status: 503, json: { code: 'draining', retryable: true } })
    t.ok(answer.headers['retry-after'])
  }
  t.equal((await ask(`${url}/readyz`)).status, 503)
  slow.write(body.slice(1))
  t.match(
    await slow.until(/"duplicate":false\}/),
    /^HTTP\/1\.1 201 /,
    'what was under way is finished',
  )
  await closed
})
