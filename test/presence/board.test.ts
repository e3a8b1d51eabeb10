/** One channel's presence on one gateway, or two: what it costs, and that nothing gets lost between them. */
import t from 'tap'
import type { Change, Documents } from '../../src/documents/documents.js'
import { createMemoryDocuments } from '../../src/documents/memory.js'
import type { Draft } from '../../src/log/log.js'
import { createMemoryLog } from '../../src/log/memory.js'
import { Board } from '../../src/presence/board.js'
import type { PresenceDiff, PresenceMember } from '../../src/wire/presence.js'

const LEASE_MS = 1000

/** A store, and boards of as many gateways as are asked for. */
function stage({ tellsAtOnce = true, maxConnections = 5000 } = {}) {
  let now = 1_700_000_000_000
  const clock = () => now
  const retention = { maxEvents: 100_000, maxAge: 3_600_000 }
  const log = createMemoryLog({ retentionFor: () => retention, now: clock })
  const store = createMemoryDocuments(log, { now: clock })
  let reads = 0
  const changes: Change[] = []
  let fails = (_change: Change) => false
  const documents: Documents = {
    ...store,
    read(name) {
      reads++
      return store.read(name)
    },
    change(name, change) {
      changes.push(change)
      if (fails(change)) return Promise.reject(new Error('out of reach'))
      return store.change(name, change)
    },
  }
  const published: Draft[] = []
  const board = () =>
    new Board({
      ...{ channel: 'chat:7', documents, tellsAtOnce },
      publish: async (drafts) => {
        published.push(...drafts)
        return log.append(drafts)
      },
      terms: () => ({ channel: 'chat:7', now, leaseMs: LEASE_MS, maxConnections }),
    })
  return {
    ...{ log, store, board, changes, published },
    get reads() {
      return reads
    },
    pass: (ms: number) => {
      now += ms
    },
    fail: (which: (change: Change) => boolean) => {
      fails = which
    },
    /** What was said on a channel, in order. */
    async told(channel: string) {
      const { channels } = await log.read(0, [{ channel, after: 0 }], 100_000)
      return channels[0]!.entries.flatMap((it) =>
        it.kind === 'event' ? [{ name: it.name, data: JSON.parse(it.data) }] : [],
      )
    },
  }
}

const enter = (connection: string, id = connection) => ({ kind: 'enter', connection, id }) as const
const names = (count: number) => Array.from({ length: count }, (_, i) => `s${i}`)
const members = (json: string): PresenceMember[] => JSON.parse(json).members

t.test('a thousand who ask at once are answered by one reading, and with one text', async (t) => {
  const scene = stage()
  const board = scene.board()
  await Promise.all(names(50).map((it) => board.act(enter(it))))
  const before = scene.reads
  const states = await Promise.all(names(1000).map(() => board.look()))
  t.equal(scene.reads - before, 1)
  t.equal(new Set(states.map(({ chunk }) => chunk)).size, 1)
  t.equal(members(states[0]!.json).length, 50)
})

t.test('a thousand who enter at once are a few changes, diffs and texts', async (t) => {
  const scene = stage()
  const board = scene.board()
  const acted = await Promise.all(names(1000).map((it) => board.act(enter(it))))
  t.equal(scene.reads, 1)
  t.ok(scene.changes.length <= 3, `${scene.changes.length} changes`)
  t.ok(new Set(acted.map(({ state }) => state.chunk)).size <= 3)
  for (const { outcome, state } of acted) {
    if (outcome !== 'present' || members(state.json).length === 0) t.fail('somebody is missing')
  }
  t.equal(members(acted.at(-1)!.state.json).length, 1000)
  t.equal((await scene.told('presence:chat:7')).length, scene.changes.length)
})

t.test('two gateways lose nobody, and tell of everybody once', async (t) => {
  const scene = stage()
  const [a, b] = [scene.board(), scene.board()]
  await Promise.all(
    names(300).flatMap((it, i) => [
      a.act(enter(`a${i}`, it)),
      b.act(enter(`b${i}`, it)),
      ...(i % 3 === 0 ? [a.act({ kind: 'leave', connection: `a${i}` })] : []),
    ]),
  )
  const state = members((await a.look()).json)
  t.equal(state.length, 300)
  t.equal(state.filter(({ count }) => count === 2).length, 200)
  const joined = (await scene.told('presence:chat:7')).flatMap(
    ({ data }) => (data as PresenceDiff).joined,
  )
  t.equal(joined.length, 300)
  t.strictSame(await b.look().then(({ json }) => members(json).length), 300)
})

t.test('of several whose time is over those leave who have not come back', async (t) => {
  const scene = stage()
  const [a, b] = [scene.board(), scene.board()]
  await Promise.all(names(4).map((it) => a.act(enter(it))))
  scene.pass(LEASE_MS + 1)
  await b.act(enter('s1'))
  const outcomes = await Promise.all(
    names(4).map((connection) => a.act({ kind: 'overdue', connection })),
  )
  t.strictSame(
    outcomes.map(({ outcome }) => outcome),
    ['gone', 'present', 'gone', 'gone'],
  )
  t.match(members((await a.look()).json), [{ id: 's1' }])
  const left = (await scene.told('presence:chat:7')).flatMap(
    ({ data }) => (data as PresenceDiff).left,
  )
  t.same(left.map(({ id }) => id).sort(), ['s0', 's2', 's3'])
})

t.test('whoever found somebody overdue at the same time removes nobody twice', async (t) => {
  const scene = stage()
  const [a, b] = [scene.board(), scene.board()]
  await a.act(enter('s0'))
  await b.look()
  scene.pass(LEASE_MS + 1)
  const overdue = { kind: 'overdue', connection: 's0' } as const
  await Promise.all([a.act(overdue), b.act(overdue)])
  const told = await scene.told('presence:chat:7')
  t.strictSame(
    told.map(({ data }) => [data.joined.length, data.left.length]),
    [
      [1, 0],
      [0, 1],
    ],
  )
})

t.test(
  'a store that can’t be asked is told to whoever asked, and the next one asks anew',
  async (t) => {
    const scene = stage()
    const board = scene.board()
    await board.act(enter('s0'))
    scene.fail(() => true)
    await t.rejects(board.act(enter('s1')), /out of reach/)
    scene.fail(() => false)
    t.match(await board.act(enter('s1')), { outcome: 'present' })
    t.equal(members((await board.look()).json).length, 2)
  },
)

t.test(
  'with the members in another partition occupancy is told before the next thing happens',
  async (t) => {
    const scene = stage({ tellsAtOnce: false })
    const board = scene.board()
    await board.act(enter('s0'))
    await board.act({ kind: 'leave', connection: 's0' })
    t.strictSame(
      (await scene.told('server:occupancy')).map(({ name, data }) => [name, data.channel]),
      [
        ['channel.occupied', 'chat:7'],
        ['channel.vacated', 'chat:7'],
      ],
    )
    t.equal((await scene.store.read('presence:chat:7')).fields.size, 0, 'nothing is left of it')
  },
)

t.test('what a gateway that died has not told is told by whom the lease finds, once', async (t) => {
  const scene = stage({ tellsAtOnce: false })
  const [doomed, other] = [scene.board(), scene.board()]
  // The change of the members goes through; that it was told can't be noted.
  scene.fail(({ set }) => set?.['*untold'] === null)
  await doomed.act(enter('s0'))
  scene.fail(() => false)
  scene.pass(60_000)
  const found = await scene.store.overdue(10, 1000)
  t.match(
    found.find(({ member }) => member === '*untold'),
    { name: 'presence:chat:7' },
  )
  await other.tell()
  t.equal((await scene.told('server:occupancy')).length, 1)
  t.equal(scene.published.length, 2, 'it was told again, under its key')
  t.notOk((await scene.store.read('presence:chat:7')).fields.has('*untold'))
})
