import t from 'tap'
import { type Acknowledged, check, type ReaderRecord } from './support/checker.js'
import type { Seen } from './support/sse-reader.js'

const id = (n: number): string => `1763675123${100 + n}-53248`

const acknowledged: Acknowledged[] = Array.from({ length: 10 }, (_, n) => ({
  channel: n % 2 === 0 ? 'even' : 'odd',
  id: id(n),
  data: JSON.stringify({ n }),
  sent: 2 * n,
  acked: 2 * n + 1,
}))

function event(n: number, other: { id?: string; data?: string; connection?: number } = {}): Seen {
  const { channel, data } = acknowledged[n]!
  return {
    ...{ kind: 'event', connection: 1, id: id(n), cursor: id(n), channel, data, name: 'message' },
    ...other,
  } as Seen
}

function gap(channel: string, after: string | null, next: string): Seen {
  const data = { channel, after, next, reason: 'trimmed' }
  return { kind: 'control', connection: 1, name: 'stream.gap', data, cursor: next }
}

/** A reader of both channels that saw everything once, but for what `change` does to it. */
function reader(change: (seen: Seen[]) => void = () => {}): ReaderRecord {
  const seen = acknowledged.map((_, n) => event(n))
  change(seen)
  return { name: 'reader', channels: ['even', 'odd'], seen }
}

function kinds(record: ReaderRecord, acks: readonly Acknowledged[] = acknowledged): string[] {
  return check({ acknowledged: acks, readers: [record] }).map(({ kind }) => kind)
}

t.test('a correct run', async (t) => {
  t.same(kinds(reader()), [], 'makes no complaint')
  t.same(
    kinds(
      reader((seen) => seen.splice(5, 0, event(3, { connection: 2 }), event(4, { connection: 2 }))),
    ),
    [],
    'may repeat after a reconnect what it said before',
  )
  t.same(
    kinds(reader((seen) => seen.splice(2, 3, gap('even', id(0), id(6)), gap('odd', id(1), id(5))))),
    [],
    'may miss what a gap told of',
  )
  t.same(
    kinds({ ...reader((seen) => seen.splice(0, 3)), from: id(2) }),
    [],
    'owes nothing from before the start',
  )
  t.same(
    kinds({ ...reader((seen) => seen.splice(8)), upTo: id(7) }),
    [],
    'owes nothing from after the end',
  )
  t.same(
    check({
      acknowledged,
      uncertain: [{ channel: 'odd', data: '"perhaps"' }],
      readers: [reader((seen) => seen.push(event(9, { id: id(11), data: '"perhaps"' })))],
    }),
    [],
    'may hold what was sent without an answer',
  )
})

t.test('a dropped event is missing', async (t) => {
  for (let n = 0; n < 10; n++) {
    const complaints = check({ acknowledged, readers: [reader((seen) => seen.splice(n, 1))] })
    t.match(complaints, [{ kind: 'missing', id: id(n), reader: 'reader' }])
    t.equal(complaints.length, 1)
  }
})

t.test('a drop beside a gap is still missing', async (t) => {
  t.same(kinds(reader((seen) => seen.splice(2, 3, gap('odd', id(1), id(5))))), [
    'missing',
    'missing',
  ])
  t.same(kinds(reader((seen) => seen.splice(2, 1, gap('even', id(2), id(4))))), [
    'missing',
    'unexplained-gap',
  ])
})

t.test('an event that comes again under a new id is doubled', async (t) => {
  t.same(kinds(reader((seen) => seen.push(event(9, { id: id(10) })))), ['doubled'])
})

t.test('an event that comes twice on one connection is repeated', async (t) => {
  t.same(kinds(reader((seen) => seen.push(event(9)))), ['repeated'])
})

t.test('two swapped events of a channel are out of order', async (t) => {
  const swap = (a: number, b: number, connection = 1) =>
    reader((seen) => {
      seen[a] = event(b)
      seen[b] = event(a, { connection })
      for (let n = b + 1; n < 10; n++) seen[n] = event(n, { connection })
    })
  t.match(kinds(swap(4, 6)), ['disordered', 'disordered'])
  t.match(kinds(swap(4, 6, 2)), ['disordered'], 'also across a reconnect')
})

t.test('a gap where nothing is missing is unexplained', async (t) => {
  t.same(kinds(reader((seen) => seen.splice(4, 0, gap('even', id(2), id(4))))), ['unexplained-gap'])
})

t.test('an event that nobody sent is invented', async (t) => {
  t.same(kinds(reader((seen) => seen.push(event(9, { id: id(11), data: '"new"' })))), ['invented'])
})

t.test('an event on a channel that was not asked for is a stray', async (t) => {
  t.match(kinds({ ...reader(), channels: ['even'] }), Array(5).fill('stray'))
})

t.test('an id that names two events is ambiguous', async (t) => {
  const complaints = check({
    acknowledged,
    uncertain: [{ channel: 'odd', data: '"a"' }],
    readers: [
      { ...reader(), name: 'one' },
      { ...reader((seen) => seen.splice(9, 1, event(9, { data: '"a"' }))), name: 'two' },
    ],
  })
  t.match(complaints, [{ kind: 'ambiguous', reader: 'two', id: id(9) }])
  t.same(
    kinds(reader(), [...acknowledged, { ...acknowledged[9]!, data: '"other"' }]).includes(
      'ambiguous',
    ),
    true,
    'among answers too',
  )
})

t.test('answers that contradict the ids are out of order', async (t) => {
  const acks = acknowledged.map((it, n) => (n === 8 ? { ...it, sent: 50, acked: 51 } : it))
  t.same(kinds(reader(), acks), [], 'the last of its channel may be late')
  const early = acknowledged.map((it, n) => (n === 2 ? { ...it, sent: 50, acked: 51 } : it))
  t.match(kinds(reader(), early), ['disordered'])
})

t.test('where the store lost events', async (t) => {
  const lossy = (record: ReaderRecord) =>
    check({ acknowledged, readers: [record], lossy: true }).map(({ kind }) => kind)
  t.same(
    lossy(reader((seen) => seen.splice(2, 3, gap('even', id(0), id(8)), gap('odd', null, id(7))))),
    [],
    'a gap may be wider than what was lost',
  )
  t.same(
    lossy(reader((seen) => seen.splice(4, 0, gap('even', id(2), id(4))))),
    [],
    'a gap may cover nothing that this reader missed',
  )
  t.same(lossy(reader((seen) => seen.push(event(9, { id: id(10) })))), [], 'a retry may come again')
  const backAfter = (channel: string) =>
    reader((seen) => {
      const later = seen.splice(4, 6)
      seen.push(event(8), gap(channel, id(8), id(9)), ...later.filter((_, i) => i !== 4))
    })
  t.same(lossy(backAfter('even')), [], 'ids may step back after a gap')
  t.match(lossy(backAfter('odd')), ['disordered', 'disordered'], 'on its own channel only')
  t.same(lossy(reader((seen) => seen.splice(3, 1))), ['missing'], 'a silent loss is a loss')
  t.same(
    lossy(reader((seen) => seen.splice(2, 3, gap('odd', id(1), id(5))))),
    ['missing', 'missing'],
    'a gap of another channel says nothing',
  )
  t.same(
    lossy(reader((seen) => seen.splice(2, 1, gap('even', id(2), id(4))))),
    ['missing'],
    'nor one that begins too late',
  )
  t.match(
    lossy(reader((seen) => seen.splice(9, 1, event(9, { data: '{"n":7}' })))),
    ['ambiguous'],
    'an id names one event all the same',
  )
})
