import fc from 'fast-check'
import t from 'tap'
import { rawElements, rawMembers } from '../../src/wire/json.js'
import { arrayText, objectText } from './hostile.js'

const MB = 1024 * 1024
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
/** Own members, `__proto__` among them, as JSON.parse makes them. */
const ownMembers = (text: string): Map<string, unknown> =>
  new Map(Object.keys(JSON.parse(text)).map((name) => [name, JSON.parse(text)[name]]))

t.test('the raw members of an object are its members, cut out of its text', async () => {
  fc.assert(
    fc.property(objectText, (text) => {
      const members = rawMembers(text)
      const parsed = ownMembers(text)
      return (
        members.size === parsed.size &&
        [...members].every(
          ([name, raw]) =>
            parsed.has(name) &&
            text.includes(raw) &&
            raw === raw.trim() &&
            same(JSON.parse(raw), parsed.get(name)),
        )
      )
    }),
    { numRuns: 1000 },
  )
})

t.test('the raw elements of an array are its elements, cut out of its text in order', async () => {
  fc.assert(
    fc.property(arrayText, (text) => {
      let at = 0
      const elements = rawElements(text)
      const inOrder = elements.every((raw) => {
        const found = text.indexOf(raw, at)
        at = found + raw.length
        return found >= 0
      })
      return (
        inOrder &&
        same(
          elements.map((raw) => JSON.parse(raw)),
          JSON.parse(text),
        )
      )
    }),
    { numRuns: 1000 },
  )
})

t.test('digits and escapes are kept as they were spelled', async (t) => {
  const text = '{"a":12345678901234567890,"b":1.0,"c":"\\u0041\\/","d":[1E400 , -0]}'
  t.strictSame(
    [...rawMembers(text)],
    [
      ['a', '12345678901234567890'],
      ['b', '1.0'],
      ['c', '"\\u0041\\/"'],
      ['d', '[1E400 , -0]'],
    ],
  )
})

t.test('of a name that stands twice the last one wins, however it is spelled', async (t) => {
  t.strictSame([...rawMembers('{"a":1,"\\u0061":2}')], [['a', '2']])
})

t.test('__proto__ is a member like any other', async (t) => {
  const members = rawMembers('{"__proto__":{"x":1},"constructor":2}')
  t.equal(members.get('__proto__'), '{"x":1}')
  t.equal(members.get('constructor'), '2')
  t.equal(members.get('toString'), undefined)
})

t.test('nothing inside is nothing found', async (t) => {
  t.equal(rawMembers(' {\r\n} ').size, 0)
  t.strictSame(rawElements('\t[ ]\n'), [])
})

t.test('a text of another kind is refused at once', async (t) => {
  for (const text of ['', ' ', 'null', '1', '"{"', '[]', ']', '\ufeff{}']) {
    t.throws(() => rawMembers(text), TypeError)
  }
  for (const text of ['', ' ', 'null', '1', '"["', '{}', '}']) {
    t.throws(() => rawElements(text), TypeError)
  }
})

// No time is measured: in quadratic time each of these takes hours, which the runner's limit ends.
t.test('a megabyte of anything takes linear time', async (t) => {
  const values: [what: string, value: string][] = [
    ['escaped backslashes', `"${'\\\\'.repeat(MB / 2)}"`],
    ['escaped quotes', `"${'\\"'.repeat(MB / 2)}"`],
    ['runs of backslashes before quotes', `"${'\\\\\\\\\\\\\\"'.repeat(MB / 8)}"`],
    ['digits', '1'.repeat(MB)],
    [
      'strings',
      `[${Array(MB / 4)
        .fill('""')
        .join(',')}]`,
    ],
    ['white space', `[${' '.repeat(MB)}]`],
    ['nesting', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['nested objects', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
    ['brackets in strings', `["${']}'.repeat(MB / 2)}"]`],
  ]
  for (const [what, value] of values) {
    t.ok(rawMembers(`{"a":${value},"b":1}`).get('a') === value, `a member of ${what}`)
    t.ok(rawElements(`[0,${value},1]`)[1] === value, `an element of ${what}`)
  }
  const many = Array.from({ length: MB / 8 }, (_, i) => String(i))
  t.equal(rawElements(`[${many.join(' , ')}]`).length, many.length)
  t.equal(rawMembers(`{${many.map((n) => `"${n}":${n}`).join(',')}}`).size, many.length)
})
