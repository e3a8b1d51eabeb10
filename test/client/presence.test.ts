/** Who is present, as a client of a real gateway sees it: by a stream, by polls, and across both. */
import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { type Client, type ConnectOptions, connect, type Presence } from '../../src/client/index.js'
import { start as startGateway } from '../routes/support/start.js'
import { startBadProxy } from '../support/bad-proxy.js'
import { startCutter } from '../support/cutter.js'
import { freePort } from '../support/ports.js'
import { seeded } from '../support/random.js'
import { block, event, ready, speaker, status, stream } from './speaker.js'

t.setTimeout(60_000)
t.jobs = 4

const CHANNEL = 'chat:7'
/** Time enough to come back. */
const CALM = { channels: [{ pattern: 'chat:*', presence: true }], presenceGraceMs: 60_000 }
/** Who doesn't come back is seen to leave. */
const SOON = { ...CALM, presenceGraceMs: 2000 }
const QUICK = { members: { leaseMs: 5000, beatMs: 50 } }

/** What others see of a client that has no token. */
const idOf = ({ session }: Client) =>
  createHash('sha256').update(session).digest('base64url').slice(0, 22)

function client(t: Test, options: ConnectOptions): Client {
  const it = connect(options)
  t.teardown(() => it.close())
  return it
}

/** A client that reads the channel, and so is present. */
async function enter(t: Test, url: string, more: Partial<ConnectOptions> = {}): Promise<Client> {
  const it = client(t, { url, ...more })
  it.subscribe(CHANNEL, () => {})
  await inState(it, READS)
  return it
}

/** By polls, too: on a busy machine a first frame may be late. */
const READS = /live|polling/

function inState(it: Client, state: RegExp): Promise<void> {
  return new Promise((resolve) => {
    const look = () => state.test(it.state.state) && resolve()
    look()
    it.onState(look)
  })
}

/** What was told about a channel's presence, one text each: `=a,b` the state, `+a`, `-a timeout`, `~a`. */
function listen(presence: Presence) {
  const told: string[] = []
  let wake = () => {}
  presence.onChange((members, change) => {
    if (change === undefined) told.push(`=${[...members.keys()].sort()}`)
    else {
      told.push(...change.joined.map(({ id }) => `+${id}`))
      told.push(...change.left.map(({ id, reason }) => `-${id} ${reason}`))
      told.push(...change.updated.map(({ id }) => `~${id}`))
    }
    wake()
  })
  return {
    told,
    /** Resolves once it was told so, that many times. */
    async heard(what: string, times = 1) {
      while (told.filter((it) => it === what).length < times) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    /** Resolves once exactly these are there. */
    async present(...clients: readonly string[]) {
      const all = [...clients].sort().join()
      while ([...presence.members.keys()].sort().join() !== all) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

/** On the way to the gateway; cuts when it is told to. */
async function cutting(t: Test, url: string) {
  const target = Number(new URL(url).port)
  const cutter = await startCutter({ target, random: seeded(7), budget: () => undefined })
  t.teardown(cutter.stop)
  return cutter
}

t.test('who is there is told first, then who comes, changes and goes', async (t) => {
  const { url } = await startGateway(t, SOON, QUICK)
  const a = await enter(t, url, { presence: { name: 'A' } })
  const presence = a.presence(CHANNEL)
  const { told, heard } = listen(presence)
  await heard(`=${idOf(a)}`)
  t.match(presence.members.get(idOf(a)), { id: idOf(a), count: 1, data: { name: 'A' } })

  const b = await enter(t, url, { presence: { name: 'B' } })
  await heard(`+${idOf(b)}`)
  const before = presence.members
  await b.presence(CHANNEL).update({ name: 'B', away: true })
  await heard(`~${idOf(b)}`)
  t.match(presence.members.get(idOf(b)), { data: { name: 'B', away: true } })
  t.same(before.get(idOf(b))?.data, { name: 'B' }, 'a map that was given does not change')
  b.close()
  await heard(`-${idOf(b)} timeout`)
  t.same([...presence.members.keys()], [idOf(a)])
  t.same(told, [`=${idOf(a)}`, `+${idOf(b)}`, `~${idOf(b)}`, `-${idOf(b)} timeout`])
})

t.test('one that only watches is seen by nobody', async (t) => {
  const { url } = await startGateway(t, CALM)
  const watcher = client(t, { url })
  const seen = listen(watcher.presence(CHANNEL))
  await seen.heard('=')
  const a = await enter(t, url)
  await seen.heard(`+${idOf(a)}`)
  t.same(seen.told, ['=', `+${idOf(a)}`])
})

t.test('one that reads and says that it is not present is seen by nobody', async (t) => {
  const { url } = await startGateway(t, CALM)
  const unseen = await enter(t, url, { presence: false })
  const seen = listen(unseen.presence(CHANNEL))
  await seen.heard('=')
  const read = new Promise((resolve) => unseen.subscribe('chat:8', resolve))
  const b = await enter(t, url)
  await seen.heard(`+${idOf(b)}`)
  b.subscribe('chat:8')
  const others = listen(b.presence('chat:8'))
  await others.present(idOf(b))
  await b.publish('chat:8', 'Hello')
  t.match(await read, { data: 'Hello' })
  t.same(seen.told, ['=', `+${idOf(b)}`])
  t.same(others.told, [`=${idOf(b)}`])
})

t.test('a channel and who is on it are subscribed and left apart', async (t) => {
  const { url } = await startGateway(t, CALM)
  const a = client(t, { url })
  const b = await enter(t, url)
  const presence = a.presence(CHANNEL)
  const seen = listen(presence)
  await seen.heard(`=${idOf(b)}`)

  const data: unknown[] = []
  let wake = () => {}
  const subscribe = () =>
    a.subscribe(CHANNEL, (event) => {
      data.push(event.data)
      wake()
    })
  let subscription = subscribe()
  await seen.present(idOf(a), idOf(b))
  subscription.unsubscribe()
  await seen.heard(`-${idOf(a)} left`)
  const c = await enter(t, url)
  await seen.heard(`+${idOf(c)}`)

  subscription = subscribe()
  await seen.present(idOf(a), idOf(b), idOf(c))
  presence.close()
  await b.publish(CHANNEL, 'still here')
  while (data.length === 0) {
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  const others = listen(c.presence(CHANNEL))
  await others.present(idOf(a), idOf(b), idOf(c))
  const again = listen(a.presence(CHANNEL))
  await again.present(idOf(a), idOf(b), idOf(c))
  const d = await enter(t, url)
  await again.present(idOf(a), idOf(b), idOf(c), idOf(d))
})

t.test('a reconnect within the grace is seen by nobody, and misses nothing', async (t) => {
  const { url } = await startGateway(t, CALM)
  const cutter = await cutting(t, url)
  const a = await enter(t, url)
  const seen = listen(a.presence(CHANNEL))
  await seen.present(idOf(a))
  const b = await enter(t, cutter.url, { random: () => 0 })
  const own = listen(b.presence(CHANNEL))
  await own.present(idOf(a), idOf(b))
  const guests: string[] = []
  for (let n = 0; n < 3; n++) {
    const back = new Promise<void>((resolve) => {
      const stop = b.onState(({ state }) => {
        if (!READS.test(state)) return
        stop()
        resolve()
      })
    })
    cutter.cutAll()
    // Comes while b is away.
    guests.push(idOf(await enter(t, url)))
    await back
    await own.present(idOf(a), idOf(b), ...guests)
  }
  await b.presence(CHANNEL).update({ last: true })
  await seen.heard(`~${idOf(b)}`)
  const ofB = seen.told.filter((it) => it.includes(idOf(b)) && !it.startsWith('='))
  t.same(ofB, [`+${idOf(b)}`, `~${idOf(b)}`])
})

t.test('what one says of oneself is said again by who was away for too long', async (t) => {
  const { url } = await startGateway(t, SOON, QUICK)
  const cutter = await cutting(t, url)
  const a = await enter(t, url)
  const presence = a.presence(CHANNEL)
  const seen = listen(presence)
  let away = false
  const b = await enter(t, cutter.url, {
    presence: { name: 'B' },
    random: () => 0,
    fetch: (input, init) => (away ? Promise.reject(new TypeError('away')) : fetch(input, init)),
  })
  await seen.present(idOf(a), idOf(b))
  await b.presence(CHANNEL).update({ name: 'B', busy: true })
  await seen.heard(`~${idOf(b)}`)
  away = true
  cutter.cutAll()
  await seen.heard(`-${idOf(b)} timeout`)
  away = false
  await seen.heard(`+${idOf(b)}`)
  await seen.heard(`~${idOf(b)}`, 2)
  t.same(presence.members.get(idOf(b))?.data, { name: 'B', busy: true })
})

t.test('by polls it is the same', async (t) => {
  const gateway = await startGateway(t, SOON, QUICK)
  const proxy = await startBadProxy(() => Number(new URL(gateway.url).port), 'holds-body')
  t.teardown(proxy.stop)
  const a = client(t, { url: proxy.url })
  a.subscribe(CHANNEL, () => {})
  const presence = a.presence(CHANNEL)
  const seen = listen(presence)
  await seen.heard(`=${idOf(a)}`)
  await inState(a, /polling/)
  const b = await enter(t, gateway.url)
  await seen.heard(`+${idOf(b)}`)
  await b.presence(CHANNEL).update({ away: true })
  await seen.heard(`~${idOf(b)}`)
  const watcher = listen(b.presence(CHANNEL))
  await watcher.present(idOf(a), idOf(b))
  await a.presence(CHANNEL).update({ polls: true })
  await watcher.heard(`~${idOf(a)}`)
  b.close()
  await seen.heard(`-${idOf(b)} timeout`)
  t.same(presence.members.get(idOf(a))?.data, { polls: true })
  t.equal(presence.members.size, 1)
})

t.test('a gateway that has lost everything is believed', async (t) => {
  const port = await freePort()
  const first = await startGateway(t, { ...CALM, port })
  const a = await enter(t, first.url, { random: () => 0 })
  const presence = a.presence(CHANNEL)
  const seen = listen(presence)
  const gone = await enter(t, first.url)
  await seen.present(idOf(a), idOf(gone))
  gone.close()
  await first.close()
  await startGateway(t, { ...CALM, port })
  await seen.present(idOf(a))
  const b = await enter(t, first.url)
  await seen.heard(`+${idOf(b)}`)
  t.same([...presence.members.keys()].sort(), [idOf(a), idOf(b)].sort())
})

t.test('after a gap changes wait for the state, however late it is', async (t) => {
  const member = (id: string) => ({ id, count: 1, since: 1 })
  const channel = `presence:${CHANNEL}`
  const change = (id: string, joined: string[]) =>
    event(
      id,
      { channel: CHANNEL, joined: joined.map(member), left: [], updated: [] },
      channel,
      'presence.diff',
    )
  const state = (position: string, ids: string[]) =>
    block('presence.state', { channel: CHANNEL, position, members: ids.map(member) })
  const body = [
    ready('10-0').replace('["c"]', JSON.stringify([channel])),
    state('10-0', ['a', 'gone']),
    block('stream.live', { cursor: '10-0' }, '10-0'),
    block('stream.gap', { channel, after: '10-0', next: '12-0', reason: 'trimmed' }, '11-0'),
    change('12-0', ['late']),
    state('11-0', ['a', 'missed']),
  ]
  const { url } = await speaker(t, [stream(body.join(''), 'open'), status(404)])
  const a = client(t, { url, onGap: () => t.fail('it is nothing that a page could mend') })
  const presence = a.presence(CHANNEL)
  const seen = listen(presence)
  await seen.present('a', 'missed', 'late')
  t.same(seen.told, ['=a,gone', '=a,missed', '+late'])
})
