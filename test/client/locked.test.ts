/** The client and a gateway that wants tokens: rights that end while a stream lasts. */
import t from 'tap'
import { GatewayError, type Item, publish, subscribe } from '../../src/client/index.js'
import { lockedGateway } from './locked-gateway.js'

/** Reconnects at once. Real time where it counts silence: the gateway's clock stands still anyway. */
const impatient = {
  timer: (ms: number, task: () => void) => {
    const id = setTimeout(task, ms > 30_000 ? ms : 0)
    return () => clearTimeout(id)
  },
  random: () => 0,
}

/** The items up to the first of a type, that one included. */
async function upTo(items: AsyncGenerator<Item>, type: Item['type']): Promise<Item[]> {
  const all: Item[] = []
  for (;;) {
    const { value, done } = await items.next()
    if (done) throw new Error(`the end came before ${type}`)
    all.push(value)
    if (value.type === type) return all
  }
}

t.test('a stream outlives its token by a fresh one, and misses nothing', async (t) => {
  const gateway = await lockedGateway(t)
  const { url } = gateway
  let asked = 0
  const token = () => {
    asked++
    return gateway.token(60)
  }
  const expires = gateway.now() + 60_000
  const items = subscribe({ url, channels: ['c'], token, ...impatient })
  await upTo(items, 'live')
  gateway.advance(30_000)
  t.match(await upTo(items, 'expiring'), [{ type: 'expiring', expires }])
  gateway.advance(30_000)
  t.match(await upTo(items, 'bye'), [{ reason: 'token_expired', reconnect: true }])
  await publish({ url, channel: 'c', data: 'meanwhile', token })
  const next = await upTo(items, 'event')
  t.match(next[0], { type: 'ready', resumed: true })
  t.match(next.at(-1), { data: 'meanwhile' })
  t.equal(asked, 3, 'for each connection, and for the event')
  await items.return()
})

t.test('a token that stays the same ends the subscription when its time is over', async (t) => {
  for (const tolerance of ['0', '30s']) {
    const gateway = await lockedGateway(t, { 'jwt-tolerance': tolerance })
    const token = await gateway.token(60)
    const ways = [
      { token },
      { token: () => token },
      { headers: { authorization: `Bearer ${token}` } },
    ]
    for (const way of ways) {
      const items = subscribe({ url: gateway.url, channels: ['c'], ...way, ...impatient })
      await upTo(items, 'live')
      gateway.advance(60_000)
      await upTo(items, 'bye')
      const error = await items.next().catch((e) => e)
      t.type(error, GatewayError)
      t.match(error, { status: 401, problem: { code: 'token_expired' } })
      gateway.advance(-60_000)
    }
  }
})

t.test('what the rights don’t reach back to is told as a gap', async (t) => {
  const { url, token } = await lockedGateway(t)
  const writer = await token(60)
  const { id } = await publish({ url, channel: 'c', data: 1, token: writer })
  await publish({ url, channel: 'c', data: 2, token: writer })
  const reader = await token(60, ['subscribe', 'history:none'])
  const items = subscribe({ url, channels: ['c'], after: id, token: reader, ...impatient })
  const told = await upTo(items, 'live')
  t.match(
    told.find((item) => item.type === 'gap'),
    { channel: 'c', reason: 'withheld' },
  )
  t.notOk(told.some((item) => item.type === 'event'))
  await items.return()
})
