/** Pushed runs at their edges: ids, ends of bodies, repeats, fences, and who is told what. */
import t from 'tap'
import { bearer, KEY, locked, mint, ticketFor } from '../http/support/locked.js'
import { ask, post } from './support/ask.js'
import { chunk, DONE, producer, SSE } from './support/producer.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { open } from './support/stream.js'

t.teardown(stopRedis)

const RUN = '/v1/runs/r1'
const state = async (url: string, run = 'r1', headers = {}) =>
  (await ask(`${url}/v1/runs/${run}`, { headers })).json

/** A whole body at once. */
const put = (url: string, body: string, headers = {}, run = 'r1') =>
  ask(`${url}/v1/runs/${run}`, {
    method: 'PUT',
    body,
    headers: { 'content-type': SSE, ...headers },
  })

onBothLogs(t, 'an id of up to 150 characters is one on every resource', async (t, start) => {
  const { url } = await start()
  for (const length of [101, 150]) {
    const id = 'x'.repeat(length)
    const run = `${url}/v1/runs/${id}`
    t.equal((await post(`${run}/events`, '"a"')).status, 201)
    t.match((await ask(run)).json, { id, state: 'running' })
    t.equal((await post(`${run}/stop`, '')).status, 200)
    t.equal((await post(`${run}/end`, '{}')).status, 200)
    t.equal(await (await open(`${run}/events`)).over(), 'end')
    t.equal((await put(url, chunk('a') + DONE, {}, `${id.slice(1)}y`)).status, 201)
  }
  const long = `${url}/v1/runs/${'x'.repeat(151)}`
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/events'],
    ['POST', '/events'],
    ['POST', '/stop'],
    ['POST', '/end'],
    ['PUT', ''],
  ] as const) {
    const headers = { 'content-type': method === 'PUT' ? SSE : 'application/json' }
    const answer = await ask(long + path, {
      method,
      ...(method !== 'GET' && { headers, body: '""' }),
    })
    t.match(answer, { status: 400, json: { code: 'channel_invalid', detail: /1–150/ } }, path)
  }
})

onBothLogs(t, 'a body that ends before its format does ends nothing', async (t, start) => {
  const { url } = await start()
  const key = { 'idempotency-key': 'k' }
  const cut = await put(url, chunk('Hel'), key)
  t.match(cut, { status: 400, json: { code: 'run_incomplete', appended: 1, detail: /stays open/ } })
  t.match(await state(url), { state: 'running' })
  t.match(await put(url, '', key), { status: 400, json: { code: 'run_incomplete' } })
  const whole = await put(url, chunk('Hel') + chunk('lo') + DONE, key)
  t.match(whole, { status: 201, json: { state: 'done', appended: 2, duplicates: 1 } })
  t.match(await state(url), { state: 'done', text: 'Hello' })
  // Who knows better may say so.
  t.equal((await put(url, chunk('a'), {}, 'r2')).status, 400)
  t.match(await post(`${url}/v1/runs/r2/end`, {}), {
    status: 200,
    json: { state: 'done', text: 'a' },
  })
  // Of other events nothing is known but that there were some.
  t.equal((await put(url, '', {}, 'r3')).status, 400)
  t.match(await put(url, 'data: a\n\n', {}, 'r3'), { status: 201, json: { state: 'done' } })
})

onBothLogs(t, 'a whole PUT that is repeated is answered, and adds nothing', async (t, start) => {
  const { url } = await start()
  const key = { 'idempotency-key': 'k' }
  const body = chunk('Hello') + DONE
  const { json: first } = await put(url, body, key)
  t.match(await put(url, body, key), {
    ...{
      status: 200,
      json: { id: 'r1', state: 'done', appended: 0, duplicates: 2, last: first.last },
    },
  })
  const more = await put(url, body + chunk('more'), key)
  t.match(more, { status: 409, json: { code: 'run_ended', duplicates: 2, detail: /a new id/ } })
  for (const headers of [{}, { 'idempotency-key': 'other' }]) {
    t.match(await put(url, body, headers), { status: 409, json: { code: 'run_ended' } })
  }
  t.match(await state(url), { events: 2, text: 'Hello' })
})

onBothLogs(t, 'a key without room for the items’ numbers begins nothing', async (t, start) => {
  const { url } = await start()
  const answer = await put(url, chunk('a') + DONE, { 'idempotency-key': 'k'.repeat(191) })
  t.match(answer, { status: 400, json: { code: 'key_invalid', detail: /1–190/ } })
  t.equal((await ask(url + RUN)).status, 404)
  t.equal((await put(url, chunk('a') + DONE, { 'idempotency-key': 'k'.repeat(190) })).status, 201)
})

onBothLogs(t, 'a refused item neither begins a run nor keeps one alive', async (t, start) => {
  const { url } = await start({}, { runs: { leaseMs: 300 } })
  const item = (query: string) => post(`${url}${RUN}/events${query}`, '"a"')
  t.match(await item('?fence=9'), { status: 400, json: { code: 'option_invalid' } })
  t.equal((await ask(url + RUN)).status, 404)
  t.match(await item('?lease=1'), { status: 201, json: { fence: 1 } })
  const viewer = await open(`${url}${RUN}/events`)
  let over = false
  const ended = viewer.over().then(() => (over = true))
  // Again and again, as a producer does that has come back from the dead.
  while (!over) {
    const { status, json } = await item('?fence=9&lease=300')
    t.ok(json.code === 'option_invalid' || json.code === 'run_ended', `${status}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await ended
  t.match(viewer.text, /producer_gone/)
})

onBothLogs(
  t,
  'an item takes a run over from a PUT, and the state knows of both',
  async (t, start) => {
    const { url } = await start()
    const push = await producer(url, 'r1')
    push.send(chunk('Hel'))
    const viewer = await open(`${url}${RUN}/events`)
    await viewer.find(({ data }) => data?.includes('Hel') === true)
    const item = await post(`${url}${RUN}/events`, chunk('lo').slice(6).trim())
    t.match(item, { status: 201, json: { fence: 2 } })
    push.send(chunk('late'))
    t.match(await push.wire.until(/\}$/), /^HTTP\/1\.1 409 .*"fenced"/s)
    push.wire.destroy()
    t.match(await post(`${url}${RUN}/events?fence=2`, '"[DONE]"'), {
      status: 201,
      json: { fence: 2 },
    })
    await post(`${url}${RUN}/end`, {})
    t.match(await state(url), { state: 'done', events: 3, text: 'Hello' })
    t.equal(await viewer.over(), 'end')
  },
)

onBothLogs(
  t,
  'a run’s events are counted while it runs, and a stop says that it stops',
  async (t, start) => {
    const { url } = await start()
    const push = await producer(url, 'r1')
    push.send(chunk('a') + chunk('b'))
    const viewer = await open(`${url}${RUN}/events`)
    await viewer.find(({ data }) => data?.includes('"b"') === true)
    t.match(await state(url), { state: 'running', events: 2 })
    const stop = () => ask(`${url}${RUN}/stop`, { method: 'POST' })
    t.match((await stop()).json, { state: 'running', stopping: true })
    t.equal(await viewer.over(), 'end')
    push.wire.destroy()
    const { json } = await stop()
    t.match(json, { state: 'aborted' })
    t.notOk('stopping' in json || 'text' in json)
    t.match(await state(url), { state: 'aborted', text: 'ab' })
  },
)

onBothLogs(t, 'a token without a subject is no backend', async (t, start) => {
  const { url } = await start(locked())
  const nameless = bearer(await mint({ sub: null, channels: { 'run:**': ['generate'] } }))
  t.equal((await post(`${url}${RUN}/events`, '"a"', bearer(KEY))).status, 201)
  for (const [method, path] of [
    ['PUT', ''],
    ['POST', '/events'],
    ['POST', '/end'],
  ] as const) {
    const type = method === 'PUT' ? SSE : 'application/json'
    const headers = { ...nameless, 'content-type': type }
    t.match(await ask(url + RUN + path, { method, headers, body: '{}' }), {
      ...{ status: 403, json: { code: 'forbidden' } },
    })
  }
  t.match(await state(url, 'r1', bearer(KEY)), { state: 'running' })
})

onBothLogs(
  t,
  'the state gives nothing that is older than its reader may read',
  async (t, start) => {
    const { url } = await start(locked())
    await put(url, chunk('Hello') + DONE, bearer(KEY))
    const late = bearer(await mint({ channels: { 'run:**': ['subscribe', 'history:none'] } }))
    const run = await state(url, 'r1', late)
    t.match(run, { state: 'done', events: 2 })
    t.notOk('text' in run || 'usage' in run)
    const all = bearer(await mint({ channels: { 'run:**': ['subscribe'] } }))
    t.match(await state(url, 'r1', all), { text: 'Hello' })
  },
)

onBothLogs(t, 'a page asks for the state by its ticket', async (t, start) => {
  const { url } = await start(locked())
  await put(url, chunk('Hello') + DONE, bearer(KEY))
  const { ticket } = await ticketFor(url, KEY, { subject: 'alice', channels: ['run:r1'] })
  t.match(await ask(`${url}${RUN}?ticket=${ticket}`), { status: 200, json: { text: 'Hello' } })
  t.equal((await ask(`${url}/v1/runs/r2?ticket=${ticket}`)).status, 403)
  t.equal((await ask(url + RUN)).status, 401)
})

t.test('what is wrong with a push is said once, and what to do', async (t) => {
  const { url } = await start(t)
  const typeless = await producer(url, 'r1', {}, '')
  const answer = await typeless.wire.until(/\}$/)
  t.match(answer, /^HTTP\/1\.1 415 .*x-ndjson/s)
  t.notMatch(answer, /application\/json or|text\/plain/)
  typeless.wire.destroy()
  t.match(await put(url, '{}', { 'content-type': 'application/json' }), {
    ...{ status: 415, json: { detail: /POST …\/events\. Use application\/x-ndjson/ } },
  })
  const { detail } = (await put(url, '1\nnonsense\n', { 'content-type': 'application/x-ndjson' }))
    .json
  t.equal(
    detail,
    'After 1 event: It is not JSON. Send what the Content-Type promises, in UTF-8. ' +
      'The run stays open for 15 s: another PUT goes on with it, POST …/end ends it.',
  )
  const end = await post(`${url}${RUN}/end`, { state: 'error', error: { code: 'Out of credit' } })
  t.match(end, { status: 400, json: { detail: /^Option "error": \{"code"/ } })
})
