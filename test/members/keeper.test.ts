/** Who lives here, and who is found to live nowhere, by a clock of the test's own. */
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Documents, Renewal } from '../../src/documents/documents.js'
import { createMemoryDocuments } from '../../src/documents/memory.js'
import { createMemoryLog } from '../../src/log/memory.js'
import { silentLogger } from '../../src/logger.js'
import { createKeeper } from '../../src/members/keeper.js'
import { SluiceError } from '../../src/wire/errors.js'
import { createClock } from '../auth/support/clock.js'
import { applied, create, NAME } from '../documents/subject.js'
import { retentionFor } from '../log/subject.js'

const LEASE = 15_000
const GRACE = 20_000
const BEAT = 1000

/** A store of documents, and gateways that keep members in it. */
function stage(t: Test) {
  const clock = createClock()
  const { now } = clock
  const inner = createMemoryDocuments(createMemoryLog({ retentionFor, now }), { now })
  const renewals: (readonly Renewal[])[] = []
  let away = false
  const unavailable = async () => {
    throw new SluiceError('log_unavailable')
  }
  const documents: Documents = {
    ...inner,
    async renew(some) {
      if (away) return unavailable()
      const standings = await inner.renew(some)
      renewals.push(some)
      return standings
    },
    async overdue(limit, claimMs) {
      if (away) return unavailable()
      return inner.overdue(limit, claimMs)
    },
  }

  function gateway(remove = true) {
    const keeper = createKeeper({ documents, logger: silentLogger, graceMs: GRACE, ...clock })
    const gone: string[] = []
    const lost: string[] = []
    keeper.own('room:', {
      async overdue(name, member) {
        gone.push(member)
        if (!remove) throw new Error('no')
        const { version } = await inner.read(name)
        await inner.change(name, {
          ...{ version, set: { [member]: null }, overdue: [member] },
          leases: [{ member, ms: 0 }],
        })
      },
      lost: (_name, member) => void lost.push(member),
    })
    keeper.start()
    t.teardown(() => keeper.stop())
    return { keeper, gone, lost }
  }

  const isAway = async (member: string) => (await inner.read(NAME)).away.has(member)
  return {
    ...{ clock, documents: inner, renewals, gateway, isAway, live: LEASE + GRACE },
    /** What was said in this turn is told at its end; a store in memory is done with it in the same one. */
    told: () => turn(),
    /** Lets time pass beat by beat, as it does. */
    async elapse(ms: number) {
      for (let passed = 0; passed < ms; passed += BEAT) {
        clock.advance(Math.min(BEAT, ms - passed))
        await turn()
      }
    },
    out(now: boolean) {
      away = now
    },
  }
}

t.test('who is held lives, however long', async (t) => {
  const s = stage(t)
  const { keeper, gone, lost } = s.gateway()
  await create(s.documents, { m: keeper.liveMs })
  keeper.hold(NAME, 'm')
  await s.elapse(4 * s.live)
  t.same([gone, lost], [[], []])
  t.equal(keeper.held, 1)
})

t.test('who is released is away, and gone after the grace', async (t) => {
  const s = stage(t)
  const { keeper, gone } = s.gateway()
  await create(s.documents, { m: keeper.liveMs })
  const release = keeper.hold(NAME, 'm')
  await s.told()
  t.equal(await s.isAway('m'), false)
  release()
  release()
  await s.told()
  t.equal(await s.isAway('m'), true)
  await s.elapse(GRACE - BEAT)
  t.same(gone, [])
  await s.elapse(BEAT)
  t.same(gone, ['m'])
  await s.elapse(s.live)
  t.same(gone, ['m'], 'once')
})

t.test('who comes back within the grace was never gone', async (t) => {
  const s = stage(t)
  const one = s.gateway()
  const other = s.gateway()
  await create(s.documents, { m: s.live })
  one.keeper.hold(NAME, 'm')()
  await s.told()
  t.equal(await s.isAway('m'), true)
  await s.elapse(GRACE - BEAT)
  other.keeper.hold(NAME, 'm')
  await s.told()
  t.equal(await s.isAway('m'), false)
  await s.elapse(2 * s.live)
  t.same([one.gone, other.gone], [[], []])
})

t.test('who has moved to another gateway isn’t away when the first one lets go', async (t) => {
  const s = stage(t)
  const [one, other] = [s.gateway(), s.gateway()]
  await create(s.documents, { m: s.live })
  const release = one.keeper.hold(NAME, 'm')
  await s.told()
  const leave = other.keeper.hold(NAME, 'm')
  await s.elapse(LEASE)
  release()
  await s.told()
  t.equal(await s.isAway('m'), false)
  leave()
  await s.told()
  t.equal(await s.isAway('m'), true)
})

t.test('who is held twice is away when both have let go', async (t) => {
  const s = stage(t)
  const { keeper } = s.gateway()
  await create(s.documents, { m: s.live })
  const first = keeper.hold(NAME, 'm')
  const second = keeper.hold(NAME, 'm')
  first()
  await s.told()
  t.equal(await s.isAway('m'), false)
  second()
  await s.told()
  t.equal(await s.isAway('m'), true)
})

t.test('of a hold and a release in one turn the last one counts', async (t) => {
  const s = stage(t)
  const { keeper } = s.gateway()
  await create(s.documents, { m: s.live })
  keeper.hold(NAME, 'm')()
  keeper.hold(NAME, 'm')
  await s.told()
  t.equal(await s.isAway('m'), false)
  t.equal(s.renewals.length, 1)
})

t.test('all that are held here are renewed in one call', async (t) => {
  const s = stage(t)
  const { keeper } = s.gateway()
  const members = Array.from({ length: 100 }, (_, i) => `m${i}`)
  await create(s.documents, Object.fromEntries(members.map((it) => [it, s.live])))
  for (const member of members) keeper.hold(NAME, member)
  await s.told()
  await s.elapse(LEASE)
  t.same(
    s.renewals.map(({ length }) => length),
    [100, 100, 100, 100],
  )
})

t.test('whose lease went is told to the owner, and let go', async (t) => {
  const s = stage(t)
  const { keeper, lost } = s.gateway()
  const { version } = await create(s.documents, { m: s.live, other: s.live })
  const release = keeper.hold(NAME, 'm')
  keeper.hold(NAME, 'other')
  await s.told()
  await s.documents.change(NAME, { version, leases: [{ member: 'm', ms: 0 }] })
  await s.elapse(LEASE)
  t.same(lost, ['m'])
  t.equal(keeper.held, 1)
  release()
  await s.elapse(LEASE)
  t.same(lost, ['m'])
})

t.test('the members of a gateway that died are found by another', async (t) => {
  const s = stage(t)
  await create(s.documents, { m: s.live, n: s.live })
  const { gone } = s.gateway()
  const { gone: alsoGone } = s.gateway()
  await s.elapse(s.live - BEAT)
  t.same([...gone, ...alsoGone], [])
  await s.elapse(BEAT)
  t.same([...gone, ...alsoGone].toSorted(), ['m', 'n'])
})

t.test('one that could not be removed is found again', async (t) => {
  const s = stage(t)
  const { gone } = s.gateway(false)
  await create(s.documents, { m: 1 })
  await s.elapse(7 * BEAT)
  t.same(gone, ['m', 'm'])
})

t.test('more than one look can carry are gone at once all the same', async (t) => {
  const s = stage(t)
  const { gone } = s.gateway()
  const members = Array.from({ length: 500 }, (_, i) => `m${i}`)
  await create(s.documents, Object.fromEntries(members.map((it) => [it, 1])))
  await s.elapse(2 * BEAT)
  t.equal(gone.length, 500)
})

t.test('after an outage nobody is gone before all could say who lives', async (t) => {
  const s = stage(t)
  const here = s.gateway()
  const there = s.gateway()
  applied(await create(s.documents, { here: s.live, there: s.live, dead: s.live }))
  here.keeper.hold(NAME, 'here')
  await s.told()
  there.keeper.hold(NAME, 'there')
  await s.told()
  s.out(true)
  await s.elapse(3 * s.live)
  s.out(false)
  await s.elapse(s.live)
  t.same([...here.gone, ...there.gone], ['dead'])
  t.same([here.lost, there.lost], [[], []])
})

t.test('a process that slept finds none of its own overdue', async (t) => {
  const s = stage(t)
  const { keeper, gone, lost } = s.gateway()
  await create(s.documents, { m: s.live })
  keeper.hold(NAME, 'm')
  await s.told()
  s.clock.advance(3 * s.live)
  await s.elapse(2 * BEAT)
  t.same([gone, lost], [[], []])
})

t.test('at a drain all that are here go into grace at once, and nobody is dropped', async (t) => {
  const s = stage(t)
  const one = s.gateway()
  await create(s.documents, { m: s.live, n: s.live })
  const release = one.keeper.hold(NAME, 'm')
  one.keeper.hold(NAME, 'n')
  await one.keeper.stop()
  t.same([await s.isAway('m'), await s.isAway('n')], [true, true])
  release()
  const other = s.gateway()
  other.keeper.hold(NAME, 'n')
  await s.elapse(GRACE)
  t.same(other.gone, ['m'])
  t.same(one.gone, [])
})
