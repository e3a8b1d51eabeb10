import type { RevocationKind, Shared } from '../../../src/auth/shared.js'
import type { Promised } from '../shared-contract.js'
import { AWKWARD } from '../shared-subject.js'

const HOUR = 3_600_000

const revoke = (shared: Shared, kind: RevocationKind, value: string, until: number) =>
  shared.revoke({ kind, value, until })

export function revocations(promised: Promised): void {
  promised('at the start everybody hears that nobody is kept out', async (t, s) => {
    t.same(s.one.heard.lists, [[]])
    t.same(s.other.heard.lists, [[]])
  })

  promised('whoever is revoked is on all gateways’ lists', async (t, s) => {
    const until = s.now() + HOUR
    await revoke(s.one.shared, 'subject', 'alice', until)
    t.match(s.one.heard.lists.at(-1), [{ kind: 'subject', value: 'alice', until }], 'at once here')
    await revoke(s.other.shared, 'jti', 'j1', until)
    for (const { heard } of [s.one, s.other]) {
      await heard.until(() => heard.values().length === 2)
      t.same(
        heard.lists
          .at(-1)!
          .map(({ kind, value, until }) => ({ kind, value, until }))
          .sort((a, b) => (a.kind < b.kind ? -1 : 1)),
        [
          { kind: 'jti', value: 'j1', until },
          { kind: 'subject', value: 'alice', until },
        ],
      )
    }
  })

  promised('one that is taken back is on none', async (t, s) => {
    await revoke(s.one.shared, 'session', 'a', s.now() + HOUR)
    await revoke(s.one.shared, 'session', 'b', s.now() + HOUR)
    await s.other.heard.until(() => s.other.heard.values().length === 2)
    await revoke(s.other.shared, 'session', 'a', 0)
    t.same(s.other.heard.values(), ['b'])
    await s.one.heard.until(() => s.one.heard.values().join() === 'b')
    t.same(s.one.heard.values(), ['b'])
  })

  promised('to take back what nobody said changes nothing', async (t, s) => {
    await revoke(s.one.shared, 'subject', 'alice', 0)
    await revoke(s.one.shared, 'subject', 'bob', s.now() + HOUR)
    t.same(s.one.heard.values(), ['bob'])
  })

  promised('the last word counts, and is later than all before it', async (t, s) => {
    const ends = [3, 1, 2].map((hours) => s.now() + hours * HOUR)
    const times: number[] = []
    for (const [i, until] of ends.entries()) {
      const { shared, heard } = i % 2 === 0 ? s.one : s.other
      await revoke(shared, 'subject', 'alice', until)
      t.match(heard.lists.at(-1), [{ until }])
      times.push(heard.lists.at(-1)![0]!.at)
    }
    t.same(
      times,
      times.toSorted((a, b) => a - b),
    )
    t.equal(new Set(times).size, times.length)
    for (const { heard } of [s.one, s.other]) {
      await heard.until(() => heard.lists.at(-1)?.[0]?.at === times.at(-1))
    }
  })

  promised('kinds don’t mix', async (t, s) => {
    await revoke(s.one.shared, 'subject', 'x', s.now() + HOUR)
    await revoke(s.one.shared, 'session', 'x', s.now() + HOUR)
    await revoke(s.one.shared, 'subject', 'x', 0)
    t.match(s.one.heard.lists.at(-1), [{ kind: 'session', value: 'x' }])
  })

  promised('one that has ended is listed no more', async (t, s) => {
    await revoke(s.one.shared, 'subject', 'short', s.now() + 100)
    await s.elapse(100)
    await revoke(s.one.shared, 'subject', 'long', s.now() + HOUR)
    t.same(s.one.heard.values(), ['long'])
    await s.other.heard.until(() => s.other.heard.values().join() === 'long')
  })

  promised('one without an end is one like the others', async (t, s) => {
    await revoke(s.one.shared, 'subject', 'alice', Infinity)
    await s.other.heard.until(() => s.other.heard.values().length === 1)
    t.ok(s.other.heard.lists.at(-1)![0]!.until > s.now() + 1000 * 365 * 24 * HOUR)
  })

  promised('values may be called anything', async (t, s) => {
    for (const value of AWKWARD) await revoke(s.one.shared, 'subject', value, s.now() + HOUR)
    for (const { heard } of [s.one, s.other]) {
      await heard.until(() => heard.values().length === AWKWARD.length)
      t.same(heard.values().toSorted(), AWKWARD.toSorted())
    }
  })
}
