/** format=raw: the data alone, for readers that know nothing of this gateway. */
import t from 'tap'
import { ask, overrun, post, publish } from './support/ask.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { subscribe } from './support/stream.js'

t.teardown(stopRedis)

onBothLogs(
  t,
  'strings come as they are, all else as JSON, and nothing about the stream itself',
  async (t, start) => {
    const { url } = await start()
    const stream = await subscribe(url, ['a'], 'format=raw')
    await post(`${url}/v1/events?channel=a&name=token`, '{"n": 1.0}')
    const last = await publish(url, 'a', 'a string')
    await stream.find((block) => block.id === last && block.data !== undefined)
    const [begin, token, plain] = stream.blocks
    t.match(begin, { id: /^\d+-\d+$/, retry: /^\d+$/ })
    t.same(Object.keys(begin!).sort(), ['id', 'retry'], 'an id alone stands for stream.ready')
    t.match(token, { event: 'token', data: '{"n": 1.0}' })
    t.match(plain, { id: last, data: 'a string', event: undefined })
    t.notMatch(stream.text, 'stream.')
    const resumed = await subscribe(url, ['a'], 'format=raw', begin!.id)
    await resumed.find((block) => block.data === 'a string')
    t.same(resumed.blocks.slice(1), [token, plain], 'and resumes')
  },
)

t.test('each line end of a string splits its data, and arrives as LF', async (t) => {
  const { url } = await start(t)
  const stream = await subscribe(url, ['a'], 'format=raw')
  for (const data of ['one\ntwo', 'one\rtwo', 'one\r\ntwo', '\n', '', 'data: x', '\ud800']) {
    await publish(url, 'a', data).catch(() => post(`${url}/v1/events?channel=a`, '"\\ud800"'))
  }
  await stream.until((blocks) => blocks.length === 8)
  const data = stream.blocks.slice(1).map((block) => block.data)
  t.same(data, ['one\ntwo', 'one\ntwo', 'one\ntwo', '\n', '', 'data: x', '\ufffd'])
})

t.test('heartbeats are comments', async (t) => {
  const { url } = await start(t, { heartbeatMs: 30 })
  const stream = await subscribe(url, ['a'], 'format=raw')
  const beat = await stream.find((block) => block.comment !== undefined)
  t.same(Object.keys(beat), ['comment'])
})

t.test('it is for one channel and for live streams', async (t) => {
  const { url } = await start(t)
  for (const query of ['channel=a&channel=b&format=raw', 'channel=a&format=raw&mode=poll']) {
    t.match(await ask(`${url}/v1/events?${query}`), {
      status: 400,
      json: { code: 'option_invalid' },
    })
  }
})

onBothLogs(t, 'a gap at the opening is 410', async (t, start) => {
  const { url } = await start({ retentionEvents: 5 })
  const first = await overrun(url, 'a')
  for (const cursor of [first, '1763675123456-53248']) {
    const answer = await ask(`${url}/v1/events?channel=a&format=raw&after=${cursor}`)
    t.match(answer, { status: 410, json: { code: 'cursor_expired', retryable: false } }, cursor)
  }
})

onBothLogs(t, 'a gap while it is live cuts the connection', async (t, start) => {
  const { url } = await start()
  await publish(url, 'a', 0)
  const stream = await subscribe(url, ['a'], 'format=raw&after=earliest')
  await stream.until((blocks) => blocks.length === 2)
  stream.close()
  await publish(url, 'a', 1)
  await ask(`${url}/v1/channels?channel=a`, { method: 'DELETE' })
  const again = await ask(`${url}/v1/events?channel=a&format=raw`, {
    headers: { 'last-event-id': stream.cursor! },
  })
  t.match(again, { status: 410, json: { code: 'cursor_expired' } }, 'and coming back is 410')
})

onBothLogs(t, 'the end of the channel ends the body, and coming back is 204', async (t, start) => {
  const { url } = await start()
  await publish(url, 'a', 'one')
  const stream = await subscribe(url, ['a'], 'format=raw&after=earliest')
  await stream.find((block) => block.data === 'one')
  await post(`${url}/v1/channels/close?channel=a`, '{}')
  t.equal(await stream.over(), 'end')
  t.notMatch(stream.text, 'stream.')
  const again = await subscribe(url, ['a'], 'format=raw', stream.cursor)
  t.equal(again.status, 204)
})
