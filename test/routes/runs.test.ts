/** Runs that a backend produces: pushed whole or item by item, read, stopped, gone on with. */
import t from 'tap'
import { bearer, KEY, locked, mint } from '../http/support/locked.js'
import { ask, post } from './support/ask.js'
import { chunk, producer } from './support/producer.js'
import { onBothLogs, stopRedis } from './support/start.js'
import { open } from './support/stream.js'

t.teardown(stopRedis)

const RUN = '/v1/runs/r1'

const state = async (url: string, run = 'r1', headers = {}) =>
  (await ask(`${url}/v1/runs/${run}`, { headers })).json

onBothLogs(
  t,
  'a pushed run is read as it was written, with ids, by any number of viewers',
  async (t, start) => {
    const { url } = await start()
    const push = await producer(url, 'r1')
    push.send(chunk('Hel'))
    const viewers = await Promise.all([1, 2].map(() => open(`${url}${RUN}/events`)))
    for (const viewer of viewers) await viewer.find((block) => block.data?.includes('Hel') === true)
    push.send(`${chunk('lo')}data: [DONE]\n\n`)
    t.match(await push.end(), /^HTTP\/1\.1 201 .*"id":"r1","state":"done","appended":3/s)
    push.wire.destroy()
    for (const viewer of viewers) {
      t.equal(await viewer.over(), 'end')
      const text = viewer.text.replaceAll(/^(id|retry): .*\n/gm, '').replaceAll(/^\n+/gm, '')
      t.equal(
        text.replaceAll('\n\n', '\n'),
        `${chunk('Hel') + chunk('lo')}data: [DONE]\n\n`.replaceAll('\n\n', '\n'),
      )
      t.ok(viewer.blocks.every((block) => block.id !== undefined))
    }
    const run = await state(url)
    t.match(run, { id: 'r1', state: 'done', format: 'openai.chat', events: 3, text: 'Hello' })
    t.ok(run.ended >= run.started)
    const again = await ask(`${url}${RUN}/events`, {
      headers: { 'last-event-id': viewers[0]!.cursor! },
    })
    t.equal(again.status, 204, 'after the end there is nothing to wait for')
    const late = await open(`${url}${RUN}/events`)
    t.equal(await late.over(), 'end')
    t.match(late.text, /Hel.*lo.*\[DONE\]/s, 'whoever comes late reads it whole')
  },
)

onBothLogs(t, 'a reader that was cut goes on after the last event it had', async (t, start) => {
  const { url } = await start()
  const push = await producer(url, 'r1', {}, 'application/x-ndjson')
  push.send('{"n":1}\n"two"\n')
  const first = await open(`${url}${RUN}/events`)
  await first.find((block) => block.data === 'two')
  const cursor = first.cursor!
  first.close()
  push.send('3\n')
  const second = await open(`${url}${RUN}/events`, { headers: { 'last-event-id': cursor } })
  await second.find((block) => block.data === '3')
  t.same(
    second.blocks.filter(({ data }) => data !== undefined).map(({ data }) => data),
    ['3'],
  )
  t.match(await push.end(), /"state":"done"/)
  push.wire.destroy()
  second.close()
  t.match(await state(url), { state: 'done', format: 'plain', text: undefined })
})

onBothLogs(
  t,
  'another PUT goes on, and what the older producer still sends is refused',
  async (t, start) => {
    const { url } = await start()
    const key = { 'Idempotency-Key': 'k' }
    const old = await producer(url, 'r1', key)
    old.send(chunk('a'))
    const viewer = await open(`${url}${RUN}/events`)
    await viewer.find((block) => block.data?.includes('"a"') === true)
    const next = await producer(url, 'r1', key)
    // A repeated prefix is harmless: items have keys.
    next.send(chunk('a') + chunk('b'))
    await viewer.find((block) => block.data?.includes('"b"') === true)
    old.send(chunk('late'))
    t.match(await old.wire.until(/\}$/), /^HTTP\/1\.1 409 .*"fenced"/s)
    next.send(`${chunk('c')}data: [DONE]\n\n`)
    t.match(await next.end(), /^HTTP\/1\.1 201 .*"appended":3,"duplicates":1/s)
    t.equal(await viewer.over(), 'end')
    t.notMatch(viewer.text, 'late')
    t.match(await state(url), { state: 'done', text: 'abc', events: 4 })
    old.wire.destroy()
    next.wire.destroy()
  },
)

onBothLogs(
  t,
  'a run that is stopped ends in the words of its format, for everybody',
  async (t, start) => {
    const { url } = await start()
    const push = await producer(url, 'r1')
    push.send(chunk('a'))
    const viewer = await open(`${url}${RUN}/events`)
    await viewer.find((block) => block.data?.includes('"a"') === true)
    // As navigator.sendBeacon does it.
    const headers = { 'content-type': 'text/plain;charset=UTF-8' }
    const stop = () => ask(`${url}${RUN}/stop`, { method: 'POST', headers, body: '' })
    t.match(await stop(), { status: 200, json: { id: 'r1' } })
    t.equal(await viewer.over(), 'end')
    t.match(viewer.blocks.at(-2)?.data ?? viewer.text, /aborted/)
    t.match(await push.wire.until(/\}$/), /"state":"aborted"/)
    push.wire.destroy()
    t.match(await state(url), { state: 'aborted', text: 'a' })
    t.match(await stop(), { status: 200, json: { state: 'aborted' } }, 'idempotent')
    t.equal((await post(`${url}/v1/runs/none/stop`, {})).status, 404)
  },
)

onBothLogs(
  t,
  'item by item: each is there when it is answered, and the end is said',
  async (t, start) => {
    const { url } = await start()
    const item = (body: unknown, query = '') => post(`${url}${RUN}/events${query}`, body)
    const first = await item({ delta: 'Hel' })
    t.match(first, { status: 201, json: { run: 'r1', fence: 1, duplicate: false } })
    t.equal((await item('"lo"', '?name=token&lease=60')).status, 201)
    t.equal((await item('3', '?fence=1')).status, 201)
    t.match(await item('4', '?fence=2'), { status: 400, json: { code: 'option_invalid' } })
    const viewer = await open(`${url}${RUN}/events`)
    const end = await post(`${url}${RUN}/end`, {
      state: 'error',
      error: { code: 'oops', message: 'No more' },
    })
    t.match(end, { status: 200, json: { state: 'error', error: { code: 'oops' } } })
    t.equal(await viewer.over(), 'end')
    const got = viewer.blocks.filter(({ data }) => data !== undefined)
    t.match(got, [
      { data: '{"delta":"Hel"}' },
      { event: 'token', data: 'lo' },
      { data: '3' },
      { event: 'error', data: /oops/ },
    ])
    t.match(await item('4'), { status: 409, json: { code: 'run_ended' } })
    t.match(await post(`${url}${RUN}/end`, {}), { status: 200, json: { state: 'error' } }, 'again')
    t.match(await item('4', '?lease=301'), { status: 400 })
    t.match(await post(`${url}/v1/runs/none/end`, {}), {
      status: 404,
      json: { code: 'run_unknown' },
    })
  },
)

onBothLogs(t, 'a producer that breaks off leaves its run to its lease', async (t, start) => {
  const { url } = await start({}, { runs: { leaseMs: 300 } })
  const push = await producer(url, 'r1')
  push.send(chunk('a'))
  const viewer = await open(`${url}${RUN}/events`)
  await viewer.find((block) => block.data?.includes('"a"') === true)
  push.wire.destroy()
  t.equal(await viewer.over(), 'end')
  t.match(viewer.text, /producer_gone/)
  t.match(await state(url), { state: 'error', error: { code: 'producer_gone' }, text: 'a' })
  const late = await producer(url, 'r1')
  t.match(await late.wire.until(/\}$/), /^HTTP\/1\.1 409 .*"run_ended"/s)
  late.wire.destroy()
})

onBothLogs(t, 'who may begin, read and stop a run are three rights', async (t, start) => {
  const { url } = await start(locked())
  const rights = (...verbs: string[]) => mint({ channels: { 'run:{sub}:*': verbs } })
  const run = 'alice:1'
  const push = await producer(url, run, bearer(await rights('generate')))
  push.send(chunk('a'))
  const reader = bearer(await rights('subscribe'))
  const viewer = await open(`${url}/v1/runs/${run}/events`, { headers: reader })
  await viewer.find((block) => block.data?.includes('"a"') === true)
  t.match(await state(url, run, reader), { state: 'running' })
  for (const [method, path, verb] of [
    ['GET', '', 'subscribe'],
    ['GET', '/events', 'subscribe'],
    ['POST', '/stop', 'stop'],
    ['POST', '/end', 'generate'],
    ['POST', '/events', 'generate'],
    ['PUT', '', 'generate'],
  ] as const) {
    const others = ['subscribe', 'publish', 'stop', 'generate'].filter((it) => it !== verb)
    const headers: Record<string, string> = bearer(await rights(...others))
    const body = method === 'GET' ? undefined : '{}'
    if (method === 'POST') headers['content-type'] = 'application/json'
    if (method === 'PUT') headers['content-type'] = 'application/x-ndjson'
    const answer = await ask(`${url}/v1/runs/${run}${path}`, { method, headers, body })
    t.match(
      answer,
      { status: 403, json: { code: 'forbidden' } },
      `${method} ${path} with ${others}`,
    )
  }
  // With the right, but not its own.
  const bob = await mint({ sub: 'bob', channels: { 'run:**': ['generate'] } })
  const foreign = await producer(url, run, bearer(bob))
  t.match(await foreign.wire.until(/\}$/), /^HTTP\/1\.1 403 .*"forbidden"/s)
  t.match(await post(`${url}/v1/runs/${run}/end`, {}, bearer(bob)), { status: 403 })
  t.match(await post(`${url}/v1/runs/${run}/stop`, {}, bearer(await rights('stop'))), {
    status: 200,
  })
  t.equal(await viewer.over(), 'end')
  t.match(await state(url, run, bearer(KEY)), { state: 'aborted' })
  for (const { wire } of [push, foreign]) wire.destroy()
})

onBothLogs(t, 'what is no run, or none there is, is told', async (t, start) => {
  const { url } = await start()
  const get = (path: string) => ask(url + path, { headers: { accept: 'application/json' } })
  t.match(await get('/v1/runs/none'), { status: 404, json: { code: 'run_unknown' } })
  t.match(await get('/v1/runs/none/events'), { status: 404, json: { code: 'run_unknown' } })
  t.match(await get('/v1/runs/a%20b'), { status: 400, json: { code: 'channel_invalid' } })
  t.match(await get(`/v1/runs/${'x'.repeat(151)}`), { status: 400 })
  t.match(
    await ask(`${url}${RUN}`, {
      method: 'PUT',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    }),
    {
      status: 415,
    },
  )
  t.equal((await ask(`${url}${RUN}`, { method: 'PATCH' })).status, 405)
  const push = await producer(url, 'r1', {}, 'application/x-ndjson')
  push.send('{"a":1}\nnonsense\n')
  t.match(await push.wire.until(/\}$/), /^HTTP\/1\.1 400 .*"appended":1/s)
  push.wire.destroy()
  t.match(await state(url), { state: 'running' }, 'its producer may come again')
})
