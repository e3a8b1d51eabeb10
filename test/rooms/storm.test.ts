/** Many who want to be in at once: a cap is a cap, whichever gateway they come to. */
import t from 'tap'
import { ask } from '../routes/support/ask.js'
import { said, visitor } from '../routes/support/rooms.js'
import { start } from '../routes/support/start.js'
import { startRedis } from '../support/redis.js'

t.test('of 500 who join a room for 100 by two gateways, 100 are in', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const config = { redisUrl: redis.url, maxStreamsPerAddress: 0 }
  const urls = [(await start(t, config)).url, (await start(t, config)).url]
  const body = JSON.stringify({ maxParticipants: 100 })
  const headers = { 'content-type': 'application/json' }
  await ask(`${urls[0]}/v1/rooms/r`, { method: 'PATCH', headers, body })
  const all = Array.from({ length: 500 }, (_, i) => visitor(urls[i % 2]!))
  const answers = await Promise.all(all.map((one, i) => one.join('r', { participant: `p${i}` })))
  const codes = answers.map(({ status, json }) => (status === 201 ? 'in' : json.code))
  t.equal(codes.filter((code) => code === 'in').length, 100)
  t.equal(codes.filter((code) => code === 'room_full').length, 400)
  const { json } = await ask(`${urls[0]}/v1/rooms/r`)
  const ids = json.participants.map(({ id }: { id: string }) => id)
  t.same(ids.sort(), all.flatMap((_, i) => (codes[i] === 'in' ? [`p${i}`] : [])).sort())
  const views = answers.filter(({ status }) => status === 201)
  const sizes = views.map(({ json }) => json.participants.length).sort((a, b) => a - b)
  t.same(
    sizes,
    Array.from({ length: 100 }, (_, i) => i),
    'each saw those who came before it',
  )
})

t.test('whoever never opens a stream leaves once, however many gateways look', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const config = { redisUrl: redis.url, presenceGraceMs: 500 }
  const internals = { members: { leaseMs: 300, sweepMs: 20 } }
  const urls: string[] = []
  for (let i = 0; i < 3; i++) urls.push((await start(t, config, internals)).url)
  const watcher = visitor(urls[0]!)
  await watcher.join('r', { participant: 'watcher' })
  const stream = await watcher.stream()
  await stream.event('stream.live')
  const all = Array.from({ length: 60 }, (_, i) => visitor(urls[i % 3]!))
  await Promise.all(all.map((one, i) => one.join('r', { participant: `p${i}` })))
  await watcher.send('r', { to: 'p59', type: 'x-last', messageId: 'm' })
  await stream.event('signal.expired')
  await stream.until((blocks) => said(blocks, 'participant.left').length >= 60)
  // Whatever else were said of them, it would be said by now.
  await watcher.request('PATCH', '/v1/rooms/r/participants/watcher', { hand: true })
  await stream.event('participant.updated')
  const left = said(stream.blocks, 'participant.left').map(({ incarnation }) => incarnation)
  t.same(left.sort(), all.map(({ incarnation }) => incarnation).sort())
  const { json } = await ask(`${urls[1]}/v1/rooms/r`)
  t.match(json.participants, [{ id: 'watcher', away: false }])
  t.equal(json.participants.length, 1)
  stream.close()
})
