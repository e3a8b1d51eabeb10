import type { Promised } from '../shared-contract.js'
import { AWKWARD } from '../shared-subject.js'

const MINUTE = 60_000

export function sessions(promised: Promised): void {
  promised('a session is the first owner’s, on every gateway', async (t, s) => {
    t.equal(await s.one.shared.sessionOwner('session'), undefined)
    t.equal(await s.one.shared.claimSession('session', 'alice', MINUTE), 'alice')
    t.equal(await s.other.shared.claimSession('session', 'bob', MINUTE), 'alice')
    t.equal(await s.other.shared.claimSession('session', 'alice', MINUTE), 'alice')
    t.equal(await s.other.shared.sessionOwner('session'), 'alice')
    t.equal(await s.other.shared.sessionOwner('another'), undefined)
  })

  promised('of many that come at once all hear of one owner', async (t, s) => {
    const owners = await Promise.all(
      Array.from({ length: 40 }, (_, i) => {
        const { shared } = i % 2 === 0 ? s.one : s.other
        return shared.claimSession('session', `owner${i}`, MINUTE)
      }),
    )
    t.equal(new Set(owners).size, 1)
  })

  promised('it is forgotten after its time, and somebody else’s then', async (t, s) => {
    await s.one.shared.claimSession('session', 'alice', 100)
    await s.elapse(100)
    t.equal(await s.one.shared.sessionOwner('session'), undefined)
    t.equal(await s.other.shared.claimSession('session', 'bob', MINUTE), 'bob')
  })

  promised('each claim of its owner makes it last longer, and nobody else’s does', async (t, s) => {
    await s.one.shared.claimSession('kept', 'alice', 1000)
    await s.one.shared.claimSession('left', 'alice', 1000)
    await s.one.shared.claimSession('kept', 'alice', MINUTE)
    await s.one.shared.claimSession('left', 'bob', MINUTE)
    await s.elapse(1000)
    t.equal(await s.other.shared.sessionOwner('kept'), 'alice')
    t.equal(await s.other.shared.sessionOwner('left'), undefined)
  })

  promised('owners may be called anything', async (t, s) => {
    for (const [i, owner] of AWKWARD.entries()) {
      t.equal(await s.one.shared.claimSession(`s${i}`, owner, MINUTE), owner)
      t.equal(await s.other.shared.sessionOwner(`s${i}`), owner)
      const next = AWKWARD[i + 1] ?? 'end'
      t.equal(await s.other.shared.claimSession(`s${i}`, next, MINUTE), owner)
    }
  })
}
