import fc from 'fast-check'
import t from 'tap'
import {
  compilePattern,
  isChannel,
  isReservedChannel,
  MAX_CHANNEL_LENGTH,
} from '../../src/wire/channel.js'

const FIRST = [...'ABCZabcz059']
const REST = [...FIRST, ...'_-.:@~=|+']

const channelName = fc
  .tuple(
    fc.constantFrom(...FIRST),
    fc.string({ unit: fc.constantFrom(...REST), maxLength: MAX_CHANNEL_LENGTH - 1 }),
  )
  .map((parts) => parts.join(''))

t.test('a channel name has 1 to 200 characters of its alphabet', async (t) => {
  for (const name of [
    'a',
    '0',
    'Z',
    'a'.repeat(200),
    'a_-.:@~=|+',
    'a:',
    'a::b',
    'chat:7',
    '0-0',
  ]) {
    t.ok(isChannel(name), name.slice(0, 20))
  }
  for (const name of ['', 'a'.repeat(201), 'a'.repeat(1024)]) t.notOk(isChannel(name))
  fc.assert(fc.property(channelName, isChannel))
})

t.test('no other character is part of a channel name', async () => {
  const allowed = /[A-Za-z0-9_\-.:@~=|+]/
  for (let code = 0; code < 0x10000; code++) {
    const character = String.fromCharCode(code)
    if (isChannel(`a${character}`) !== allowed.test(character)) throw new Error(`U+${code}`)
    if (isChannel(character) !== /[A-Za-z0-9]/.test(character)) throw new Error(`first: U+${code}`)
  }
})

t.test('names that mean something to Redis, paths, globs or lines are refused', async (t) => {
  const names = [
    '*',
    'a*',
    '[a]',
    'a?',
    '{p0}',
    'a{p0}',
    '../',
    '../../etc/passwd',
    'a/b',
    'a\\b',
    'a b',
    ' a',
    'a ',
    'a\n',
    '\na',
    'a\r\nid: 1',
    'a\0',
    'a\0b',
    'a,b',
    'a;b',
    'a"b',
    "a'b",
    'a%00',
    'a%3Ab',
    'a&b',
    'a#b',
    '$a',
    'a$',
    '^a',
    '<a>',
    'a`',
    '!a',
    'a(b)',
    'é',
    'а',
    '٣',
    '😀',
    'a\u2028',
    '\ufeffa',
    ':a',
    '-a',
    '.a',
    '_a',
    '@a',
    '~a',
    '=a',
    '|a',
    '+a',
    '__proto__',
  ]
  for (const name of names) t.notOk(isChannel(name), encodeURI(name))
})

t.test('what belongs to the server is told by its prefix, in lower case only', async (t) => {
  for (const prefix of ['run', 'room', 'inbox', 'presence', 'session', 'server']) {
    for (const name of [`${prefix}:`, `${prefix}:a:b`]) t.ok(isReservedChannel(name), name)
  }
  for (const name of ['run', 'runs:1', 'a:run:1', 'Run:1', 'room', 'inbox.x']) {
    t.notOk(isReservedChannel(name), name)
  }
})

t.test('names joined by a character outside the alphabet never collide', async () => {
  // So a key `prefix/a_b/c` is never that of `a`, `b_c`: keys may combine names without escaping.
  fc.assert(
    fc.property(
      fc.array(channelName, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(' ', '/', ',', '\n', '\0', '{', '}', '*'),
      (names, separator) =>
        JSON.stringify(names.join(separator).split(separator)) === JSON.stringify(names),
    ),
  )
})

const segment = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.', '+', '|'), maxLength: 3 })
const channel = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(':'))
const pattern = fc
  .tuple(
    fc.array(fc.oneof(segment, fc.constant('*')), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', ':**'),
  )
  .map(([parts, rest]) => parts.join(':') + rest)
  .filter((text) => text !== '')

/** The same meaning, said slowly: segment by segment, from the left. */
function naive(pattern: string, channel: string): boolean {
  const [head, ...tail] = pattern.split(':')
  const [first, ...others] = channel.split(':')
  if (head === '**' && tail.length === 0) return true
  if (head !== '*' && head !== first) return false
  if (tail.length === 0 || others.length === 0) return tail.length === others.length
  return naive(tail.join(':'), others.join(':'))
}

t.test('a pattern matches what a naive matcher matches', async () => {
  fc.assert(
    fc.property(pattern, channel, (p, c) => compilePattern(p)(c) === naive(p, c)),
    { numRuns: 3000 },
  )
})

t.test('a channel’s own name as a pattern matches it and nothing else', async () => {
  fc.assert(
    fc.property(channelName, channelName, (a, b) => {
      const matches = compilePattern(a)
      return matches(a) && matches(b) === (a === b)
    }),
  )
})

t.test('a star is one segment, two at the end are the rest', async (t) => {
  const cases: [pattern: string, channel: string, matches: boolean][] = [
    ['*', 'a', true],
    ['*', 'a:b', false],
    ['**', 'a:b:c', true],
    ['user:*', 'user:7', true],
    ['user:*', 'user', false],
    ['user:*', 'user:7:x', false],
    ['user:*', 'user:', true],
    ['user:**', 'user', false],
    ['user:**', 'user:7:x', true],
    ['user:*:x', 'user:7:x', true],
    ['a.c', 'abc', false],
    ['a|b', 'a', false],
    ['a_b:c', 'a:b_c', false],
    ['Chat', 'chat', false],
  ]
  for (const [p, c, matches] of cases) t.equal(compilePattern(p)(c), matches, `${p} on ${c}`)
})

t.test('a pattern that isn’t one is refused with what is wrong', async (t) => {
  for (const p of [
    '',
    'a'.repeat(201),
    '**:a',
    'a:**:b',
    'a*',
    '*a',
    '***',
    'a b',
    'a/b',
    '[a]',
    '{p}',
    'é',
    'a\n',
  ]) {
    t.throws(() => compilePattern(p), { name: 'RangeError', message: /pattern/ }, encodeURI(p))
  }
})
