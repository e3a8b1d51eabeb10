/** A room behind a proxy that holds streams back. */
import t from 'tap'
import { joinRoom, type Room, type RoomState } from '../../../src/client/index.js'
import { start } from '../../routes/support/start.js'
import { type Badness, startBadProxy } from '../../support/bad-proxy.js'

/** Its long waits, for a beginning and until a probe, are over when it is said. */
function createHurry() {
  const long = new Set<() => void>()
  return {
    timer(ms: number, task: () => void) {
      // Of the waits for people: 5 s for a stream to begin is 250 ms here.
      const id = setTimeout(task, ms === 5000 ? 250 : ms)
      const probe = ms >= 60_000 && task
      if (probe) long.add(probe)
      return () => {
        clearTimeout(id)
        if (probe) long.delete(probe)
      }
    },
    probeNow() {
      for (const task of long) task()
    },
  }
}

const next = <State>(room: Room, fits: (state: RoomState) => State | false) =>
  new Promise<State>((resolve) => {
    const look = (state: RoomState) => {
      const found = fits(state)
      if (found !== false) resolve(found)
      return found !== false
    }
    if (!look(room.state)) {
      const stop = room.on('state', (state) => look(state) && stop())
    }
  })
const mode = (room: Room, wanted: 'stream' | 'poll') =>
  next(room, (state) => state.state === 'live' && state.mode === wanted)

for (const badness of ['holds-body', 'holds-last'] satisfies Badness[]) {
  t.test(`a room behind a proxy that ${badness} is told by polls`, async (t) => {
    const { url } = await start(t)
    const proxy = await startBadProxy(() => Number(new URL(url).port), badness)
    t.teardown(() => proxy.stop())
    const alice = await joinRoom({ url, room: 'r', participant: 'alice' })
    const { timer, probeNow } = createHurry()
    const bob = await joinRoom({ url: proxy.url, room: 'r', participant: 'bob', timer })
    t.teardown(() => Promise.all([alice.leave(), bob.leave()]))
    const modes: string[] = []
    bob.on('state', (state) => modes.push(state.state === 'live' ? state.mode : state.state))
    await mode(bob, 'poll')
    const { incarnation } = bob.self

    const heard: unknown[] = []
    const all = new Promise<void>((resolve) => {
      bob.on('signal', ({ data }) => heard.push(data) === 20 && resolve())
    })
    for (let n = 0; n < 20; n++) alice.send('bob', 'x-n', n)
    await all
    t.strictSame(
      heard,
      Array.from({ length: 20 }, (_, n) => n),
    )
    const back = new Promise((resolve) => alice.on('signal', ({ data }) => resolve(data)))
    bob.send('alice', 'x-n', 'and back')
    t.equal(await back, 'and back')
    t.strictSame(
      modes.filter((mode) => mode !== 'stream'),
      ['poll'],
      'told once',
    )

    // The proxy is gone; a probe finds out.
    proxy.badness = 'none'
    probeNow()
    alice.send('bob', 'x-n', 'wakes the poll')
    await mode(bob, 'stream')
    t.equal(bob.self.incarnation, incarnation, 'it was in all the time')
    const streamed = new Promise((resolve) => bob.on('signal', ({ data }) => resolve(data)))
    alice.send('bob', 'x-n', 'streamed')
    t.match(await streamed, /wakes|streamed/)
  })
}
