/** Runs and their readers where a gateway shuts down. */
import t, { type Test } from 'tap'
import { startRedis } from '../support/redis.js'
import { ask } from './support/ask.js'
import { chunk, DONE, producer } from './support/producer.js'
import { onBothLogs, type Start, start, stopRedis } from './support/start.js'
import { open } from './support/stream.js'

t.teardown(stopRedis)

const state = async (url: string) => (await ask(`${url}/v1/runs/r1`)).json

/** A run that is pushed, and somebody who reads it. */
async function stage(t: Test, start: Start, drainMs: number) {
  const { url, close } = await start({ drainMs })
  const push = await producer(url, 'r1', { 'Idempotency-Key': 'k' })
  t.teardown(() => push.wire.destroy())
  push.send(chunk('Hel'))
  const viewer = await open(`${url}/v1/runs/r1/events`)
  await viewer.find(({ data }) => data?.includes('Hel') === true)
  return { url, close, push, viewer }
}

onBothLogs(t, 'who comes to a run meanwhile isn’t told that it has ended', async (t, start) => {
  const { url, close, push, viewer } = await stage(t, start, 60_000)
  const closing = close()
  while ((await ask(`${url}/readyz`)).status === 200);
  const page = await open(`${url}/v1/runs/r1/events`)
  t.equal(page.status, 200, 'an EventSource gives up at any other')
  t.equal(await page.over(), 'cut')
  t.match(page.text, /^retry: \d+\n.*draining/s)
  const other = await open(`${url}/v1/runs/r1/events`, { headers: { accept: '*/*' } })
  t.equal(other.status, 503)
  const head = { method: 'HEAD', headers: { accept: 'text/event-stream' } }
  t.equal((await ask(`${url}/v1/runs/r1/events`, head)).status, 503)
  push.send(DONE)
  await push.end()
  await closing
  viewer.close()
})

t.test('with the log in memory a reader has it to its end', async (t) => {
  const { close, push, viewer } = await stage(t, (config) => start(t, config), 60_000)
  const closing = close()
  push.send(chunk('lo') + DONE)
  t.match(await push.end(), /^HTTP\/1\.1 201 /)
  t.equal(await viewer.over(), 'end')
  t.match(viewer.text, /Hel.*lo.*\[DONE\]/s)
  await closing
})

t.test('or to the end of the drain, which is told', async (t) => {
  const { close, viewer } = await stage(t, (config) => start(t, config), 100)
  await close()
  t.equal(await viewer.over(), 'end')
  t.match(viewer.text, /gateway_shutdown/)
})

onBothLogs(t, 'streams of other channels are told at once', async (t, start) => {
  const { url, close, push } = await stage(t, start, 60_000)
  const other = await open(`${url}/v1/events?channel=a`)
  await other.event('stream.ready')
  const closing = close()
  await other.event('stream.bye')
  push.send(DONE)
  await push.end()
  await closing
})

t.test('on Redis a pushed run moves to another gateway', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const config = { redisUrl: redis.url }
  const own: Start = (more) => start(t, { ...config, ...more })
  const other = await own()
  const { close, push, viewer } = await stage(t, own, 100)
  const closing = close()
  const answer = await push.wire.until(/\}$/)
  t.match(answer, /^HTTP\/1\.1 503 .*retry-after.*"appended":1.*"draining"/is)
  await closing
  t.equal(await viewer.over(), 'cut')
  t.match(await state(other.url), { state: 'running' })
  const next = await producer(other.url, 'r1', { 'Idempotency-Key': 'k' })
  next.send(chunk('Hel') + chunk('lo') + DONE)
  t.match(await next.end(), /^HTTP\/1\.1 201 .*"state":"done","appended":2,"duplicates":1/s)
  next.wire.destroy()
  t.match(await state(other.url), { state: 'done', text: 'Hello' })
})
