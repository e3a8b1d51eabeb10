/** The rules of presence, as functions over a roster. */
import fc from 'fast-check'
import t from 'tap'
import { type Happening, type Plan, plan } from '../../src/presence/plan.js'
import { Roster } from '../../src/presence/roster.js'
import type { PresenceDiff, PresenceMember } from '../../src/wire/presence.js'

const TERMS = { channel: 'chat:7', now: 1000, leaseMs: 35_000, maxConnections: 100 }

const enter = (connection: string, id = connection, more: { info?: string; data?: string } = {}) =>
  ({ kind: 'enter', connection, id, ...more }) as const
const leave = (connection: string) => ({ kind: 'leave', connection }) as const
const overdue = (connection: string) => ({ kind: 'overdue', connection }) as const
const update = (connection: string, data?: string) =>
  ({ kind: 'update', connection, data }) as const

/** A roster to which things happen, one batch after another. */
function stage(maxConnections = 100) {
  const roster = new Roster()
  let now = 1000
  return {
    roster,
    happen(...happenings: Happening[]): Plan & { told: PresenceDiff | undefined } {
      const planned = plan(roster, happenings, { ...TERMS, maxConnections, now: now++ })
      roster.apply(planned.fields)
      const told =
        planned.diff === undefined ? undefined : (JSON.parse(planned.diff) as PresenceDiff)
      return { ...planned, told }
    },
    get members() {
      return JSON.parse(roster.json()) as PresenceMember[]
    },
  }
}

t.test('whoever enters is told of, with what its token and it itself say', async (t) => {
  const { happen } = stage()
  const { told, leases, turned } = happen(
    enter('s1', 'alice', { info: '{"name":"Alice"}', data: '{"n":12345678901234567890}' }),
  )
  const member = { id: 'alice', count: 1, since: 1000, info: { name: 'Alice' } }
  t.match(told, { channel: 'chat:7', joined: [member], left: [], updated: [] })
  t.strictSame(leases, [{ member: 's1', ms: 35_000 }])
  t.equal(turned, 'occupied')
})

t.test('numbers keep the digits that they came with', async (t) => {
  const { happen, roster } = stage()
  const { diff } = happen(enter('s1', 's1', { data: '{"n":12345678901234567890}' }))
  t.match(diff, '"data":{"n":12345678901234567890}')
  t.match(roster.json(), '"data":{"n":12345678901234567890}')
})

t.test('coming back changes nothing that anybody could see', async (t) => {
  const { happen } = stage()
  happen(enter('s1', 'alice', { info: '{"a":1}', data: '{"b":2}' }))
  const { fields, diff, leases } = happen(
    enter('s1', 'alice', { info: '{"a":1}', data: '{"b":2}' }),
  )
  t.strictSame([...fields], [])
  t.equal(diff, undefined)
  t.strictSame(leases, [{ member: 's1', ms: 35_000 }])
})

t.test('two tabs are one member, who is there until the last has gone', async (t) => {
  const scene = stage()
  scene.happen(enter('s1', 'alice'))
  t.match(scene.happen(enter('s2', 'alice')).told, {
    joined: [],
    updated: [{ id: 'alice', count: 2, since: 1000 }],
  })
  t.match(scene.happen(leave('s1')).told, {
    left: [],
    updated: [{ id: 'alice', count: 1, since: 1000 }],
  })
  const last = scene.happen(overdue('s2'))
  t.strictSame(last.told?.left, [{ id: 'alice', reason: 'timeout' }])
  t.strictSame(last.overdue, ['s2'])
  t.equal(last.turned, 'vacated')
  t.strictSame(scene.members, [])
})

t.test('of several tabs the one that spoke last speaks for the member', async (t) => {
  const scene = stage()
  scene.happen(enter('s1', 'alice', { data: '{"tab":1}' }))
  scene.happen(enter('s2', 'alice'))
  t.match(scene.members, [{ data: { tab: 1 } }], 'one that says nothing leaves it at that')
  scene.happen(update('s2', '{"tab":2}'))
  t.match(scene.members, [{ data: { tab: 2 } }])
  scene.happen(update('s1', '{"tab":3}'))
  t.match(scene.members, [{ data: { tab: 3 } }])
  scene.happen(leave('s1'))
  t.match(scene.members, [{ data: { tab: 2 } }])
})

t.test('what was said since is not undone by coming back with the old URL', async (t) => {
  const scene = stage()
  scene.happen(enter('s1', 's1', { data: '{"status":"here"}' }))
  scene.happen(update('s1', '{"status":"busy"}'))
  t.equal(scene.happen(enter('s1', 's1', { data: '{"status":"here"}' })).diff, undefined)
  t.match(scene.members, [{ data: { status: 'busy' } }])
  scene.happen(enter('s1', 's1', { data: '{"status":"back"}' }))
  t.match(scene.members, [{ data: { status: 'back' } }], 'another URL is another word')
})

t.test('an update of nobody is answered, and nothing happens', async (t) => {
  const { outcomes, fields, diff } = stage().happen(update('s1', '{}'))
  t.strictSame(outcomes, ['absent'])
  t.equal(fields.size, 0)
  t.equal(diff, undefined)
})

t.test('who comes back in the moment that its time is over stays', async (t) => {
  const scene = stage()
  scene.happen(enter('s1'))
  const { diff, overdue: asked } = scene.happen(overdue('s1'), enter('s1'))
  t.equal(diff, undefined)
  t.strictSame(asked, [])
})

t.test('who comes and goes between two diffs was never there', async (t) => {
  const { told, turned, fields } = stage().happen(enter('s1'), leave('s1'))
  t.equal(told, undefined)
  t.equal(turned, undefined)
  t.equal(fields.size, 0)
})

t.test('what happens at once is told at once', async (t) => {
  const scene = stage()
  scene.happen(enter('a'), enter('b'))
  const { told } = scene.happen(enter('c'), leave('a'), update('b', '{"x":1}'))
  t.match(told?.joined, [{ id: 'c' }])
  t.match(told?.left, [{ id: 'a', reason: 'left' }])
  t.match(told?.updated, [{ id: 'b', data: { x: 1 } }])
})

t.test('a channel that is full counts nobody more, and everybody who comes back', async (t) => {
  const scene = stage(2)
  t.strictSame(scene.happen(enter('a'), enter('b'), enter('c')).outcomes, [
    'present',
    'present',
    'full',
  ])
  t.strictSame(scene.happen(enter('a')).outcomes, ['present'])
  t.strictSame(scene.happen(leave('a'), enter('c')).outcomes, ['gone', 'present'])
})

t.test('a lease without a connection is ended all the same', async (t) => {
  const { leases, overdue: asked } = stage().happen(overdue('s1'))
  t.strictSame(leases, [{ member: 's1', ms: 0 }])
  t.strictSame(asked, ['s1'])
})

t.test('state and diffs are always the same as the roster', async () => {
  const connection = fc.constantFrom('s1', 's2', 's3', 's4', 's5', 's6')
  const data = fc.option(fc.constantFrom('{"x":1}', '{"x":2}'), { nil: undefined })
  const happening: fc.Arbitrary<Happening> = fc.oneof(
    fc.record({ kind: fc.constant('leave' as const), connection }),
    fc.record({ kind: fc.constant('overdue' as const), connection }),
    fc.record({ kind: fc.constant('update' as const), connection, data }),
    fc
      .record({ connection, id: fc.constantFrom('alice', 'bob', 'carol'), data })
      .map((it) => ({ kind: 'enter' as const, ...it })),
  )
  fc.assert(
    fc.property(fc.array(fc.array(happening, { maxLength: 8 }), { maxLength: 20 }), (batches) => {
      const scene = stage(4)
      const document = new Map<string, string>()
      const seen = new Map<string, PresenceMember>()
      for (const batch of batches) {
        const before = seen.size
        const { told, turned, fields } = scene.happen(...batch)
        for (const [name, text] of fields) {
          if (text === null) document.delete(name)
          else document.set(name, text)
        }
        for (const it of told?.joined ?? []) {
          if (seen.has(it.id)) throw new Error(`${it.id} joined twice`)
          seen.set(it.id, it)
        }
        for (const it of told?.updated ?? []) {
          if (!seen.has(it.id)) throw new Error(`${it.id} wasn't there`)
          seen.set(it.id, it)
        }
        for (const { id } of told?.left ?? []) {
          if (!seen.delete(id)) throw new Error(`${id} left twice`)
        }
        const expected =
          before > 0 === seen.size > 0 ? undefined : seen.size > 0 ? 'occupied' : 'vacated'
        if (turned !== expected) throw new Error(`${turned} instead of ${expected}`)
        const sorted = (all: Iterable<PresenceMember>) =>
          JSON.stringify([...all].sort((a, b) => (a.id < b.id ? -1 : 1)))
        if (sorted(seen.values()) !== sorted(scene.members)) throw new Error('another roster')
        const read = JSON.parse(new Roster(document).json()) as PresenceMember[]
        if (sorted(read) !== sorted(scene.members)) throw new Error('another document')
      }
    }),
    { numRuns: 500 },
  )
})
