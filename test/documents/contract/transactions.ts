import type { Document } from '../../../src/documents/documents.js'
import { createTransactions, type Step } from '../../../src/documents/transact.js'
import { dataOf, everything } from '../../log/subject.js'
import type { Promised } from '../contract.js'
import { create, fieldsOf, NAME, said } from '../subject.js'

/** Counts up in a field, and says so. */
const count = ({ fields }: Document) => {
  const n = Number(fields.get('n') ?? 0) + 1
  return { change: { set: { n: String(n) }, drafts: [said(String(n))] }, answer: () => n }
}

export function transactions(promised: Promised): void {
  const LOT = 200

  promised('no step is lost, however many come at once on however many gateways', async (t, s) => {
    const gateways = [createTransactions(s.one), createTransactions(s.other)]
    const results = await Promise.all(
      Array.from({ length: LOT }, (_, i) => gateways[i % 2]!.transact(NAME, count)),
    )
    const expected = Array.from({ length: LOT }, (_, i) => i + 1)
    t.same(
      results.toSorted((a, b) => a - b),
      expected,
    )
    t.same(dataOf((await everything(s.log, NAME)).entries), expected.map(String))
  })

  promised('an end is judged by what is, not by what was', async (t, { one, other }) => {
    const here = createTransactions(one)
    await here.transact(NAME, count)
    const { version } = await other.read(NAME)
    await other.change(NAME, { version, set: { n: '10' } })
    t.equal(await here.transact(NAME, ({ fields }) => ({ end: fields.get('n') })), '10')
  })

  promised('and by what those before it make of it', async (t, { one }) => {
    const { transact } = createTransactions(one)
    const join = (document: Document): Step<string> => {
      return document.fields.get('n') === '3'
        ? { end: 'full' }
        : { ...count(document), answer: String }
    }
    const results = await Promise.all(Array.from({ length: 6 }, () => transact(NAME, join)))
    t.same(
      results.map((it) => it === 'full'),
      [false, false, false, true, true, true],
    )
  })

  promised('each answer’s position is that of its own change', async (t, { one, log }) => {
    const { transact } = createTransactions(one)
    const positions = await Promise.all(
      Array.from({ length: 20 }, () =>
        transact(NAME, (document) => ({
          ...count(document),
          answer: (outcome) => (outcome.kind === 'changed' ? outcome.position.order : 0),
        })),
      ),
    )
    const { entries } = await everything(log, NAME)
    t.same(
      positions,
      entries.map(({ order }) => order),
    )
  })

  promised('a step that is refused harms none of the others', async (t, { one }) => {
    await create(one)
    const { transact } = createTransactions(one)
    const twice = (data: string) => () => ({
      change: { set: { by: data }, drafts: [said(data, 'same')] },
      answer: () => data,
    })
    const results = await Promise.allSettled([
      transact(NAME, count),
      transact(NAME, twice('1')),
      transact(NAME, count),
      transact(NAME, twice('2')),
      transact(NAME, () => {
        throw new Error('no')
      }),
      transact(NAME, count),
    ])
    t.match(results, [
      { value: 1 },
      { value: '1' },
      { value: 2 },
      { status: 'rejected', reason: { code: 'key_conflict' } },
      { status: 'rejected', reason: { message: 'no' } },
      { value: 3 },
    ])
    t.match(fieldsOf(await one.read(NAME)), { n: '3', by: '1' })
  })

  promised(
    'missing messages are told, and those after them wait for nobody',
    async (t, { one }) => {
      await create(one)
      const { transact } = createTransactions(one)
      const send = (first: number) =>
        transact(NAME, () => ({
          change: { sequence: { member: 'm', first, last: first } },
          answer: ({ kind }) => kind,
        }))
      t.same(await Promise.all([1, 3, 2].map(send)), ['changed', 'sequence', 'changed'])
    },
  )

  promised('one that ends begins anew for those behind it', async (t, { one }) => {
    const { transact } = createTransactions(one)
    const end = () => ({ change: { set: { n: null } }, answer: () => 0 })
    const steps = [count, count, end, count, end, end, count]
    t.same(await Promise.all(steps.map((step) => transact(NAME, step))), [1, 2, 0, 1, 0, 0, 1])
    t.same(fieldsOf(await one.read(NAME)), { n: '1' })
  })
}
