import { text } from 'node:stream/consumers'
import t from 'tap'
import { publish } from '../../src/client/index.js'
import { type Answer, problem, speaker, status } from './speaker.js'

const receipt = { id: '1-0', channel: 'c', time: 1, duplicate: false }
const created = status(201, { 'content-type': 'application/json' }, JSON.stringify(receipt))
const cut: Answer = (req) => req.socket.destroy()

/** Waits that pass at once, and how long they would have been. */
function impatient() {
  const waits: number[] = []
  const timer = (ms: number, run: () => void) => {
    waits.push(ms)
    queueMicrotask(run)
    return () => {}
  }
  return { waits, timer, random: () => 0 }
}

t.test('a repeated event carries the same key until it is accepted', async (t) => {
  const answers = [problem(503, 'log_unavailable', true), cut, status(502), created]
  const { url, requests } = await speaker(t, answers)
  t.strictSame(await publish({ url, channel: 'c', data: 1, ...impatient() }), receipt)
  const keys = new Set(requests.map((req) => req.headers['idempotency-key']))
  t.equal(requests.length, 4)
  t.equal(keys.size, 1)
  t.match([...keys][0], /^[0-9a-f]{32}$/)
})

t.test('two events never share a key by chance', async (t) => {
  const { url, requests } = await speaker(t, [created])
  await publish({ url, channel: 'c', data: 1 })
  await publish({ url, channel: 'c', data: 1 })
  t.not(requests[0]?.headers['idempotency-key'], requests[1]?.headers['idempotency-key'])
})

t.test('an answer that won’t change is thrown at once', async (t) => {
  const { url, requests } = await speaker(t, [problem(409, 'channel_closed')])
  const error = await publish({ url, channel: 'c', data: 1, ...impatient() }).catch((e) => e)
  t.match(error, { status: 409, problem: { code: 'channel_closed' } })
  t.equal(requests.length, 1)
})

t.test('it gives up after as many attempts as were allowed', async (t) => {
  const { url, requests } = await speaker(t, [status(503, { 'retry-after': '2' })])
  const time = impatient()
  const error = await publish({ url, channel: 'c', data: 1, attempts: 3, ...time }).catch((e) => e)
  t.match(error, { status: 503 })
  t.equal(requests.length, 3)
  t.strictSame(time.waits, [2000, 2000])
})

t.test('an ephemeral event is sent once, without a key', async (t) => {
  const { url, requests } = await speaker(t, [status(202), cut])
  const event = { url, channel: 'c', data: true, ephemeral: true, ...impatient() }
  t.strictSame(await publish(event), { channel: 'c', duplicate: false })
  await t.rejects(publish(event))
  t.equal(requests.length, 2)
  t.equal(requests[0]?.headers['idempotency-key'], undefined)
  t.equal(requests[0]?.url, '/v1/events?channel=c&ephemeral=true')
})

t.test('JSON text goes as it is', async (t) => {
  const json = '{"n": 12345678901234567890}'
  let body = ''
  const { url } = await speaker(t, [
    async (req, res) => {
      body = await text(req)
      created(req, res)
    },
  ])
  await publish({ url, channel: 'c', json, name: 'x', key: 'k' })
  t.equal(body, json)
})

t.test('what isn’t JSON is refused before it is sent', async (t) => {
  await t.rejects(publish({ url: 'http://127.0.0.1:1', channel: 'c', data: undefined }), TypeError)
})
