import fc from 'fast-check'
import t from 'tap'
import {
  type Cursor,
  endCursor,
  formatCursor,
  isEndCursor,
  MAX_CURSOR_LENGTH,
  parseCursor,
} from '../../src/wire/cursor.js'
import {
  BY_CLOCK,
  formatPosition,
  ORIGIN,
  type Position,
  PROCESS_TAGS,
  tagOf,
} from '../../src/wire/position.js'
import { hostileString } from './hostile.js'
import { anyPosition, NOT_POSITIONS, positionWithin } from './positions.js'

const GRAMMAR = /^[A-Za-z0-9._-]+$/
const DAY = 24 * 60 * 60 * 1000
const NOW = 1763675123456

/** A log's number of partitions and a cursor over some of them. */
const cursors = fc.integer({ min: 1, max: 64 }).chain((partitions) =>
  fc
    .uniqueArray(fc.tuple(fc.nat(partitions - 1), anyPosition), {
      minLength: 1,
      maxLength: partitions,
      selector: ([partition]) => partition,
    })
    .map((entries) => ({
      partitions,
      cursor: new Map(entries.map(([i, position]) => [i, inPartition(i, position)])) as Cursor,
    })),
)

/** The position as that partition's writer would have given it. */
function inPartition(partition: number, { order, tag }: Position): Position {
  return { order, tag: tagOf(partition, tag % PROCESS_TAGS) }
}

t.test('a cursor survives its text, and the text is fit for an id line', async () => {
  fc.assert(
    fc.property(cursors, ({ partitions, cursor }) => {
      const text = formatCursor(cursor, partitions)
      const read = parseCursor(text, partitions)
      return (
        GRAMMAR.test(text) &&
        text.length <= MAX_CURSOR_LENGTH &&
        JSON.stringify([...(read ?? [])]) === JSON.stringify([...cursor])
      )
    }),
    { numRuns: 500 },
  )
})

t.test('with one partition the cursor is the position itself', async (t) => {
  const position = { order: NOW * 4096 + 5, tag: 13 }
  t.equal(formatCursor(new Map([[0, position]]), 1), formatPosition(position.order, position.tag))
  t.equal(formatCursor(new Map(), 1), '0-0')
  t.strictSame(parseCursor('0-0', 1), new Map([[0, ORIGIN]]))
})

t.test('sixteen positions within twelve days take at most 200 characters', async (t) => {
  const worst = new Map<number, Position>()
  for (let i = 0; i < 16; i++) {
    worst.set(i, { order: (i === 0 ? NOW : NOW - 12 * DAY) * 4096 + 4095, tag: 262_143 })
  }
  t.equal(formatCursor(worst, 16).length, 196)
  fc.assert(
    fc.property(
      fc.array(positionWithin(NOW - 12 * DAY, NOW), { minLength: 16, maxLength: 16 }),
      (positions) => formatCursor(new Map(positions.entries()), 16).length <= 200,
    ),
  )
})

t.test('the longest cursor there can be is still looked at', async (t) => {
  const longest = new Map<number, Position>()
  for (let i = 0; i < 64; i++)
    longest.set(i, inPartition(i, i === 0 ? { order: 2 ** 53 - 1, tag: 1 } : ORIGIN))
  const text = formatCursor(longest, 64)
  t.ok(endCursor(text).length <= MAX_CURSOR_LENGTH)
  t.strictSame(parseCursor(text, 64), longest)
})

t.test(
  'the position of another deployment, or an event’s id, stands for every partition',
  async (t) => {
    const position = { order: NOW * 4096, tag: 13 }
    const read = parseCursor(`${NOW}-53248`, 3)
    t.strictSame(
      read,
      new Map([
        [0, position],
        // Who wrote there at that time isn't known.
        [1, { order: position.order, tag: BY_CLOCK }],
        [2, { order: position.order, tag: BY_CLOCK }],
      ]),
    )
  },
)

t.test(
  'a vector of another deployment stands, as its least position, for every partition',
  async () => {
    fc.assert(
      fc.property(
        cursors.filter(({ partitions }) => partitions > 1),
        fc.integer({ min: 1, max: 64 }),
        ({ partitions, cursor }, others) => {
          fc.pre(partitions !== others)
          const read = [...(parseCursor(formatCursor(cursor, partitions), others) ?? [])]
          const least = Math.min(...[...cursor.values()].map(({ order }) => order))
          return read.length === others && read.every(([, { order }]) => order === least)
        },
      ),
    )
  },
)

t.test('what isn’t a cursor is refused and throws nothing', async (t) => {
  const vectors = ['p', 'pB', 'pBAAAAAAA', 'pA', 'p.', 'p'.repeat(8192), `pB${'_'.repeat(1000)}`]
  for (const text of [...NOT_POSITIONS, ...vectors]) {
    for (const partitions of [1, 2, 16, 64]) {
      t.equal(parseCursor(text, partitions), undefined, encodeURI(text.slice(0, 40)))
    }
  }
})

t.test('a partition that stands twice is refused', async (t) => {
  const entry = formatCursor(new Map([[1, inPartition(1, { order: NOW * 4096, tag: 1 })]]), 4)
  t.ok(parseCursor(entry, 4))
  t.equal(parseCursor(entry + entry.slice(9), 4), undefined)
})

t.test('only the one spelling of a cursor is read', async () => {
  const change = fc.tuple(fc.nat(), fc.constantFrom(...'AZaz09-_.%\0\n é'))
  fc.assert(
    fc.property(cursors, change, fc.nat(2), ({ partitions, cursor }, [at, by], kind) => {
      const text = formatCursor(cursor, partitions)
      const i = at % text.length
      const changed = text.slice(0, i) + (kind === 0 ? '' : by) + text.slice(kind === 1 ? i : i + 1)
      const read = parseCursor(changed, partitions)
      if (read === undefined || !/^p/.test(changed)) return true
      // Where the change hit the number of partitions it is another deployment's cursor.
      return changed[1] !== text[1] || formatCursor(read, partitions) === changed
    }),
    { numRuns: 3000 },
  )
})

t.test('hostile texts are refused or read, never thrown over', async () => {
  fc.assert(
    fc.property(hostileString, fc.integer({ min: 1, max: 64 }), (text, partitions) => {
      for (const prefix of ['', 'p', 'pB', 'end.', '1-']) {
        const read = parseCursor(prefix + text, partitions)
        if (read !== undefined && !GRAMMAR.test(prefix + text)) return false
        if (isEndCursor(prefix + text) && !GRAMMAR.test(prefix + text)) return false
      }
      return true
    }),
  )
})

t.test('the end of a stream is a cursor of its own kind, in every deployment', async (t) => {
  fc.assert(
    fc.property(cursors, ({ partitions, cursor }) => {
      const text = formatCursor(cursor, partitions)
      const end = endCursor(text)
      return (
        GRAMMAR.test(end) &&
        isEndCursor(end) &&
        !isEndCursor(text) &&
        parseCursor(end, partitions) === undefined
      )
    }),
  )
  for (const text of ['end', 'end.', 'end.x', 'end.end.1-1', 'END.1-1', 'end.1-1\n', ' end.1-1']) {
    t.notOk(isEndCursor(text), encodeURI(text))
  }
})
