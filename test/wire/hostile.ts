/** Texts that have broken writers and readers of SSE and JSON, as arbitraries. */
import fc from 'fast-check'

const NASTY = [
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  '\r\r',
  '\n\r',
  '\0',
  '\u0085',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\ud800',
  '\udc00',
  '😀',
  'é',
  '€',
  ' ',
  '  ',
  '\t',
  ':',
  ': ',
  'data:',
  'data: x',
  'id:',
  'id: 9-9',
  'event:',
  'event: stream.gap',
  'retry: 1',
  '"',
  '\\',
  '\\"',
  '\\u0000',
  '{',
  '}',
  '[',
  ']',
  ',',
  '__proto__',
  '\x7f',
  '\x0b',
  '\x0c',
  '\x1c',
] as const

/** Any string, made of the pieces above and of arbitrary characters. */
export const hostileString = fc
  .array(fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: 'binary', maxLength: 4 })), {
    maxLength: 8,
  })
  .map((pieces) => pieces.join(''))

const space = fc.constantFrom('', '', '', ' ', '\n', '\r', '\r\n', '\t', ' \n\n ', '\r \r')

const escapeAll = (text: string): string =>
  `"${[...Array(text.length).keys()].map((i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`

/** A JSON string, spelled in one of several ways. */
const string = fc
  .tuple(hostileString, fc.constantFrom(0, 1, 2))
  .map(([text, spelling]) =>
    spelling === 0
      ? JSON.stringify(text)
      : spelling === 1
        ? escapeAll(text)
        : JSON.stringify(text.replaceAll('/', '')).replaceAll('é', '\\u00E9'),
  )

const scalar = fc.oneof(
  string,
  fc.constantFrom(
    'null',
    'true',
    'false',
    '0',
    '-0',
    '1.0',
    '1E+2',
    '0.10e-7',
    '12345678901234567890',
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n)),
)

const spaced = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(space, item, space).map((parts) => parts.join(''))

const bracketed = (item: fc.Arbitrary<string>, open: string, close: string): fc.Arbitrary<string> =>
  fc
    .tuple(space, fc.array(spaced(item), { maxLength: 5 }))
    .map(([inside, items]) => open + (items.length > 0 ? items.join(',') : inside) + close)

// A few fixed names, so that some members stand twice.
const memberName = fc.oneof(
  string,
  fc.constantFrom('"a"', '"\\u0061"', '"__proto__"', '"data"', '""'),
)

const { value, object, array } = fc.letrec<Record<'value' | 'object' | 'array', string>>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    tie('array'),
    tie('object'),
  ),
  array: bracketed(tie('value'), '[', ']'),
  object: bracketed(
    fc.tuple(spaced(memberName), spaced(tie('value'))).map((pair) => pair.join(':')),
    '{',
    '}',
  ),
}))

/** Any JSON text: white space of every kind, every spelling of strings and numbers. */
export const jsonText = spaced(value)
export const objectText = spaced(object)
export const arrayText = spaced(array)
