import type { Promised } from '../shared-contract.js'

const MINUTE = 60_000

export function tickets(promised: Promised): void {
  promised(
    'a ticket is the first session’s that comes, on any gateway, and again',
    async (t, s) => {
      const now = s.now()
      await s.one.shared.issueTicket('id', 'record', now + MINUTE, now + 2 * MINUTE)
      const redeemed = { kind: 'redeemed', record: 'record' }
      t.same(await s.other.shared.redeemTicket('id', 'mine'), redeemed)
      t.same(await s.one.shared.redeemTicket('id', 'mine'), redeemed)
      t.same(await s.one.shared.redeemTicket('id', 'theirs'), { kind: 'taken' })
      t.same(await s.other.shared.redeemTicket('id', 'theirs'), { kind: 'taken' })
      t.same(await s.other.shared.redeemTicket('id', 'mine'), redeemed)
    },
  )

  promised('of many sessions that come at once one gets it', async (t, s) => {
    await s.one.shared.issueTicket('id', 'record', s.now() + MINUTE, s.now() + MINUTE)
    const kinds = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const { shared } = i % 2 === 0 ? s.one : s.other
        return (await shared.redeemTicket('id', `s${i}`)).kind
      }),
    )
    t.equal(kinds.filter((kind) => kind === 'redeemed').length, 1)
    t.equal(kinds.filter((kind) => kind === 'taken').length, 39)
  })

  promised('one that was never issued is unknown', async (t, s) => {
    await s.one.shared.issueTicket('id', 'record', s.now() + MINUTE, s.now() + MINUTE)
    t.same(await s.one.shared.redeemTicket('another', 'mine'), { kind: 'unknown' })
  })

  promised('one that nobody redeemed in time is gone', async (t, s) => {
    const now = s.now()
    await s.one.shared.issueTicket('id', 'record', now + 100, now + MINUTE)
    await s.elapse(100)
    t.same(await s.other.shared.redeemTicket('id', 'mine'), { kind: 'unknown' })
  })

  promised('a redeemed one lives on after that, until its own end', async (t, s) => {
    const now = s.now()
    await s.one.shared.issueTicket('long', 'a', now + 1000, now + MINUTE)
    await s.one.shared.issueTicket('short', 'b', now + 1000, now + 1500)
    t.same(await s.one.shared.redeemTicket('long', 'mine'), { kind: 'redeemed', record: 'a' })
    t.same(await s.one.shared.redeemTicket('short', 'mine'), { kind: 'redeemed', record: 'b' })
    await s.elapse(1500)
    t.same(await s.other.shared.redeemTicket('long', 'mine'), { kind: 'redeemed', record: 'a' })
    t.same(await s.other.shared.redeemTicket('short', 'mine'), { kind: 'unknown' })
  })

  promised('one whose token ends before it must be redeemed ends with the token', async (t, s) => {
    const now = s.now()
    await s.one.shared.issueTicket('id', 'record', now + MINUTE, now + 100)
    await s.elapse(100)
    t.same(await s.one.shared.redeemTicket('id', 'mine'), { kind: 'unknown' })
  })

  promised('one that is over when it is issued is unknown', async (t, s) => {
    const now = s.now()
    await s.one.shared.issueTicket('late', 'record', now - 1, now + MINUTE)
    await s.one.shared.issueTicket('over', 'record', now + MINUTE, now - 1)
    t.same(await s.one.shared.redeemTicket('late', 'mine'), { kind: 'unknown' })
    t.same(await s.one.shared.redeemTicket('over', 'mine'), { kind: 'unknown' })
  })

  promised('one of a caller that never expires is kept all the same', async (t, s) => {
    await s.one.shared.issueTicket('id', 'record', s.now() + MINUTE, Infinity)
    t.same(await s.one.shared.redeemTicket('id', 'mine'), { kind: 'redeemed', record: 'record' })
  })

  promised('one that is issued again is a new one', async (t, s) => {
    const now = s.now()
    await s.one.shared.issueTicket('id', 'old', now + MINUTE, now + MINUTE)
    await s.one.shared.redeemTicket('id', 'theirs')
    await s.other.shared.issueTicket('id', 'new', now + MINUTE, now + MINUTE)
    t.same(await s.one.shared.redeemTicket('id', 'mine'), { kind: 'redeemed', record: 'new' })
    t.same(await s.one.shared.redeemTicket('id', 'theirs'), { kind: 'taken' })
  })

  promised('a record comes back as it was', async (t, s) => {
    for (const [i, record] of [
      '',
      '\n',
      '\0\u001f\u001e',
      '{"a":"ä\u{1f600}"}',
      '%s 1',
    ].entries()) {
      await s.one.shared.issueTicket(`r${i}`, record, s.now() + MINUTE, s.now() + MINUTE)
      t.same(await s.other.shared.redeemTicket(`r${i}`, 'mine'), { kind: 'redeemed', record })
    }
  })
}
