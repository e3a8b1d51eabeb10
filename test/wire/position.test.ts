import fc from 'fast-check'
import t from 'tap'
import {
  COUNTERS,
  formatPosition,
  MAX_MS,
  msOf,
  ORIGIN,
  parsePosition,
  TAGS,
} from '../../src/wire/position.js'
import { hostileString } from './hostile.js'
import { NOT_POSITIONS } from './positions.js'

t.test('a position survives its text', async () => {
  fc.assert(
    fc.property(fc.nat(MAX_MS - 1), fc.nat(COUNTERS - 1), fc.nat(TAGS - 1), (ms, counter, tag) => {
      const order = ms * COUNTERS + counter
      const read = parsePosition(formatPosition(order, tag))
      return read?.order === order && read.tag === tag && msOf(order) === ms
    }),
  )
})

t.test('the first and the last position are positions', async (t) => {
  t.equal(formatPosition(ORIGIN.order, ORIGIN.tag), '0-0')
  t.strictSame(parsePosition('0-0'), ORIGIN)
  const last = { order: MAX_MS * COUNTERS - 1, tag: TAGS - 1 }
  t.ok(Number.isSafeInteger(last.order))
  t.equal(formatPosition(last.order, last.tag), '2199023255551-68719476735')
  t.strictSame(parsePosition('2199023255551-68719476735'), last)
})

t.test('the page’s example: n is tag × 4096 + counter', async (t) => {
  t.strictSame(parsePosition('1763675123456-53248'), { order: 1763675123456 * 4096, tag: 13 })
})

t.test('what isn’t a position is refused and throws nothing', async (t) => {
  for (const text of NOT_POSITIONS) {
    t.equal(parsePosition(text), undefined, encodeURI(text.slice(0, 40)))
  }
})

t.test('a text that is read is written the same again', async () => {
  const parts = fc.constantFrom(
    '0',
    '1',
    '9',
    '-',
    '00',
    '2199023255551',
    '68719476736',
    '٣',
    ' ',
    '\n',
  )
  const texts = fc.oneof(
    fc.array(parts, { maxLength: 5 }).map((p) => p.join('')),
    hostileString,
  )
  fc.assert(
    fc.property(texts, (text) => {
      const read = parsePosition(text)
      return read === undefined || formatPosition(read.order, read.tag) === text
    }),
    { numRuns: 2000 },
  )
})
