/** Channels of a session: put on it and taken off while its stream lives, and kept for its reconnects. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { startRedis } from '../support/redis.js'
import { ask as askRedis } from '../support/redis-ask.js'
import { until } from '../support/until.js'
import { type Answer, ask, publish } from './support/ask.js'
import { onBothLogs, start, stopRedis } from './support/start.js'
import { type Stream, subscribe } from './support/stream.js'

t.teardown(stopRedis)

const secret = () => randomBytes(18).toString('base64url')

function patch(url: string, session: string, body: object): Promise<Answer> {
  return ask(`${url}/v1/sessions`, {
    method: 'PATCH',
    headers: { 'sluice-session': session, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

const open = (url: string, channels: string[], session: string, lastId?: string) =>
  subscribe(url, channels, `session=${session}`, lastId)

/** Data of the application's events on a stream. */
const dataOf = ({ blocks }: Stream) =>
  blocks.filter(({ json }) => json?.data !== undefined).map(({ json }) => json.data)

const has = (stream: Stream, data: unknown) => stream.find(({ json }) => json?.data === data)

onBothLogs(
  t,
  'a channel added to a live stream gives what comes from then on',
  async (t, start) => {
    const { url } = await start()
    const session = secret()
    const stream = await open(url, ['a'], session)
    await stream.event('stream.live')
    await publish(url, 'b', 'before')
    const { status, json } = await patch(url, session, { add: ['b'] })
    t.match({ status, json }, { status: 200, json: { live: true, channels: ['a', 'b'] } })
    await publish(url, 'b', 'after')
    await has(stream, 'after')
    t.same(dataOf(stream), ['after'])
  },
)

t.test('what is wrong with a session is said', async (t) => {
  const { url } = await start(t)
  const faults = [
    [undefined, /Sluice-Session is missing.* 22–128 characters/],
    ['short', /has 5 characters.* 22–128/],
    ['x'.repeat(129), /has 129 characters/],
    [`${'x'.repeat(22)}!`, /odd character.* A–Z a–z 0–9 _ -/],
  ] as const
  for (const [secret, detail] of faults) {
    const headers = secret === undefined ? {} : { 'sluice-session': secret }
    for (const path of ['sessions', 'rooms/r/participants']) {
      const method = path === 'sessions' ? 'PATCH' : 'POST'
      t.match(await ask(`${url}/v1/${path}`, { method, headers }), {
        status: 400,
        json: { code: 'option_invalid', detail },
      })
    }
  }
  // As after a join whose stream came too late, or in a store that began anew.
  t.match(await ask(`${url}/v1/events?session=${secret()}`), {
    status: 400,
    json: { code: 'channel_missing', detail: /This session has no channels .* join its room/ },
  })
})

onBothLogs(t, 'a channel taken away is silent, and its end is told', async (t, start) => {
  const { url } = await start()
  const session = secret()
  const stream = await open(url, ['a', 'b'], session)
  await stream.event('stream.live')
  t.match(await patch(url, session, { remove: ['b'] }), { status: 200, json: { channels: ['a'] } })
  t.same((await stream.event('stream.end')).json, { channel: 'b', reason: 'removed' })
  await publish(url, 'b', 1)
  await publish(url, 'a', 2)
  await has(stream, 2)
  t.same(dataOf(stream), [2])
})

onBothLogs(t, 'what was added and taken away holds for the reconnects', async (t, start) => {
  const { url } = await start()
  const session = secret()
  const first = await open(url, ['a', 'b'], session)
  await first.event('stream.live')
  await patch(url, session, { add: ['c'], remove: ['b'] })
  first.close()
  await publish(url, 'a', 1)
  await publish(url, 'b', 2)
  await publish(url, 'c', 3)
  const second = await open(url, ['a', 'b'], session, first.cursor)
  await second.event('stream.live')
  t.same(dataOf(second), [1, 3])
  t.same((await second.event('stream.ready')).json.channels, ['a', 'c'])
})

onBothLogs(
  t,
  'a cut right after joining loses nothing of the channel, whatever the cursor has passed',
  async (t, start) => {
    const { url } = await start()
    const session = secret()
    const first = await open(url, ['a'], session)
    await first.event('stream.live')
    // No stream is told: it was joined while nobody was connected.
    first.close()
    await t.resolves(
      (async () => {
        while ((await patch(url, session, { add: ['b'] })).status !== 202);
      })(),
    )
    await publish(url, 'b', 1)
    const other = await open(url, ['a'], secret())
    await publish(url, 'a', 2)
    await has(other, 2)
    // A cursor that is later than what it has never been given.
    const second = await open(url, ['a'], session, other.cursor)
    await second.event('stream.live')
    t.same(dataOf(second), [1])
    await publish(url, 'b', 3)
    await has(second, 3)
    const third = await open(url, ['a'], session, second.cursor)
    await third.event('stream.live')
    t.same(dataOf(third), [], 'and once it was given the cursor speaks for it')
  },
)

onBothLogs(t, 'a stream may begin with nothing but what its session has', async (t, start) => {
  const { url } = await start()
  const session = secret()
  const first = await open(url, ['a'], session)
  await first.event('stream.live')
  await patch(url, session, { add: ['b'] })
  const second = await subscribe(url, [], `session=${session}`)
  await second.event('stream.live')
  t.same((await second.event('stream.ready')).json.channels, ['b'])
})

onBothLogs(t, 'a stream whose last channel goes ends for good', async (t, start) => {
  const { url } = await start()
  const session = secret()
  const stream = await open(url, ['a'], session)
  await stream.event('stream.live')
  await patch(url, session, { remove: ['a'] })
  const bye = await stream.event('stream.bye')
  t.match(bye, { id: /^end\./, json: { reason: 'removed', reconnect: false } })
  t.equal(await stream.over(), 'end')
  t.equal((await open(url, ['a'], session, bye.id)).status, 204)
  t.match(await patch(url, session, { add: ['b'] }), {
    status: 410,
    json: { code: 'session_ended' },
  })
})

onBothLogs(
  t,
  'the newest connection of a session wins, and the older one stays away',
  async (t, start) => {
    const { url } = await start()
    const session = secret()
    const older = await open(url, ['a'], session)
    await older.event('stream.live')
    const newer = await open(url, ['a'], session)
    await newer.event('stream.live')
    t.match(await older.event('stream.bye'), {
      id: /^end\./,
      json: { reason: 'replaced', reconnect: false },
    })
    await older.over()
    await publish(url, 'a', 1)
    await has(newer, 1)
    t.equal((await patch(url, session, { add: ['b'] })).status, 200, 'and the newer one listens')
  },
)

onBothLogs(t, 'a long poll has what was added to its session, once', async (t, start) => {
  const { url } = await start()
  const session = secret()
  const poll = (after: string, wait = 0) =>
    ask(`${url}/v1/events?channel=a&session=${session}&wait=${wait}&after=${after}`, {
      headers: { accept: 'application/json' },
    })
  const first = await poll('latest')
  t.equal((await patch(url, session, { add: ['b'] })).status, 202)
  await publish(url, 'b', 1)
  const second = await poll(first.json.cursor, 5)
  t.same(
    second.json.events.map(({ data }: { data: unknown }) => data),
    [1],
  )
  const third = await poll(second.json.cursor)
  t.same(third.json.events, [])
})

onBothLogs(t, 'a change that is wrong is told so, and changes nothing', async (t, start) => {
  const { url } = await start()
  const session = secret()
  t.match(await patch(url, session, { add: ['a'] }), {
    status: 404,
    json: { code: 'session_unknown' },
  })
  const stream = await open(url, ['a'], session)
  await stream.event('stream.live')
  const wrong: [object, string][] = [
    [{ add: ['no channel'] }, 'channel_invalid'],
    [{ add: ['inbox:r:x'] }, 'channel_reserved'],
    [{ add: ['session:x'] }, 'channel_reserved'],
    [{ plus: ['b'] }, 'option_invalid'],
    [{ add: 'b' }, 'option_invalid'],
  ]
  for (const [body, code] of wrong) {
    t.match((await patch(url, session, body)).json, { code }, JSON.stringify(body))
  }
  t.match((await patch(url, session, {})).json, { channels: ['a'] })
})

onBothLogs(
  t,
  'a session can’t grow beyond what its next opening may have, and asking again costs nothing',
  async (t, start) => {
    const { url } = await start({ maxChannels: 4 })
    const session = secret()
    const stream = await open(url, ['a', 'b'], session)
    await stream.event('stream.live')
    const more = { add: ['c', 'd'] }
    for (const _ of [1, 2]) t.equal((await patch(url, session, more)).status, 200)
    const beyond = await patch(url, session, { add: ['e'] })
    t.match(beyond, { status: 400, json: { code: 'channels_too_many' } })
    stream.close()
    const again = await open(url, ['a', 'b'], session, stream.cursor)
    t.equal(again.status, 200)
  },
)

t.test('a store that has lost a session ends its stream, which comes back', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { url } = await start(t, { redisUrl: redis.url, redisPrefix: 'lost' })
  const session = secret()
  const stream = await open(url, ['a'], session)
  await stream.event('stream.live')
  t.equal((await patch(url, session, { add: ['b'] })).status, 200)
  await redis.restart('SIGKILL')
  t.match((await stream.event('stream.bye')).json, { reason: 'lost', reconnect: true })
})

t.test('two gateways on one Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const config = { redisUrl: redis.url, redisPrefix: 'two' }
  const [one, two] = await Promise.all([start(t, config), start(t, config)])

  await t.test('a change reaches the stream from whichever gateway it comes to', async (t) => {
    const session = secret()
    const stream = await open(one.url, ['a'], session)
    await stream.event('stream.live')
    const added = await patch(two.url, session, { add: ['b'] })
    t.match(added, { status: 200, json: { live: true, channels: ['a', 'b'] } })
    await publish(two.url, 'b', 1)
    await has(stream, 1)
    t.match(await patch(two.url, session, { remove: ['a'] }), {
      status: 200,
      json: { channels: ['b'] },
    })
  })

  await t.test('changes made at once on both are all there, in one order', async (t) => {
    const session = secret()
    const stream = await open(one.url, ['a'], session)
    await stream.event('stream.live')
    const names = Array.from({ length: 20 }, (_, i) => `many:${i}`)
    const answers = await Promise.all(
      names.map((name, i) => patch((i % 2 === 0 ? one : two).url, session, { add: [name] })),
    )
    t.ok(answers.every(({ status }) => status === 200))
    await Promise.all(names.map((name) => publish(two.url, name, name)))
    await Promise.all(names.map((name) => has(stream, name)))
    stream.close()
  })

  await t.test('a newer connection elsewhere takes the older one’s place', async (t) => {
    const session = secret()
    const older = await open(one.url, ['a'], session)
    await older.event('stream.live')
    const newer = await open(two.url, ['a'], session)
    const bye = await older.event('stream.bye')
    t.match(bye, { id: /^end\./, json: { reason: 'replaced', reconnect: false } })
    await patch(one.url, session, { add: ['c'] })
    await publish(one.url, 'c', 'x')
    await has(newer, 'x')
  })

  await t.test('of connections that come at once one is left, and it is live', async (t) => {
    const session = secret()
    const streams = await Promise.all(
      Array.from({ length: 10 }, (_, i) => open((i % 2 === 0 ? one : two).url, ['a'], session)),
    )
    const over = streams.map((stream) => stream.over())
    // All but one are sent away.
    let gone = 0
    await new Promise<void>((resolve) => {
      for (const end of over) void end.then(() => ++gone === streams.length - 1 && resolve())
    })
    const left = streams.filter(({ ended }) => ended === undefined)
    t.equal(left.length, 1)
    await until('found', async () => (await patch(one.url, session, { add: ['z'] })).status === 200)
    await publish(one.url, 'z', 'last')
    await has(left[0]!, 'last')
  })
})

t.test('a stream on Redis hears of changes after its connection was cut', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const config = { redisUrl: redis.url, redisPrefix: 'cut' }
  const [one, two] = await Promise.all([start(t, config), start(t, config)])
  const session = secret()
  const stream = await open(one.url, ['a'], session)
  await stream.event('stream.live')
  t.equal((await patch(two.url, session, { add: ['b'] })).status, 200)
  await askRedis(redis.port, ['CLIENT', 'KILL', 'TYPE', 'pubsub'])
  await askRedis(redis.port, ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
  await until('told', async () => {
    return (await patch(two.url, session, { add: ['c'] })).status === 200
  })
  await publish(two.url, 'c', 'x')
  await has(stream, 'x')
})
