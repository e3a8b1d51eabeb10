import t, { type Test } from 'tap'
import {
  type ClientEvent,
  type ConnectOptions,
  connect,
  OutboxFullError,
} from '../../src/client/index.js'
import { start } from '../routes/support/start.js'
import { startCutter } from '../support/cutter.js'
import { seeded } from '../support/random.js'
import { lockedGateway } from './locked-gateway.js'

t.setTimeout(90_000)

/** A client whose requests are counted. */
function client(t: Test, options: ConnectOptions) {
  const requests: string[] = []
  const it = connect({
    ...options,
    fetch: (input, init) => {
      const { pathname, searchParams } = new URL(String(input))
      const poll = searchParams.get('mode') === 'poll' ? ' poll' : ''
      requests.push(`${init?.method ?? 'GET'} ${pathname}${poll}`)
      return fetch(input, init)
    },
  })
  t.teardown(() => it.close())
  const count = (request: string) => requests.filter((each) => each === request).length
  return { it, requests, streams: () => count('GET /v1/events') }
}

function inState(
  it: Pick<ReturnType<typeof client>['it'], 'state' | 'onState'>,
  state: string,
): Promise<void> {
  return new Promise((resolve) => {
    if (it.state.state === state) resolve()
    it.onState((now) => now.state === state && resolve())
  })
}

function deferred() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** A handler, and what resolves once it has been given so many. */
function collector() {
  const data: unknown[] = []
  let wake = () => {}
  return {
    data,
    take: (event: Pick<ClientEvent, 'data'>) => {
      data.push(event.data)
      wake()
    },
    async until(count: number) {
      while (data.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return data
    },
  }
}

t.test('channels come and go on the live stream, without a reconnect', async (t) => {
  const { url } = await start(t)
  const { it, requests, streams } = client(t, { url })
  const a = collector()
  const b = collector()
  it.subscribe('a', a.take)
  await inState(it, 'live')
  const sub = it.subscribe('b', b.take)
  const { resolve, promise: patched } = deferred()
  const watch = setInterval(() => requests.includes('PATCH /v1/sessions') && resolve(), 5)
  await patched
  clearInterval(watch)
  await it.publish('b', 1)
  await it.publish('a', 2)
  t.same(await b.until(1), [1])
  t.same(await a.until(1), [2])
  sub.unsubscribe()
  await it.publish('b', 3)
  await it.publish('a', 4)
  t.same(await a.until(2), [2, 4])
  t.same(b.data, [1])
  t.equal(streams(), 1)
})

t.test('history comes before live, each event once, whoever publishes meanwhile', async (t) => {
  const { url } = await start(t)
  const { it } = client(t, { url })
  const writer = client(t, { url })
  const all = Array.from({ length: 400 }, (_, n) => n)
  for (const n of all.slice(0, 100)) void writer.it.publish('a', n)
  await writer.it.publish('a', 100)
  const { take, until } = collector()
  for (const n of all.slice(101, 250)) void writer.it.publish('a', n)
  it.subscribe('a', take, { rewind: 1000 })
  for (const n of all.slice(250)) void writer.it.publish('a', n)
  t.same(await until(400), all)
})

t.test('whoever comes and goes is no part of a channel’s history', async (t) => {
  const gateway = await start(t, { channels: [{ pattern: 'a', presence: true }] })
  const { it } = client(t, gateway)
  const { id: after } = await it.publish('a', 1)
  it.subscribe('a', () => {})
  await inState(it, 'live')
  await it.publish('a', 2)
  const { events } = await it.history('a', { after })
  t.same(
    events.map(({ data }) => data),
    [2],
  )
  const { data, take, until } = collector()
  it.subscribe('a', take, { after })
  await it.publish('a', 3)
  await until(2)
  t.same(data, [2, 3])
})

t.test('a loop over a channel ends with it, and leaving the loop unsubscribes', async (t) => {
  const { url } = await start(t)
  const { it } = client(t, { url })
  await it.publish('a', 1)
  await it.publish('a', 2)
  const seen: unknown[] = []
  for await (const event of it.subscribe('a', { rewind: 10 })) {
    seen.push(event.data)
    if (seen.length === 2) break
  }
  t.same(seen, [1, 2])
  t.same(it.state, { state: 'idle' })
  const reading = (async () => {
    const rest: unknown[] = []
    for await (const event of it.subscribe('b')) rest.push(event.data)
    return rest
  })()
  await inState(it, 'live')
  await it.publish('b', 'last')
  await fetch(`${url}/v1/channels/close?channel=b`, { method: 'POST' })
  t.same(await reading, ['last'])
})

t.test('a reader that is slow holds up nobody, and misses nothing', async (t) => {
  const { url } = await start(t)
  const { it } = client(t, { url })
  const quick = collector()
  const slow = collector()
  const { promise: go, resolve } = deferred()
  it.subscribe('a', quick.take)
  it.subscribe('a', async (event) => {
    await go
    slow.take(event)
  })
  await inState(it, 'live')
  const all = Array.from({ length: 3000 }, (_, n) => n)
  const writer = client(t, { url })
  for (let at = 0; at < all.length; at += 500) {
    await Promise.all(all.slice(at, at + 500).map((n) => writer.it.publish('a', n)))
  }
  t.same(await quick.until(3000), all)
  t.same(slow.data, [])
  resolve()
  t.same(await slow.until(3000), all)
})

t.test('an event that is refused is refused alone', async (t) => {
  const { url } = await start(t)
  const { it } = client(t, { url })
  const sent = await Promise.allSettled([
    it.publish('a', 1),
    it.publish('not a channel', 2),
    it.publish('a', 3),
  ])
  t.same(
    sent.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  t.match(sent[1], { reason: { problem: { code: 'channel_invalid' } } })
  const { events } = await it.history('a')
  t.same(
    events.map(({ data }) => data),
    [1, 3],
  )
})

t.test('what can’t be sent waits, in order and up to a bound', async (t) => {
  const { url } = await start(t)
  let down = true
  const it = connect({
    url,
    fetch: (input, init) => (down ? Promise.reject(new TypeError('down')) : fetch(input, init)),
    random: () => 0,
  })
  t.teardown(() => it.close())
  const sent = Array.from({ length: 1000 }, (_, n) => it.publish('a', n))
  await t.rejects(it.publish('a', 'one too many'), OutboxFullError)
  t.equal(it.waiting, 1000)
  down = false
  await Promise.all(sent)
  const { events } = await it.history('a', { limit: 1000 })
  t.same(
    events.map(({ data }) => data),
    Array.from({ length: 1000 }, (_, n) => n),
  )
})

t.test('what waits to be published goes when the stream is back', async (t) => {
  const { url } = await start(t)
  const cutter = await startCutter({
    target: Number(new URL(url).port),
    random: seeded(1),
    budget: () => undefined,
  })
  t.teardown(cutter.stop)
  let refuses = true
  const it = connect({
    url: cutter.url,
    fetch: async (input, init) => {
      if (init?.method !== 'POST' || !refuses) return fetch(input, init)
      refuses = false
      return new Response('', { status: 503, headers: { 'retry-after': '60' } })
    },
    // That minute never ends.
    timer(ms, task) {
      const id = ms < 60_000 ? setTimeout(task, ms) : undefined
      return () => clearTimeout(id)
    },
  })
  t.teardown(() => it.close())
  it.subscribe('a', () => {})
  await inState(it, 'live')
  const sent = it.publish('a', 1)
  while (refuses) await new Promise((resolve) => setImmediate(resolve))
  cutter.cutAll()
  t.match(await sent, { channel: 'a', duplicate: false })
})

t.test('a platform that never ends what was given up holds up nothing', async (t) => {
  const { url } = await start(t)
  /** As undici does where a body comes to its end just when it is given up. */
  const deaf: typeof fetch = async (input, { signal: _, ...init } = {}) => {
    const response = await fetch(input, init)
    t.teardown(() => response.body?.cancel().catch(() => {}))
    return response
  }
  const it = connect({ url, fetch: deaf })
  t.teardown(() => it.close())
  const a = collector()
  const sub = it.subscribe('a', a.take)
  await inState(it, 'live')
  sub.unsubscribe()
  await inState(it, 'idle')
  it.subscribe('a', a.take)
  await inState(it, 'live')
  await it.publish('a', 1)
  t.same(await a.until(1), [1])
})

t.test('tokens end three times, and the stream goes on', async (t) => {
  const gateway = await lockedGateway(t)
  let tokens = 0
  const { promise: four, resolve } = deferred()
  const { it, streams } = client(t, {
    url: gateway.url,
    getToken: (reason) => {
      tokens++
      if (tokens > 1) t.equal(reason, 'expiring')
      if (tokens === 4) resolve()
      return gateway.token(60, undefined, { sub: 'alice' })
    },
  })
  const { take, until } = collector()
  it.subscribe('c', take)
  await inState(it, 'live')
  const ticking = setInterval(() => gateway.advance(10_000), 400)
  t.teardown(() => clearInterval(ticking))
  await four
  clearInterval(ticking)
  await it.publish('c', 'still here')
  t.same(await until(1), ['still here'])
  t.equal(streams(), 1)
})

t.test('a channel that may not be read is its reader’s affair alone', async (t) => {
  const gateway = await lockedGateway(t)
  const { it, streams } = client(t, { url: gateway.url, token: await gateway.token(600) })
  const { take, until } = collector()
  it.subscribe('c', take)
  await inState(it, 'live')
  const error = await new Promise<Error>((resolve) => {
    it.subscribe('secret', () => {}, { onError: resolve })
  })
  t.match(error, { status: 403 })
  await it.publish('c', 1)
  t.same(await until(1), [1])
  t.equal(streams(), 1)
})

t.test('more channels than a URL holds are read all the same', async (t) => {
  const { url } = await start(t)
  const { it, requests } = client(t, { url })
  const { take, until } = collector()
  const channels = Array.from({ length: 200 }, (_, n) => `${'long-'.repeat(30)}${n}`)
  for (const channel of channels) it.subscribe(channel, take)
  await inState(it, 'live')
  await it.publish(channels[199]!, 'here')
  t.same(await until(1), ['here'])
  t.equal(requests[0], 'POST /v1/events/stream')
})

t.test('a closed client is at its end, and frees whoever waits', async (t) => {
  const { url } = await start(t)
  const { it } = client(t, { url })
  const reading = (async () => {
    for await (const _ of it.subscribe('a'));
  })()
  await inState(it, 'live')
  it.close()
  await reading
  t.same(it.state, { state: 'ended', reason: 'closed' })
  await t.rejects(it.publish('a', 1), /closed/)
})

t.test('who came since is no part of a channel’s history', async (t) => {
  const channels = [{ pattern: 'talk', presence: true }]
  const { url } = await start(t, { channels })
  const one = client(t, { url })
  one.it.subscribe('talk', () => {})
  await inState(one.it, 'live')
  const first = await one.it.publish('talk', 1)
  const other = client(t, { url })
  other.it.subscribe('talk', () => {})
  await inState(other.it, 'live')
  const last = await one.it.publish('talk', 2)
  const { events } = await one.it.history('talk', { after: first.id })
  t.same(
    events.map(({ id, data }) => ({ id, data })),
    [{ id: last.id, data: 2 }],
  )
})
