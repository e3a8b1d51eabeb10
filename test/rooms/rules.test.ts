/** The rules of rooms, as plain functions: whatever is done in whatever order, and each refusal. */
import fc from 'fast-check'
import t from 'tap'
import type { EventEntry } from '../../src/log/log.js'
import { type JoinRequest, join, type Plan } from '../../src/rooms/join.js'
import { farewellPlan, leave, type Moment } from '../../src/rooms/leave.js'
import { ownerIn } from '../../src/rooms/owners.js'
import { isPolite, type Participant, type RoomState, readState } from '../../src/rooms/state.js'
import { banned, roomField, updateParticipant, updateRoom } from '../../src/rooms/update.js'
import { COUNTERS } from '../../src/wire/position.js'

const NOW = 1_800_000_000_000

function moment(more: Partial<Moment> = {}): Moment {
  return {
    ...{ now: NOW, away: new Set(), position: { order: NOW * COUNTERS, tag: 1 } },
    ...{ graceMs: 20_000, unsureMs: 200_000, ...more },
  }
}

let incarnations = 0
function wish(session: string, more: Partial<JoinRequest> = {}): JoinRequest {
  const subject = more.subject
  return {
    ...{ id: session, incarnation: `i${++incarnations}`, session, subject },
    ...{ owner: ownerIn('token', subject, session), moderator: false, data: {} },
    muted: { audio: false, video: false },
    ...more,
  }
}

/** A document and what was said about it, without a store. */
function stage() {
  let fields = new Map<string, string>()
  const leases = new Map<string, boolean>()
  const events: { name: string; data: Record<string, unknown> }[] = []
  return {
    events,
    leases,
    get state(): RoomState {
      return readState({ fields })
    },
    apply(plan: Plan | undefined): void {
      fields = new Map(fields)
      for (const [field, value] of Object.entries(plan?.set ?? {})) {
        if (value === null) fields.delete(field)
        else fields.set(field, value)
      }
      for (const { member, ms } of plan?.leases ?? []) {
        if (ms > 0) leases.set(member, true)
        else leases.delete(member)
      }
      if (fields.size === 0) leases.clear()
      for (const { name, data } of plan?.drafts ?? []) events.push({ name, data: JSON.parse(data) })
    },
    join(request: JoinRequest, at = moment()): Participant {
      const joining = join('r', this.state, request, at)
      if (joining.kind === 'join') this.apply(joining.plan)
      if (joining.kind === 'leaving') throw new Error('leaving')
      return joining.participant
    },
  }
}

const code = (run: () => unknown): string => {
  try {
    run()
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}

t.test('who joins later is polite, whatever the clocks of gateways say', async (t) => {
  const room = stage()
  const first = room.join(wish('a'), moment({ now: NOW }))
  const second = room.join(wish('b'), moment({ now: NOW - 5_000 }))
  const third = room.join(wish('c'), moment({ now: NOW }))
  t.ok(isPolite(second, first) && !isPolite(first, second))
  t.ok(isPolite(third, second) && isPolite(third, first))
})

t.test('the same session that asks again is in already', async (t) => {
  const room = stage()
  const first = room.join(wish('a'))
  t.equal(room.join(wish('a')).incarnation, first.incarnation)
  t.equal(
    code(() => room.join(wish('a', { id: 'other' }))),
    'participant_taken',
  )
  t.equal(room.events.length, 1)
})

t.test('somebody’s newer session takes the place of the older one', async (t) => {
  const room = stage()
  const older = room.join(wish('a', { id: 'alice', subject: 'alice' }))
  const newer = room.join(wish('b', { id: 'alice', subject: 'alice' }))
  t.match(room.events.slice(1), [
    { name: 'participant.left', data: { incarnation: older.incarnation, reason: 'replaced' } },
    { name: 'participant.joined', data: { participant: { incarnation: newer.incarnation } } },
  ])
  t.equal(room.state.participants.size, 1)
  t.same([...room.state.farewells.keys()], [older.incarnation])
})

t.test('nobody takes another one’s place', async (t) => {
  const room = stage()
  room.join(wish('a', { id: 'alice', subject: 'alice' }))
  t.equal(
    code(() => room.join(wish('b', { id: 'alice', subject: 'bob' }))),
    'participant_taken',
  )
  t.equal(
    code(() => room.join(wish('c', { id: 'alice' }))),
    'participant_taken',
    'nor the nameless',
  )
  room.join(wish('n1', { id: 'guest' }))
  t.equal(
    code(() => room.join(wish('n2', { id: 'guest' }))),
    'participant_taken',
  )
})

t.test('a locked room lets in its moderators, and those who are in and reload', async (t) => {
  const room = stage()
  room.join(wish('a', { id: 'alice', subject: 'alice' }))
  room.apply(updateRoom('r', room.state, { locked: true, moderators: ['mo'] }, NOW).plan)
  t.equal(
    code(() => room.join(wish('b', { subject: 'bob' }))),
    'room_locked',
  )
  t.equal(
    code(() => room.join(wish('b', { id: 'mo' }))),
    'room_locked',
    'an id proves nothing',
  )
  t.equal(room.join(wish('a2', { id: 'alice', subject: 'alice' })).role, 'participant')
  t.equal(room.join(wish('m', { subject: 'mo' })).role, 'moderator')
})

t.test('that everybody is a moderator opens no door', async (t) => {
  const room = stage()
  const open = (session: string, id: string) =>
    wish(session, { id, owner: ownerIn('open', undefined, session), moderator: true })
  const bob = room.join(open('b', 'bob'))
  t.equal(bob.role, 'moderator')
  const kept = banned(room.state.room!, bob, NOW + 60_000, NOW)
  const plan = leave('r', { ...room.state, room: kept }, [bob], 'kicked', moment())
  room.apply({ ...plan, set: { ...plan.set, ...roomField(kept) } })
  t.equal(
    code(() => room.join(open('b2', 'bob'))),
    'participant_banned',
  )
  room.apply(updateRoom('r', room.state, { locked: true }, NOW).plan)
  t.equal(
    room.join(open('a', 'alice')).role,
    'moderator',
    'into an empty one, where nobody could let them in',
  )
  t.equal(
    code(() => room.join(open('c', 'carl'))),
    'room_locked',
  )
  room.apply(updateRoom('r', room.state, { moderators: ['bob', 'carl'] }, NOW).plan)
  room.join(open('c', 'carl'))
  room.join(open('b2', 'bob'))
  t.same([...room.state.participants.keys()], ['alice', 'carl', 'bob'], 'whom the room names')
})

t.test('whoever is kept out stays out under another id, until it is over', async (t) => {
  const room = stage()
  const bob = room.join(wish('b', { id: 'x', subject: 'bob' }))
  const until = NOW + 60_000
  const kept = banned(room.state.room!, bob, until, NOW)
  const plan = leave('r', { ...room.state, room: kept }, [bob], 'kicked', moment(), 'mo')
  room.apply({ ...plan, set: { ...plan.set, ...roomField(kept) } })
  t.equal(
    code(() => room.join(wish('b2', { id: 'y', subject: 'bob' }))),
    'participant_banned',
  )
  t.equal(
    code(() => room.join(wish('c', { id: 'x', subject: 'carl' }))),
    'ok',
    'not who has the id next',
  )
  const later = moment({ now: until + 1 })
  t.equal(
    code(() => room.join(wish('b3', { id: 'y', subject: 'bob' }), later)),
    'ok',
  )
})

t.test('a session that has just left joins once that is over', async (t) => {
  const room = stage()
  const one = room.join(wish('a'))
  room.join(wish('b'))
  room.apply(leave('r', room.state, [one], 'left', moment()))
  t.match(join('r', room.state, wish('a'), moment()), {
    kind: 'leaving',
    incarnation: one.incarnation,
  })
  const farewell = room.state.farewells.get(one.incarnation)!
  room.apply(farewellPlan('r', room.state, farewell, []))
  t.equal(join('r', room.state, wish('a'), moment()).kind, 'join')
})

t.test(
  'the last one who leaves takes the room along, unless somebody has set its rules',
  async (t) => {
    const plain = stage()
    const only = plain.join(wish('a'))
    plain.apply(leave('r', plain.state, [only], 'left', moment()))
    t.equal(plain.state.room, undefined)
    const kept = stage()
    kept.apply(updateRoom('r', kept.state, { maxParticipants: 5 }, NOW).plan)
    const first = kept.join(wish('a'))
    kept.apply(leave('r', kept.state, [first], 'left', moment()))
    t.equal(kept.state.room?.maxParticipants, 5)
    const last = kept.join(wish('b'))
    kept.apply(leave('r', kept.state, [last], 'closed', moment()))
    t.equal(kept.state.room, undefined, 'closing ends it in any case')
  },
)

// ── what may not have been received ──

function signal(from: Participant, to: Participant, messageId: string, ms: number): EventEntry {
  const data = { fromIncarnation: from.incarnation, messageId, to: to.id, data: 'sdp' }
  const place = { order: ms * COUNTERS, tag: 1, prev: 0, channel: 'inbox', sender: undefined }
  return { kind: 'event', ...place, name: 'signal.offer', data: JSON.stringify(data) }
}

function expiredBy(
  reason: 'left' | 'timeout',
  away: boolean,
  more: Partial<Moment> = {},
): string[] {
  const room = stage()
  const sender = room.join(wish('s'))
  const to = room.join(wish('t'))
  const gone = room.join(wish('g'))
  room.apply(leave('r', room.state, [gone], 'left', moment()))
  const at = moment({ ...(away && { away: new Set([to.incarnation]) }), ...more })
  room.apply(leave('r', room.state, [to], reason, at))
  const farewell = room.state.farewells.get(to.incarnation)!
  const inbox = [
    signal(sender, to, 'long ago', NOW - 500_000),
    signal(sender, to, 'in doubt', NOW - 100_000),
    signal(sender, to, 'just now', NOW - 1_000),
    signal(gone, to, 'of somebody who is gone', NOW - 1_000),
    { ...signal(sender, to, '', NOW), name: 'participant.mute', data: '{"kinds":["audio"]}' },
  ]
  const plan = farewellPlan('r', room.state, farewell, inbox)
  t.same(plan.deletes, [`inbox:r:${to.incarnation}`])
  return plan.drafts!.map(({ channel, name, data }) => {
    t.same([channel, name], [`inbox:r:${sender.incarnation}`, 'signal.expired'])
    return JSON.parse(data).messageId
  })
}

t.test('senders are told of what somebody who was cut off may not have got', async (t) => {
  t.same(expiredBy('timeout', true), ['in doubt', 'just now'])
})

t.test('of what was on its way to somebody who left on a live stream', async (t) => {
  t.same(expiredBy('left', false), ['just now'])
})

t.test('of everything in doubt where somebody leaves without a stream', async (t) => {
  t.same(expiredBy('left', true), ['in doubt', 'just now'])
})

t.test('of all there is where nobody knows how long ago it was', async (t) => {
  const unsureMs = Number.POSITIVE_INFINITY
  t.same(expiredBy('timeout', true, { unsureMs }), ['long ago', 'in doubt', 'just now'])
})

// ── changes ──

t.test('one’s own data and mute are one’s own; others are asked', async (t) => {
  const room = stage()
  const alice = room.join(wish('a', { subject: 'alice' }))
  const bob = room.join(wish('b', { subject: 'bob' }))
  const as = (self: Participant | undefined, moderator: boolean) => ({
    self,
    moderator,
    by: self?.id,
  })
  const change = updateParticipant
  t.equal(change('r', alice, { hand: true }, as(alice, false)).value.hand, true)
  t.equal(change('r', alice, { hand: false }, as(alice, false)).plan, undefined, 'nothing changes')
  t.match(change('r', alice, { muted: { audio: true } }, as(alice, false)).value.muted, {
    audio: true,
    video: false,
  })
  for (const patch of [{ data: {} }, { muted: { audio: true } }, { hand: true }]) {
    t.equal(
      code(() => change('r', alice, patch, as(bob, true))),
      'forbidden',
    )
  }
  for (const patch of [{ hand: false }, { role: 'moderator' }, { mute: ['audio'] }] as const) {
    t.equal(
      code(() => change('r', alice, patch, as(bob, false))),
      'forbidden',
    )
    t.equal(
      code(() => change('r', { ...alice, hand: true }, patch, as(bob, true))),
      'ok',
    )
  }
  t.equal(
    code(() => change('r', alice, { role: 'moderator' }, as(alice, false))),
    'forbidden',
  )
  const asked = change('r', alice, { mute: ['video'] }, as(bob, true)).plan
  t.equal(asked?.set, undefined)
  t.match(asked?.drafts, [
    {
      channel: `inbox:r:${alice.incarnation}`,
      name: 'participant.mute',
      data: '{"kinds":["video"],"by":"b"}',
    },
  ])
})

t.test(
  'naming moderators raises those who are in, and no longer naming them takes it back',
  async (t) => {
    const room = stage()
    const alice = room.join(wish('a', { subject: 'alice' }))
    room.join(wish('n', { id: 'guest' }))
    const roles = () => [...room.state.participants.values()].map(({ role }) => role)
    room.apply(updateRoom('r', room.state, { moderators: ['alice', 'guest'] }, NOW).plan)
    t.same(roles(), ['moderator', 'moderator'])
    room.apply(updateRoom('r', room.state, { moderators: [alice.subject!] }, NOW).plan)
    t.same(roles(), ['moderator', 'participant'])
    t.equal(updateRoom('r', room.state, { moderators: ['alice'] }, NOW).plan, undefined)
  },
)

// ── in any order ──

const SESSIONS = ['s1', 's2', 's3', 's4', 's5', 's6']
const step = fc.oneof(
  fc.record({
    do: fc.constant('join' as const),
    session: fc.constantFrom(...SESSIONS),
    subject: fc.constantFrom('alice', 'bob', 'carl', undefined),
    id: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    clock: fc.integer({ min: -10, max: 10 }),
  }),
  fc.record({
    do: fc.constant('leave' as const),
    id: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    reason: fc.constantFrom('left' as const, 'timeout' as const, 'kicked' as const),
  }),
  fc.record({ do: fc.constant('close' as const) }),
  fc.record({ do: fc.constant('farewell' as const), which: fc.nat(5) }),
  fc.record({
    do: fc.constant('configure' as const),
    patch: fc.record(
      {
        locked: fc.boolean(),
        maxParticipants: fc.option(fc.integer({ min: 1, max: 3 })),
        moderators: fc.subarray(['alice', 'bob', 'p1']),
      },
      { requiredKeys: [] },
    ),
  }),
  fc.record({
    do: fc.constant('update' as const),
    id: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    patch: fc.record({ hand: fc.boolean(), data: fc.dictionary(fc.string(), fc.integer()) }),
  }),
)

t.test('whatever happens, the events tell who is in, and everybody has one end', async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const room = stage()
      for (const [i, one] of steps.entries()) {
        const before = room.state
        const at = moment({ now: NOW + i })
        if (one.do === 'join') {
          const { session, subject, id, clock } = one
          const late = { ...at, now: at.now + clock }
          try {
            const joining = join('r', before, wish(session, { subject, id }), late)
            if (joining.kind === 'join') room.apply(joining.plan)
          } catch (error) {
            // Refused: nothing changes.
            if (!('code' in (error as object))) throw error
          }
        } else if (one.do === 'leave') {
          const who = before.participants.get(one.id)
          if (who !== undefined) room.apply(leave('r', before, [who], one.reason, at))
        } else if (one.do === 'close') {
          const who = [...before.participants.values()]
          if (before.room !== undefined) room.apply(leave('r', before, who, 'closed', at))
        } else if (one.do === 'farewell') {
          const farewell = [...before.farewells.values()][one.which]
          if (farewell !== undefined) room.apply(farewellPlan('r', before, farewell, []))
        } else if (one.do === 'configure') {
          room.apply(updateRoom('r', before, one.patch as object, at.now).plan)
        } else {
          const who = before.participants.get(one.id)
          const self = { self: who, moderator: false, by: one.id }
          if (who !== undefined) {
            room.apply(updateParticipant('r', who, one.patch, self).plan)
          }
        }
        judge(room, before)
      }
    }),
    { numRuns: 500 },
  )
})

function judge(room: ReturnType<typeof stage>, before: RoomState): void {
  const { state } = room
  const all = [...state.participants.values()]
  const told = new Map<string, string>()
  const ended = new Set<unknown>()
  for (const { name, data } of room.events) {
    const participant = data.participant as { id: string; incarnation: string } | undefined
    if (participant !== undefined) told.set(participant.id, JSON.stringify(participant))
    if (name !== 'participant.left') continue
    if (ended.has(data.incarnation)) throw new Error('left twice')
    ended.add(data.incarnation)
    told.delete(data.id as string)
  }
  const shown = all.map(({ owner, session, subject, ...rest }) =>
    subject === undefined ? rest : { ...rest, sender: subject },
  )
  const same = (a: object, b: object) =>
    JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())
  if (shown.length !== told.size) throw new Error('the events tell of others')
  for (const one of shown) {
    if (!same(one, JSON.parse(told.get(one.id)!)))
      throw new Error('the events tell of another state')
    if (!room.leases.has(one.incarnation)) throw new Error('nobody would find it gone')
  }
  if (new Set(all.map(({ session }) => session)).size !== all.length) {
    throw new Error('a session takes part twice')
  }
  const cap = state.room?.maxParticipants
  const grown = all.length > before.participants.size
  if (cap && grown && all.length > cap) throw new Error('more than it may hold')
  if (all.length > 0 && state.room === undefined) throw new Error('participants of no room')
  for (const [i, later] of all.entries()) {
    for (const earlier of all.slice(0, i)) {
      if (!isPolite(later, earlier) || isPolite(earlier, later)) throw new Error('both or none')
    }
  }
  for (const farewell of state.farewells.keys()) {
    if (!room.leases.has(`out ${farewell}`)) throw new Error('nobody would finish the goodbye')
  }
}
