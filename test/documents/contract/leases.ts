import type { Promised } from '../contract.js'
import { applied, CLAIM, create, LEASE, NAME, SHORT } from '../subject.js'

const away = (members: ReadonlySet<string>) => [...members].toSorted()

export function leases(promised: Promised): void {
  promised('a member is renewed while it has a lease', async (t, { one, other }) => {
    await create(one, { m: LEASE })
    const ask = (member: string) => ({ name: NAME, member, ms: LEASE })
    t.same(await other.renew([ask('m'), ask('n'), ask('m')]), ['held', 'lost', 'held'])
    t.same(await one.renew([]), [])
  })

  promised('a lease that is over is found, once for as long as it is claimed', async (t, s) => {
    await create(s.one, { short: SHORT, 'long one': LEASE })
    t.same(await s.one.overdue(10, CLAIM), [])
    await s.elapse(SHORT)
    const found = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? s.one : s.other).overdue(10, SHORT)),
    )
    t.same(found.flat(), [{ name: NAME, member: 'short' }])
    await s.elapse(SHORT)
    t.same(await s.other.overdue(10, CLAIM), [{ name: NAME, member: 'short' }], 'nobody removed it')
  })

  promised('no more are found than asked for, and none is left out', async (t, s) => {
    const members = Array.from({ length: 20 }, (_, i) => `m${i}`)
    for (const i of [0, 1, 2, 3]) {
      await create(s.one, Object.fromEntries(members.map((it) => [it, SHORT])), `room:${i}`)
    }
    await s.elapse(SHORT)
    const found = new Set<string>()
    for (const count of [30, 30, 20, 0]) {
      const some = await s.one.overdue(30, CLAIM)
      t.equal(some.length, count)
      for (const { name, member } of some) found.add(`${name} ${member}`)
    }
    t.equal(found.size, 80)
  })

  promised('a member that is overdue is removed once', async (t, { one, other, elapse }) => {
    const { version } = await create(one, { m: SHORT })
    await elapse(SHORT)
    const remove = { version, set: { m: 'gone' }, overdue: ['m'], leases: [{ member: 'm', ms: 0 }] }
    const answers = await Promise.all([one.change(NAME, remove), other.change(NAME, remove)])
    t.same(answers.map(({ kind }) => kind).toSorted(), ['changed', 'conflict'])
    t.same(await one.overdue(10, CLAIM), [])
    t.same(await one.renew([{ name: NAME, member: 'm', ms: LEASE }]), ['lost'])
  })

  promised('one that lives isn’t', async (t, { one, other, elapse }) => {
    const { version } = await create(one, { m: SHORT })
    await elapse(SHORT)
    t.equal((await one.overdue(10, CLAIM)).length, 1)
    t.same(await other.renew([{ name: NAME, member: 'm', ms: LEASE }]), ['held'])
    const remove = { version, set: { m: 'gone' }, overdue: ['m'], drafts: [] }
    t.same(await one.change(NAME, remove), { kind: 'alive' })
    t.equal((await one.read(NAME)).version, version)
  })

  promised('one that has no lease is as good as overdue', async (t, { one }) => {
    const { version } = await create(one)
    t.match(await one.change(NAME, { version, set: { m: '1' }, overdue: ['m'] }), {
      kind: 'changed',
    })
  })

  promised('who is away is told, by reading and to whoever asks', async (t, { one, other }) => {
    const { version } = await create(one, { here: LEASE, gone: LEASE })
    await other.renew([{ name: NAME, member: 'gone', ms: LEASE, away: true }])
    const document = await one.read(NAME)
    t.same(away(document.away), ['gone'])
    t.equal(document.version, version)
    const ask = ['nobody', 'here', 'gone']
    t.same(away(applied(await one.change(NAME, { version, ask })).away), ['gone'])
    const leases = [
      { member: 'here', ms: LEASE, away: true },
      { member: 'gone', ms: LEASE },
    ]
    t.same(away(applied(await one.change(NAME, { version, leases, ask })).away), ['here'])
    t.same(away((await other.read(NAME)).away), ['here'])
  })

  promised('of one that is elsewhere by now nobody’s word counts that it is away', async (t, s) => {
    const { version } = await create(s.one, { m: LEASE })
    const say = async (documents: typeof s.one, more: object) => {
      t.same(await documents.renew([{ name: NAME, member: 'm', ms: LEASE, ...more }]), ['held'])
      return away((await s.one.read(NAME)).away)
    }
    t.same(await say(s.one, { by: 'one', away: true }), ['m'], 'nobody has it')
    t.same(await say(s.one, { by: 'one' }), [])
    t.same(await say(s.other, { by: 'other' }), [])
    t.same(await say(s.one, {}), [], 'it lives, says another one')
    t.same(await say(s.one, { by: 'one', away: true }), [])
    const ask = ['m']
    t.same(away(applied(await s.one.change(NAME, { version, ask })).away), [])
    t.same(await say(s.other, { by: 'other', away: true }), ['m'])
    t.same(away(applied(await s.one.change(NAME, { version, ask })).away), ['m'])
    t.same(await say(s.one, {}), [])
    t.same(await say(s.one, { away: true }), ['m'], 'no matter whose')
  })

  promised(
    'a lease that was put off by nobody who counts ends when it would have',
    async (t, s) => {
      await create(s.one, { m: LEASE })
      await s.other.renew([{ name: NAME, member: 'm', ms: SHORT, by: 'other' }])
      await s.one.renew([{ name: NAME, member: 'm', ms: LEASE, away: true, by: 'one' }])
      await s.elapse(SHORT)
      t.same(await s.one.overdue(10, CLAIM), [{ name: NAME, member: 'm' }])
    },
  )

  promised('leases go with their document', async (t, { one, elapse }) => {
    const { version } = await create(one, { a: SHORT, b: SHORT })
    await one.change(NAME, { version, set: { topic: null } })
    await elapse(SHORT)
    t.same(await one.overdue(10, CLAIM), [])
  })

  promised('a thousand renewals are answered in their order', async (t, { one }) => {
    const members = Array.from({ length: 1000 }, (_, i) => `m${i}`)
    const held = members.filter((_, i) => i % 3 === 0)
    for (const name of ['room:a', 'room:b']) {
      await create(one, Object.fromEntries(held.map((it) => [it, LEASE])), name)
    }
    const renewals = members.map((member, i) => {
      return { name: i % 2 === 0 ? 'room:a' : 'room:b', member, ms: LEASE }
    })
    t.same(
      await one.renew(renewals),
      members.map((_, i) => (i % 3 === 0 ? 'held' : 'lost')),
    )
  })
}
