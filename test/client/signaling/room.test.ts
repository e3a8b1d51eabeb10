/** Rooms without a browser: everything but the connections, against a real gateway. */
import t, { type Test } from 'tap'
import {
  type JoinOptions,
  joinRoom,
  type Room,
  type RoomEvents,
} from '../../../src/client/index.js'
import { locked, mint } from '../../http/support/locked.js'
import { start } from '../../routes/support/start.js'
import { type Cutter, startCutter } from '../../support/cutter.js'
import { seeded } from '../../support/random.js'
import { until } from '../../support/until.js'

/** A member of a room, and what it was told. */
interface Member {
  readonly room: Room
  /** The next event of that name that fits. Those that came before it was asked count, once each. */
  next<Name extends keyof RoomEvents>(
    name: Name,
    fits?: (event: RoomEvents[Name]) => boolean,
  ): Promise<RoomEvents[Name]>
}

async function member(t: Test, options: JoinOptions): Promise<Member> {
  // Waits for the next try are a tenth as long as they are for people.
  const timer = (ms: number, task: () => void) => {
    const id = setTimeout(task, ms < 9000 ? ms / 10 : ms)
    return () => clearTimeout(id)
  }
  const random = () => Math.random() / 2
  const room = await joinRoom({ timer, random, ...options })
  t.teardown(() => room.leave().catch(() => {}))
  const names = ['state', 'joined', 'updated', 'left', 'self', 'room', 'signal', 'mute'] as const
  const told: { name: string; event: unknown }[] = []
  const waiting = new Set<() => void>()
  for (const name of names) {
    room.on(name, (event) => {
      told.push({ name, event })
      for (const look of [...waiting]) look()
    })
  }
  return {
    room,
    next: (name, fits = () => true) =>
      new Promise((resolve) => {
        const look = () => {
          const at = told.findIndex((it) => it.name === name && fits(it.event as never))
          if (at < 0) return
          waiting.delete(look)
          resolve(told.splice(at, 1)[0]!.event as never)
        }
        waiting.add(look)
        look()
      }),
  }
}

const live = ({ next }: Member) => next('state', ({ state }) => state === 'live')

async function cut(t: Test, url: string, budget: Parameters<typeof startCutter>[0]['budget']) {
  const cutter = await startCutter({
    target: () => (down.has(cutter) ? 1 : Number(new URL(url).port)),
    random: seeded(3),
    budget,
  })
  t.teardown(() => cutter.stop())
  return cutter
}
/** Behind which there is nothing at the moment. */
const down = new Set<Cutter>()

t.test('who is there, who comes, changes and goes is told to all', async (t) => {
  const { url } = await start(t)
  const about = { url, room: 'r' }
  const alice = await member(t, { ...about, participant: 'alice', data: { name: 'Alice' } })
  t.strictSame(alice.room.peers, [])
  const bob = await member(t, { ...about, participant: 'bob', muted: { audio: true } })
  t.match(bob.room.peers, [{ id: 'alice', data: { name: 'Alice' }, polite: true }])
  const joined = { id: 'bob', polite: false, muted: { audio: true, video: false } }
  t.match(await alice.next('joined'), joined)
  await bob.room.update({ hand: true, data: { name: 'Bob' } })
  t.match(await alice.next('updated', ({ hand }) => hand), { id: 'bob', data: { name: 'Bob' } })
  await alice.room.lowerHand('bob')
  t.match(await bob.next('self', ({ hand }) => !hand), { data: { name: 'Bob' } })
  await alice.room.configure({ maxParticipants: 2 })
  t.match(await bob.next('room'), { maxParticipants: 2 })
  const refused = await joinRoom({ ...about, participant: 'carol' }).catch((error) => error)
  t.match(refused, { problem: { code: 'room_full' } })
  await bob.room.leave()
  t.match(await alice.next('left'), { peer: { id: 'bob' }, reason: 'left' })
  t.strictSame(alice.room.peers, [])
})

t.test('signals arrive once, in their sender’s order, whatever is cut on the way', async (t) => {
  const { url } = await start(t)
  // Answers to a hundred signals at once have 12 kB; one that never gets through would not be a cut.
  const one = await cut(t, url, (random) => 3000 + Math.floor(random.next() * 30_000))
  const other = await cut(t, url, (random) => 1500 + Math.floor(random.next() * 4000))
  const alice = await member(t, { url: one.url, room: 'r', participant: 'alice' })
  const bob = await member(t, { url: other.url, room: 'r', participant: 'bob' })
  const got: number[] = []
  const all = new Promise<void>((resolve) => {
    bob.room.on('signal', ({ data }) => {
      got.push(data as number)
      if (data === 149) resolve()
    })
  })
  await alice.next('joined')
  for (let n = 0; n < 150; n++) {
    alice.room.send('bob', 'x-n', n)
    if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (n % 50 === 25) one.cutAll()
  }
  await all
  t.strictSame(
    got,
    Array.from({ length: 150 }, (_, n) => n),
  )
  t.ok(one.cuts > 2 && other.cuts > 2, `${one.cuts} and ${other.cuts} cuts`)
})

t.test('whoever is asked to mute hears it, and nobody else', async (t) => {
  const { url } = await start(t)
  const [alice, bob, carol] = await Promise.all(
    ['alice', 'bob', 'carol'].map((participant) => member(t, { url, room: 'r', participant })),
  )
  await Promise.all([live(alice!), live(bob!), live(carol!)])
  carol!.room.on('mute', () => t.fail('it was bob who was asked'))
  await alice!.room.requestMute('bob', ['audio'])
  t.strictSame(await bob!.next('mute'), { kinds: ['audio'], by: 'alice' })
})

t.test('whoever is kicked stops for good', async (t) => {
  const { url } = await start(t)
  const alice = await member(t, { url, room: 'r', participant: 'alice' })
  let asked = 0
  const counting: typeof fetch = (...request) => {
    asked++
    return fetch(...request)
  }
  const bob = await member(t, { url, room: 'r', participant: 'bob', fetch: counting })
  await live(bob)
  await alice.room.kick('bob')
  t.match(await bob.next('state', ({ state }) => state === 'ended'), { reason: 'kicked' })
  t.match(await alice.next('left'), { reason: 'kicked', by: 'alice' })
  const before = asked
  await t.rejects(bob.room.update({ hand: true }))
  t.equal(asked, before + 1, 'what was asked on purpose, and nothing by itself')
})

t.test('whoever is kicked while they are away hears of it when they are back', async (t) => {
  const { url } = await start(t)
  const cutter = await cut(t, url, () => undefined)
  const alice = await member(t, { url, room: 'r', participant: 'alice' })
  const bob = await member(t, { url: cutter.url, room: 'r', participant: 'bob' })
  await Promise.all([live(alice), live(bob)])
  down.add(cutter)
  cutter.cutAll()
  await bob.next('state', ({ state }) => state === 'reconnecting')
  await alice.room.kick('bob')
  down.delete(cutter)
  t.match(await bob.next('state', ({ state }) => state === 'ended'), { reason: 'kicked' })
})

t.test('a room that is closed is over for everybody', async (t) => {
  const { url } = await start(t)
  const [alice, bob] = [
    await member(t, { url, room: 'r', participant: 'alice' }),
    await member(t, { url, room: 'r', participant: 'bob' }),
  ]
  await Promise.all([live(alice), live(bob)])
  await alice.room.close()
  for (const { next } of [alice, bob]) {
    t.match(await next('state', ({ state }) => state === 'ended'), { reason: 'closed' })
  }
})

t.test('the same user in another window takes over', async (t) => {
  const { url } = await start(t, locked())
  const token = await mint({ sub: 'alice', channels: { 'room:*': ['signal'] } })
  const about = { url, room: 'r', token }
  const first = await member(t, about)
  await live(first)
  const second = await member(t, about)
  t.match(await first.next('state', ({ state }) => state === 'ended'), { reason: 'replaced' })
  t.equal(second.room.self.id, 'alice')
  t.strictSame(second.room.peers, [])
})

t.test('whoever was away for too long joins anew, as somebody new', async (t) => {
  const { url } = await start(t, { presenceGraceMs: 300 }, { members: { leaseMs: 600 } })
  const cutter = await cut(t, url, () => undefined)
  const alice = await member(t, { url, room: 'r', participant: 'alice' })
  const bob = await member(t, { url: cutter.url, room: 'r', participant: 'bob', data: { n: 1 } })
  await Promise.all([live(alice), live(bob)])
  await alice.next('joined')
  const before = bob.room.self.incarnation
  down.add(cutter)
  cutter.cutAll()
  t.match(await alice.next('left'), { peer: { id: 'bob' }, reason: 'timeout' })
  down.delete(cutter)
  const again = await alice.next('joined')
  t.match(again, { id: 'bob', data: { n: 1 } })
  t.not(again.incarnation, before)
  await bob.next('self')
  t.equal(bob.room.self.incarnation, again.incarnation)
  const heard = bob.next('signal')
  alice.room.send('bob', 'x-hello', 'again')
  t.match(await heard, { from: { id: 'alice' }, data: 'again' })
})

t.test('a connection of its own that came late takes nobody’s place', async (t) => {
  const { url } = await start(t)
  const session = 'a-secret-of-more-than-22-characters'
  const alice = await member(t, { url, room: 'r', participant: 'alice' })
  const bob = await member(t, { url, room: 'r', participant: 'bob', session })
  await Promise.all([live(alice), live(bob)])
  const heard: unknown[] = []
  bob.room.on('signal', ({ data }) => heard.push(data))
  alice.room.send('bob', 'x-n', 1)
  await bob.next('signal')
  const late = await fetch(`${url}/v1/events?session=${session}`)
  await bob.next('state', ({ state }) => state === 'reconnecting')
  await live(bob)
  void late.body?.cancel()
  alice.room.send('bob', 'x-n', 2)
  await bob.next('signal')
  t.strictSame(heard, [1, 2], 'each of them once')
})

t.test('a short absence is told to nobody, and nothing is lost in it', async (t) => {
  const { url } = await start(t)
  const cutter = await cut(t, url, () => undefined)
  const alice = await member(t, { url, room: 'r', participant: 'alice' })
  const bob = await member(t, { url: cutter.url, room: 'r', participant: 'bob' })
  await Promise.all([live(alice), live(bob)])
  const stop = alice.room.on('left', () => t.fail('nobody has left'))
  const { incarnation } = bob.room.self
  down.add(cutter)
  cutter.cutAll()
  await bob.next('state', ({ state }) => state === 'reconnecting')
  await until('away', async () => {
    const { participants } = await (await fetch(`${url}/v1/rooms/r`)).json()
    return participants.some(({ away }: { away: boolean }) => away)
  })
  alice.room.send('bob', 'x-hello', 'while you were away')
  await alice.next('updated', ({ away }) => away)
  down.delete(cutter)
  t.match(await bob.next('signal'), { data: 'while you were away' })
  t.equal(bob.room.self.incarnation, incarnation)
  stop()
})
