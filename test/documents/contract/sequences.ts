import type { Documents } from '../../../src/documents/documents.js'
import type { Promised } from '../contract.js'
import { create, LEASE, NAME, said } from '../subject.js'

export function sequences(promised: Promised): void {
  const send = (documents: Documents, version: number, first: number, last = first) =>
    documents.change(NAME, {
      version,
      sequence: { member: 'm', first, last },
      drafts: Array.from({ length: last - first + 1 }, (_, i) => said('1', `k${first + i}`)),
    })

  promised('messages are taken in their order, without a gap', async (t, { one, other, log }) => {
    const { version } = await create(one, { m: LEASE })
    t.same(await send(one, version, 2), { kind: 'sequence', last: 0 })
    t.match(await send(one, version, 1, 3), { kind: 'changed' })
    t.match(await send(other, version, 4), { kind: 'changed' })
    t.same(await send(one, version, 6, 9), { kind: 'sequence', last: 4 })
    t.equal((await log.info(NAME))!.events, 4)
  })

  promised('those taken before may come again, with some that weren’t', async (t, { one, log }) => {
    const { version } = await create(one, { m: LEASE })
    await send(one, version, 1, 3)
    t.match(await send(one, version, 1, 3), { receipts: Array(3).fill({ duplicate: true }) })
    t.match(await send(one, version, 2, 5), { kind: 'changed' })
    t.match(await send(one, version, 1), { kind: 'changed' })
    t.match(await send(one, version, 6), { kind: 'changed' })
    t.equal((await log.info(NAME))!.events, 6)
  })

  promised('numbers are a member’s own, and end with its lease', async (t, { one }) => {
    const { version } = await create(one, { m: LEASE, n: LEASE })
    await send(one, version, 1, 3)
    const other = { member: 'n', first: 2, last: 2 }
    t.same(await one.change(NAME, { version, sequence: other }), { kind: 'sequence', last: 0 })
    await one.change(NAME, { version, leases: [{ member: 'm', ms: 0 }] })
    t.same(await send(one, version, 4), { kind: 'sequence', last: 0 })
  })
}
