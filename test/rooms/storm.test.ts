/** Many who want to be in at once: a cap is a cap, whichever gateway they come to. */
import t from 'tap'
import { ask } from '../routes/support/ask.js'
import { visitor } from '../routes/support/rooms.js'
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
