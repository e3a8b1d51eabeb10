/** What goes wrong between a client and its gateway, request by request: nothing is lost, and nobody asks in a loop. */
import t, { type Test } from 'tap'
import { type ClientEvent, type ConnectOptions, connect } from '../../src/client/index.js'
import { systemTimer } from '../../src/client/timing.js'
import { start } from '../routes/support/start.js'
import { until } from '../support/until.js'

t.setTimeout(60_000)

type Fetch = typeof fetch
/** Stands in for the way of some requests; undefined: they go as they are. */
type Way = (name: string, go: () => Promise<Response>) => Promise<Response> | undefined

/** A client whose requests go a way that the test knows. `name`: `PATCH sessions`, `GET events poll`. */
function client(t: Test, options: ConnectOptions, way: Way) {
  const requests: string[] = []
  const through: Fetch = (input, init) => {
    const { pathname, searchParams } = new URL(String(input))
    const poll = searchParams.get('mode') === 'poll' ? ' poll' : ''
    const name = `${init?.method ?? 'GET'} ${pathname.slice('/v1/'.length)}${poll}`
    requests.push(name)
    return way(name, () => fetch(input, init)) ?? fetch(input, init)
  }
  const it = connect({ ...options, fetch: through })
  t.teardown(() => it.close())
  const count = (name: string) => requests.filter((each) => each === name).length
  return { it, requests, count }
}

const live = (it: { readonly state: { readonly state: string } }) =>
  until('live', () => it.state.state === 'live')

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

const busy = () => new Response('{}', { status: 503, headers: { 'retry-after': '1' } })
const html = (status: number) =>
  new Response('<h1>No</h1>', { status, headers: { 'content-type': 'text/html' } })

/** Collects data. */
function collector() {
  const data: unknown[] = []
  return { data, take: (event: Pick<ClientEvent, 'data'>) => void data.push(event.data) }
}

t.test('a change of channels that fails is not asked for in a loop', async (t) => {
  const { url } = await start(t)
  const { it, count } = client(t, { url }, (name) =>
    name === 'PATCH sessions' ? Promise.resolve(busy()) : undefined,
  )
  it.subscribe('a', () => {})
  await live(it)
  it.subscribe('b', () => {})
  await until('asked', () => count('PATCH sessions') === 1)
  // Of a loop there would be hundreds.
  await pause(300)
  t.equal(count('PATCH sessions'), 1)
})

t.test('a channel that is left and come back to at once has no hole', async (t) => {
  const { url } = await start(t)
  let slow = 0
  const { it } = client(t, { url }, (name, go) => {
    if (name !== 'PATCH sessions') return undefined
    slow++
    return go().then(async (response) => {
      await pause(200)
      return response
    })
  })
  const other = connect({ url })
  t.teardown(() => other.close())
  it.subscribe('stays', () => {})
  const first = it.subscribe('a', () => {})
  await live(it)
  first.unsubscribe()
  await until('on its way', () => slow > 0)
  const { data, take } = collector()
  it.subscribe('a', take, { rewind: 100 })
  for (let n = 0; n < 40; n++) {
    await other.publish('a', n)
    await pause(10)
  }
  await until('all', () => data.length >= 40)
  t.same(
    data,
    Array.from({ length: 40 }, (_, n) => n),
  )
})

t.test('a change whose answer is lost is made again', async (t) => {
  const { url } = await start(t)
  let lost = 2
  const timer = (ms: number, task: () => void) =>
    systemTimer(ms >= 2000 && ms < 5000 ? 50 : ms, task)
  const { it } = client(t, { url, timer }, (name, go) => {
    if (name !== 'PATCH sessions' || lost === 0) return undefined
    lost--
    return go().then(() => Promise.reject(new TypeError('cut')))
  })
  it.subscribe('stays', () => {})
  const first = it.subscribe('a', () => {})
  await live(it)
  first.unsubscribe()
  await until('lost', () => lost < 2)
  const { data, take } = collector()
  it.subscribe('a', take, { rewind: 100 })
  await it.publish('a', 1)
  await until('come', () => data.length > 0)
  await it.publish('a', 2)
  await until('both', () => data.length > 1)
  t.same(data, [1, 2])
})

t.test('an answer that never comes is waited for only so long', async (t) => {
  const { url } = await start(t)
  const timer = (ms: number, task: () => void) => systemTimer(ms === 15_000 ? 100 : ms, task)
  const held = new Set<string>()
  const { it } = client(t, { url, timer }, (name) => {
    if (!/poll$|^PATCH|^POST events$/.test(name) || held.has(name)) return undefined
    held.add(name)
    return new Promise(() => {})
  })
  const a = collector()
  it.subscribe('a', a.take, { rewind: 10 })
  await live(it)
  const b = collector()
  it.subscribe('b', b.take)
  await it.publish('a', 1)
  await until('a', () => a.data.length > 0)
  await until('b is served', async () => {
    await it.publish('b', 2)
    return b.data.length > 0
  })
  t.same(a.data, [1])
  t.same([...held].sort(), ['GET events poll', 'PATCH sessions', 'POST events'])
})

t.test('an event that something on the way refuses keeps none of the others', async (t) => {
  const { url } = await start(t)
  const timer = (ms: number, task: () => void) => systemTimer(Math.min(ms, 20), task)
  const refusing: Fetch = (input, init) =>
    String(init?.body).includes('DROP TABLE') ? Promise.resolve(html(403)) : fetch(input, init)
  const it = connect({ url, timer, fetch: refusing })
  t.teardown(() => it.close())
  const results = await Promise.allSettled(
    ['one', 'DROP TABLE', 'two'].map((text) => it.publish('a', text)),
  )
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  t.equal(it.waiting, 0)
})

t.test('an answer that is no receipt is none', async (t) => {
  const { url } = await start(t)
  const answers = ['{}', '[]', 'null', '<p>', '']
  const { it } = client(
    t,
    { url, timer: (ms, task) => systemTimer(Math.min(ms, 20), task) },
    (name) => {
      const text = name === 'POST events' ? answers.pop() : undefined
      return text === undefined ? undefined : Promise.resolve(new Response(text))
    },
  )
  const { id } = await it.publish('a', 1)
  t.match(id, /^\d+-\d+$/)
  t.same(answers, [])
  const { events } = await it.history('a')
  t.equal(events.length, 1)
})

t.test('whoever comes after the end is told of it', async (t) => {
  const { url } = await start(t)
  const { it } = client(t, { url }, () => undefined)
  it.subscribe('a', () => {})
  await live(it)
  const other = connect({ url, session: it.session, channels: ['a'] })
  t.teardown(() => other.close())
  await until('replaced', () => it.state.state === 'ended')
  const errors: Error[] = []
  it.subscribe('b', () => {}, { onError: (error) => void errors.push(error) })
  t.match(errors, [{ message: /replaced/ }])
  await t.rejects(async () => {
    for await (const _ of it.subscribe('c')) t.fail('an event')
  }, /replaced/)
})

t.test('a client whose channels have ended asks for nothing when it is left', async (t) => {
  const { url } = await start(t)
  const { it, requests } = client(t, { url }, () => undefined)
  await it.publish('a', 1)
  const sub = it.subscribe('a', () => {})
  await live(it)
  await fetch(`${url}/v1/channels/close?channel=a`, { method: 'POST' })
  await until('complete', () => it.state.state === 'ended')
  requests.length = 0
  sub.unsubscribe()
  it.close()
  it.presence('b')
  await pause(50)
  t.same(requests, [])
  t.match(it.state, { state: 'ended', reason: 'complete' })
})

t.test('a clock that is set back makes nobody wait for longer', async (t) => {
  const { url } = await start(t)
  let back = 0
  let refused = false
  const { it } = client(t, { url, now: () => Date.now() - back }, (name) => {
    if (name !== 'GET events' || refused) return undefined
    refused = true
    return Promise.resolve(busy())
  })
  it.subscribe('a', () => {})
  await until('waiting', () => it.state.state === 'waiting')
  back = 3_600_000
  await live(it)
  t.pass()
})

t.test('a closed client leaves no request behind', async (t) => {
  const { url } = await start(t)
  const aborted: string[] = []
  const hanging: Fetch = (input, init) => {
    const { pathname } = new URL(String(input))
    if (!/sessions$|events$/.test(pathname) || init?.method === undefined || init.method === 'GET')
      return fetch(input, init)
    init.signal?.addEventListener('abort', () => aborted.push(`${init.method} ${pathname}`))
    return new Promise(() => {})
  }
  const it = connect({ url, fetch: hanging })
  it.subscribe('a', () => {})
  await live(it)
  it.subscribe('b', () => {})
  const published = it.publish('a', 1)
  const typed = it.publish('a', 1, { ephemeral: true })
  await pause(20)
  it.close()
  await t.rejects(published)
  await t.rejects(typed)
  t.same(aborted.sort(), ['PATCH /v1/sessions', 'POST /v1/events', 'POST /v1/events'])
})
