import t from 'tap'
import { publish, subscribe } from '../../src/client/index.js'
import { collect, createClock, gone, ready, speaker, status, stream } from './speaker.js'

const created = status(201, { 'content-type': 'application/json' }, '{"id":"1-0"}')

t.test('a token beats a header, however that is spelled', async (t) => {
  const { url, requests } = await speaker(t, [gone])
  const headers = { AUTHORIZATION: 'Basic eA==' }
  await collect(subscribe({ url, channels: ['c'], headers, token: 't', ...createClock() }))
  t.equal(requests[0]?.headers.authorization, 'Bearer t')
})

t.test('without a token a header of one’s own is left alone', async (t) => {
  const { url, requests } = await speaker(t, [gone])
  const headers = { Authorization: 'Basic eA==' }
  await collect(subscribe({ url, channels: ['c'], headers, ...createClock() }))
  t.equal(requests[0]?.headers.authorization, 'Basic eA==')
})

t.test('a token is asked for at each connection', async (t) => {
  const { url, requests } = await speaker(t, [stream(ready('1-0')), stream(ready('1-0')), gone])
  let asked = 0
  const token = async () => `t${++asked}`
  await collect(subscribe({ url, channels: ['c'], token, ...createClock() }))
  t.strictSame(
    requests.map((request) => request.headers.authorization),
    ['Bearer t1', 'Bearer t2', 'Bearer t3'],
  )
})

t.test('a token is asked for at each attempt to publish', async (t) => {
  const { url, requests } = await speaker(t, [status(503), created])
  let asked = 0
  const timer = (_ms: number, task: () => void) => {
    queueMicrotask(task)
    return () => {}
  }
  const token = () => `t${++asked}`
  await publish({ url, channel: 'c', data: 1, token, timer, random: () => 0 })
  t.strictSame(
    requests.map((request) => request.headers.authorization),
    ['Bearer t1', 'Bearer t2'],
  )
})

t.test('a token that can’t be had is asked for again, like a lost connection', async (t) => {
  const { url, requests } = await speaker(t, [gone])
  const clock = createClock()
  const tries = [
    () => Promise.reject(new Error('the login is away')),
    () => {
      throw new Error('no storage')
    },
    () => '',
    () => 'now',
  ]
  const token = () => tries.shift()!()
  await collect(subscribe({ url, channels: ['c'], token, ...clock }))
  const reasons = clock.states.flatMap((s) => (s.state === 'waiting' ? s.reason : []))
  t.match(reasons, ['the login is away', 'no storage', /^a token is a text of visible ASCII/])
  t.equal(requests.length, 1)
})

t.test('a token that never comes is given up like a silent server', async (t) => {
  const { url } = await speaker(t, [gone])
  const clock = createClock()
  let asked = 0
  const token = () => (++asked === 1 ? new Promise<string>(() => {}) : 'now')
  const reading = collect(subscribe({ url, channels: ['c'], token, ...clock }))
  clock.advance(37_500)
  await reading
  t.match(clock.states[1], { state: 'waiting', reason: 'nothing came for 37.5 s' })
})

t.test('a signal ends the wait for a token', async (t) => {
  const stop = new AbortController()
  const token = () => {
    queueMicrotask(() => stop.abort(new Error('enough')))
    return new Promise<string>(() => {})
  }
  const url = 'http://127.0.0.1:1'
  await collect(subscribe({ url, channels: ['c'], token, signal: stop.signal, ...createClock() }))
  const event = { url, channel: 'c', data: 1, token, signal: stop.signal }
  await t.rejects(publish(event), { message: 'enough' })
  const later = new AbortController()
  const never = () => {
    queueMicrotask(() => later.abort(new Error('later')))
    return new Promise<string>(() => {})
  }
  await t.rejects(publish({ ...event, token: never, signal: later.signal }), { message: 'later' })
})

t.test('what no header carries is refused at once, and not repeated in words', async (t) => {
  const url = 'http://127.0.0.1:1'
  for (const token of ['', 'Bearer s3cret', 's3cret\n', 's3crét']) {
    const reading = collect(subscribe({ url, channels: ['c'], token, ...createClock() }))
    const writing = publish({ url, channel: 'c', data: 1, token })
    for (const error of [await reading.catch((e) => e), await writing.catch((e) => e)]) {
      t.type(error, TypeError)
      t.notMatch(error.message, /s3cr/)
    }
  }
})
