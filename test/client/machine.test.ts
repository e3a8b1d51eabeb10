import fc from 'fast-check'
import t from 'tap'
import {
  type Command,
  type Happening,
  type Machine,
  start,
  stateOf,
  step,
  wakeAt,
} from '../../src/client/machine.js'
import { NEVER } from '../../src/client/pace.js'

/** A machine, and a clock and chances of the test's own. */
function stage(random = () => 0) {
  let machine: Machine = start
  let now = 1_000_000
  const commands: Command[] = []
  const open = new Set<number>()
  const OVER = ['polled', 'broken', 'bye', 'refused', 'complete']
  return {
    commands,
    get machine() {
      return machine
    },
    get now() {
      return now
    },
    get state() {
      return stateOf(machine)
    },
    /** Numbers of the connections that are open. */
    get open() {
      return [...open]
    },
    get last() {
      return commands.at(-1)
    },
    tell(happening: Happening) {
      const next = step(machine, happening, { now, random })
      // One that ends by itself needs no closing.
      if ('link' in happening && OVER.includes(happening.type)) open.delete(happening.link)
      machine = next.machine
      for (const it of next.commands) {
        if (it.type === 'close') open.delete(it.link)
        if (it.type === 'open' && open.add(it.link).size > 1) throw new Error('two connections')
      }
      commands.push(...next.commands)
    },
    /** From the newest connection. */
    link(happening: object) {
      this.tell({ ...happening, link: machine.link } as Happening)
    },
    /** To the next moment at which anything is due. */
    wake() {
      now = Math.max(now, wakeAt(machine))
      this.tell({ type: 'tick' })
    },
    pass(ms: number) {
      now += ms
      if (now >= wakeAt(machine)) this.tell({ type: 'tick' })
    },
  }
}

const want: Happening = { type: 'want', wanted: true }
const ready = { type: 'heard', what: 'ready', heartbeat: 15_000 }
const live = { type: 'heard', what: 'live' }
const broken = { type: 'broken', reason: 'cut', asked: 0 }

function liveStage(random?: () => number) {
  const it = stage(random)
  it.tell(want)
  it.link(ready)
  it.link(live)
  return it
}

/** Streaming doesn't get through, polls do. */
function pollingStage(random?: () => number) {
  const it = stage(random)
  it.tell(want)
  it.wake()
  it.link({ type: 'polled', more: false })
  return it
}

t.test('it connects once there is something to read, and says when it is live', async (t) => {
  const it = stage()
  t.same(it.state, { state: 'idle' })
  it.tell(want)
  t.same(it.state, { state: 'connecting' })
  t.match(it.last, { type: 'open', mode: 'stream' })
  it.link(ready)
  t.same(it.state, { state: 'connecting' }, 'events of the past may still be on their way')
  it.link(live)
  t.same(it.state, { state: 'live' })
  it.tell({ type: 'want', wanted: false })
  t.same(it.state, { state: 'idle' })
  t.same(it.open, [])
})

t.test('no first frame within two seconds: it polls', async (t) => {
  const it = stage()
  it.tell(want)
  it.pass(1999)
  t.equal(it.last?.type, 'open')
  t.equal(it.commands.length, 1)
  it.pass(1)
  t.match(it.last, { type: 'open', mode: 'poll', wait: 0 })
  t.same(it.state, { state: 'connecting' }, 'not before a poll was answered')
  it.link({ type: 'polled', more: false })
  t.same(it.state, { state: 'polling' })
  it.wake()
  t.match(it.last, { type: 'open', mode: 'poll', wait: 25 })
  t.equal(it.open.length, 1)
})

t.test('on a long way it has four times the way’s patience', async (t) => {
  const it = stage()
  it.tell({ type: 'measured', rtt: 1500 })
  it.tell(want)
  it.pass(5999)
  t.equal(it.commands.length, 1)
  it.pass(1)
  t.match(it.last, { mode: 'poll' })
})

t.test(
  'a stream that opens and then holds back what it has before it is live: it polls',
  async (t) => {
    const it = stage()
    it.tell(want)
    it.link(ready)
    it.pass(3999)
    t.equal(it.commands.length, 1)
    it.link({ type: 'heard', what: 'bytes' })
    it.pass(3999)
    t.equal(it.commands.length, 1, 'a long replay keeps it')
    it.pass(1)
    t.match(it.last, { mode: 'poll' })
  },
)

t.test('a stream that is silent past a publish of its own: it polls', async (t) => {
  const it = liveStage()
  it.tell({ type: 'owed', id: '1-0' })
  it.tell({ type: 'owed', id: '2-0' })
  it.pass(500)
  it.tell({ type: 'settled', id: '1-0' })
  it.pass(5000)
  t.same(it.state, { state: 'live' }, 'it was shown in time')
  it.tell({ type: 'owed', id: '3-0' })
  it.pass(2000)
  t.match(it.last, { type: 'open', mode: 'poll' })
})

t.test('a stream that falls silent is compared with the log, once on a network', async (t) => {
  const it = liveStage()
  const checks = () => it.commands.filter(({ type }) => type === 'check').length
  it.pass(2000)
  it.link({ type: 'heard', what: 'bytes' })
  it.pass(2999)
  t.equal(checks(), 0)
  it.pass(1)
  t.equal(checks(), 1)
  it.tell({ type: 'owed', id: '1-0' })
  it.pass(2000)
  t.match(it.last, { mode: 'poll' }, 'the log had something that the stream hasn’t shown')
  const sound = liveStage()
  sound.pass(3000)
  sound.tell({ type: 'sound' })
  sound.link(broken)
  sound.wake()
  sound.link(ready)
  sound.link(live)
  sound.pass(3000)
  t.equal(sound.commands.filter(({ type }) => type === 'check').length, 1)
})

t.test('where not even a poll is answered it wasn’t the streaming', async (t) => {
  const it = stage()
  it.tell(want)
  it.wake()
  t.match(it.last, { mode: 'poll' })
  it.link(broken)
  t.match(it.state, { state: 'waiting', reason: 'cut' })
  it.wake()
  t.match(it.last, { type: 'open', mode: 'stream' })
})

t.test('streaming is tried again after minutes, and stays where it works', async (t) => {
  const it = pollingStage()
  const probeAt = it.machine.probeAt
  while (it.now < probeAt) {
    t.same(it.state, { state: 'polling' })
    it.wake()
    it.pass(20_000)
    if (it.machine.phase === 'open') it.link({ type: 'polled', more: false })
  }
  t.ok(it.now - 1_000_000 >= 120_000 && it.now - 1_000_000 < 240_000)
  t.match(it.last, { type: 'open', mode: 'stream' })
  t.same(it.state, { state: 'polling' }, 'a try is no change')
  it.link(ready)
  it.link(live)
  t.same(it.state, { state: 'live' })
})

t.test('a try that fails costs one poll’s delay, and the next comes minutes later', async (t) => {
  const it = pollingStage()
  it.tell({ type: 'online' })
  it.link({ type: 'polled', more: false })
  t.match(it.last, { mode: 'stream' })
  it.wake()
  t.match(it.last, { mode: 'poll', wait: 0 })
  t.same(it.state, { state: 'polling' })
  t.ok(it.machine.probeAt - it.now >= 120_000)
  t.equal(it.open.length, 1)
})

t.test('polls that something cuts off get shorter', async (t) => {
  const it = pollingStage()
  it.wake()
  it.pass(5000)
  it.link(broken)
  it.wake()
  t.match(it.last, { mode: 'poll', wait: 3 })
})

t.test('silence of two and a half heartbeats is a dead connection', async (t) => {
  const it = liveStage()
  it.pass(37_499)
  t.same(it.state, { state: 'live' })
  it.pass(1)
  t.match(it.state, { state: 'waiting', reason: 'nothing came in time' })
  t.same(it.open, [])
})

t.test('it stays away for as long as it was told to, and a random time more', async (t) => {
  const it = liveStage(() => 0.5)
  it.link({ type: 'retry', ms: 3000 })
  it.link(broken)
  t.match(it.state, { state: 'waiting', until: it.now + 3250 })
  it.wake()
  it.link({ ...broken, asked: 30_000 })
  t.match(it.state, { state: 'waiting', until: it.now + 30_375 })
  it.wake()
  it.link({ type: 'bye', reason: 'draining', reconnect: true, retry: 7000 })
  t.match(it.state, { state: 'waiting', until: it.now + 7563 })
})

t.test('waits grow to half a minute, and it never gives up', async (t) => {
  const it = liveStage(() => 0.999999)
  const waits: number[] = []
  for (let n = 0; n < 200; n++) {
    it.link({ ...broken })
    t.equal(it.state.state, 'waiting')
    waits.push(wakeAt(it.machine) - it.now)
    it.wake()
    t.equal(it.open.length, 1)
  }
  t.same(waits.slice(0, 4), [1500, 1750, 2125, 2687])
  t.equal(waits.at(-1), 31_000)
})

t.test('the network comes back, or the page is seen: it tries at once', async (t) => {
  for (const type of ['online', 'visible', 'restored'] as const) {
    const it = liveStage()
    for (let n = 0; n < 9; n++) {
      it.link(broken)
      it.wake()
    }
    it.link(broken)
    t.equal(it.state.state, 'waiting')
    it.tell({ type })
    t.equal(it.state.state, 'connecting', type)
    t.equal(it.open.length, 1)
  }
})

t.test('… but not before the time that the server has asked for', async (t) => {
  const it = liveStage()
  it.link({ ...broken, asked: 30_000 })
  it.pass(1000)
  it.tell({ type: 'visible' })
  t.match(it.state, { state: 'waiting' })
  t.equal(wakeAt(it.machine) - it.now, 29_000)
})

t.test('offline is a state, and even then it looks now and then', async (t) => {
  const it = liveStage()
  it.tell({ type: 'offline' })
  t.same(it.state, { state: 'offline' })
  t.same(it.open, [])
  it.tell({ type: 'visible' })
  t.equal(it.open.length, 1, 'the page is seen: perhaps the browser is wrong')
  it.tell({ type: 'offline' })
  it.pass(30_000)
  t.equal(it.open.length, 1)
})

t.test('out of the back-forward cache it reconnects, whatever it believes', async (t) => {
  const it = liveStage()
  const link = it.machine.link
  it.tell({ type: 'visible' })
  t.equal(it.machine.link, link, 'seen again, and heard of lately')
  it.pass(18_000)
  it.tell({ type: 'visible' })
  t.not(it.machine.link, link, 'a heartbeat is missing')
  it.link(ready)
  it.link(live)
  const again = it.machine.link
  it.tell({ type: 'restored' })
  t.not(it.machine.link, again)
  t.same(it.open, [it.machine.link])
})

t.test('a fresh token is sent without a reconnect, and again where that failed', async (t) => {
  const it = liveStage()
  const link = it.machine.link
  it.tell({ type: 'expiring', expires: it.now + 20_000 })
  t.same(it.last, { type: 'renew' })
  it.tell({ type: 'renewed', ok: false })
  it.pass(1000)
  t.equal(it.commands.filter(({ type }) => type === 'renew').length, 2)
  it.tell({ type: 'renewed', ok: true })
  it.pass(10_000)
  t.equal(it.commands.filter(({ type }) => type === 'renew').length, 2)
  t.equal(it.machine.link, link)
})

t.test('the gateway’s own word is the end, and a closed client says nothing more', async (t) => {
  const cases: [object, object][] = [
    [{ type: 'complete' }, { reason: 'complete' }],
    [
      { type: 'refused', error: new Error('no') },
      { reason: 'refused', error: new Error('no') },
    ],
    [{ type: 'bye', reason: 'revoked', reconnect: false, retry: 0 }, { reason: 'revoked' }],
  ]
  for (const [happening, state] of cases) {
    const it = liveStage()
    it.link(happening)
    t.match(it.state, { state: 'ended', ...state })
    t.same(it.open, [])
    t.equal(wakeAt(it.machine), NEVER)
    it.tell({ type: 'online' })
    t.equal(it.state.state, 'ended')
    it.tell({ type: 'reopen' })
    const again = 'error' in state || (state as { reason: string }).reason === 'complete'
    t.equal(it.open.length, again ? 1 : 0, 'other channels are another question')
  }
})

const happenings = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ type: 'wake' as const }) },
  fc.record({ type: fc.constant('pass' as const), ms: fc.nat(40_000) }),
  ...[want, { type: 'want', wanted: false }, { type: 'reopen' }].map((it) =>
    fc.constant(it as Happening),
  ),
  ...(['online', 'offline', 'visible', 'restored', 'tick'] as const).map((type) =>
    fc.constant({ type }),
  ),
  fc.record({ type: fc.constant('measured' as const), rtt: fc.nat(5000) }),
  fc.record({
    type: fc.constantFrom('owed' as const, 'settled' as const),
    id: fc.constantFrom('1-0', '2-0'),
  }),
  fc.record({
    type: fc.constant('expiring' as const),
    expires: fc.integer({ min: 0, max: 5_000_000 }),
  }),
  fc.record({ type: fc.constant('renewed' as const), ok: fc.boolean() }),
  // What connections say, the newest and older ones.
  ...[
    ready,
    live,
    { type: 'heard', what: 'bytes' },
    { type: 'polled', more: false },
    { type: 'polled', more: true },
    { type: 'retry', ms: 0 },
    { type: 'retry', ms: 5000 },
    broken,
    { ...broken, asked: 20_000 },
    { type: 'bye', reason: 'max_age', reconnect: true, retry: 1000 },
    { type: 'complete' },
  ].map((it) => fc.nat(1).map((back) => ({ ...it, back }))),
)

t.test('whatever happens: never two connections, and never nothing to wait for', async (t) => {
  fc.assert(
    fc.property(
      fc.array(happenings, { maxLength: 60 }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      (all, chance) => {
        const it = stage(() => chance)
        it.tell(want)
        for (const happening of all) {
          if (happening.type === 'wake') {
            if (wakeAt(it.machine) !== NEVER) it.wake()
          } else if ('ms' in happening && happening.type === 'pass') it.pass(happening.ms)
          else if ('back' in happening) {
            const { back, ...rest } = happening
            it.tell({ ...rest, link: it.machine.link - back } as unknown as Happening)
          } else it.tell(happening as Happening)

          if (it.open.length > 1) throw new Error('two connections')
          const { state } = it.state
          if (it.machine.phase === 'open' && it.open[0] !== it.machine.link) {
            throw new Error('its connection isn’t open')
          }
          if (state !== 'idle' && state !== 'ended') {
            const at = wakeAt(it.machine)
            if (!(at < NEVER)) throw new Error(`nothing to wait for in ${state}`)
          }
        }
        // Left alone it connects again, however it stands.
        if (it.state.state === 'idle' || it.state.state === 'ended') return
        for (let n = 0; n < 50 && it.machine.phase !== 'open'; n++) it.wake()
        if (it.machine.phase !== 'open') throw new Error('it gave up')
      },
    ),
    { numRuns: 3000 },
  )
  t.pass()
})
