import fc from 'fast-check'
import t from 'tap'
import { MAX_PATTERNS } from '../../src/auth/claim.js'
import {
  ALL_RIGHTS,
  compileRights,
  NO_RIGHTS,
  narrowed,
  parseGrants,
  type Rights,
  RightsFault,
  VERBS,
  type Verb,
} from '../../src/auth/rights.js'

const NOW = 1_767_225_600_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Rights on the patterns, for alice unless said otherwise. */
function rights(channels: Record<string, readonly string[]>, subject = 'alice'): Rights {
  return compileRights({ channels }, subject)
}

/** For a test's name: no line ends, and no half characters. */
const visible = (text: string): string => encodeURI(JSON.stringify(text.slice(0, 20)))

const granted = (it: Rights, channel: string): Verb[] => VERBS.filter((v) => it.may(v, channel))

t.test('a verb is granted where its pattern matches, and nowhere else', async (t) => {
  const it = rights({ 'chat:*': ['subscribe', 'publish'], 'user:{sub}': ['subscribe'] })
  t.ok(it.may('subscribe', 'chat:7'))
  t.ok(it.may('publish', 'chat:7'))
  t.ok(it.may('subscribe', 'user:alice'))
  t.notOk(it.may('publish', 'user:alice'))
  t.notOk(it.may('admin', 'chat:7'))
  for (const channel of ['chat', 'chat:7:x', 'user:bob', 'user', 'Chat:7', 'alice']) {
    t.strictSame(granted(it, channel), [], channel)
  }
})

t.test('each verb grants itself alone', async (t) => {
  for (const verb of VERBS) {
    const expected = verb === 'subscribe' ? ['subscribe', 'history'] : [verb]
    t.strictSame(granted(rights({ a: [verb] }), 'a'), expected)
  }
})

t.test('of several patterns that match the verbs add up', async (t) => {
  const it = rights({ 'chat:7': ['publish'], 'chat:*': ['presence'], '**': ['signal', 'stop'] })
  t.strictSame(granted(it, 'chat:7'), ['publish', 'presence', 'signal', 'stop'])
  t.strictSame(granted(it, 'chat:8'), ['presence', 'signal', 'stop'])
  t.strictSame(granted(it, 'x'), ['signal', 'stop'])
})

t.test('nobody has rights whose claim is empty or missing', async (t) => {
  for (const it of [
    NO_RIGHTS,
    compileRights(undefined, 'alice'),
    compileRights({}, 'alice'),
    compileRights({ channels: {} }, 'alice'),
    rights({ a: [] }),
  ]) {
    t.strictSame(granted(it, 'a'), [])
    t.equal(it.since('a', NOW), Number.POSITIVE_INFINITY)
    t.notOk(it.limitsHistory)
    t.notOk(VERBS.some((verb) => it.mayEverywhere(verb)))
  }
})

t.test('all rights are all verbs on all channels, with all that is kept', async (t) => {
  for (const it of [ALL_RIGHTS, compileRights(ALL_RIGHTS.claim, undefined)]) {
    for (const channel of ['a', 'run:7:x', 'a::b']) {
      t.strictSame(granted(it, channel), VERBS)
      t.equal(it.since(channel, NOW), 0)
    }
    t.notOk(it.limitsHistory)
    t.ok(VERBS.every((verb) => it.mayEverywhere(verb)))
  }
})

t.test('everywhere is only what the pattern ** grants', async (t) => {
  const it = rights({ '**': ['generate'], '*': ['stop'], 'a:**': ['publish'], a: ['signal'] })
  t.strictSame(
    VERBS.filter((verb) => it.mayEverywhere(verb)),
    ['generate'],
  )
})

t.test('admin on everything reads everything, on some channels nothing', async (t) => {
  const it = rights({ '**': ['admin'] })
  t.ok(it.may('subscribe', 'a:b'))
  t.equal(it.since('a:b', NOW), 0)
  t.notOk(it.may('publish', 'a:b'))
  t.notOk(rights({ 'a:**': ['admin'], '*': ['admin'] }).may('subscribe', 'a:b'))
  const none = rights({ '**': ['admin', 'history:none'] })
  t.ok(none.may('subscribe', 'a:b'))
  t.equal(none.since('a:b', NOW), Number.POSITIVE_INFINITY, 'a word about the past counts')
})

t.test('how far back may be read', async (t) => {
  const cases: [words: string[], since: number][] = [
    [['subscribe'], 0],
    [['subscribe', 'history'], 0],
    [['subscribe', 'history:all'], 0],
    [['history'], 0],
    [['subscribe', 'history:none'], Number.POSITIVE_INFINITY],
    [['history:none'], Number.POSITIVE_INFINITY],
    [['publish'], Number.POSITIVE_INFINITY],
    [['subscribe', 'history:1767222000'], 1_767_222_000_000],
    [['subscribe', 'history:30s'], NOW - 30_000],
    [['subscribe', 'history:15m'], NOW - 15 * MINUTE],
    [['subscribe', 'history:2h'], NOW - 2 * HOUR],
    [['subscribe', 'history:7d'], NOW - 7 * DAY],
    [['subscribe', 'history:3650d'], NOW - 3650 * DAY],
    // Of several the widest.
    [['subscribe', 'history:none', 'history:15m'], NOW - 15 * MINUTE],
    [['subscribe', 'history:1h', 'history:15m'], NOW - HOUR],
    [['subscribe', 'history:1h', 'history:all'], 0],
    [['subscribe', 'history:1767222000', 'history:1767218400'], 1_767_218_400_000],
  ]
  for (const [words, since] of cases) {
    const it = rights({ a: words })
    t.equal(it.since('a', NOW), since, words.join())
    t.equal(it.may('history', 'a'), since !== Number.POSITIVE_INFINITY, words.join())
    const reads = words.some((word) => /^(subscribe$|history(?!:none))/.test(word))
    t.equal(it.limitsHistory, reads && since !== 0, words.join())
  }
})

t.test('a time and a duration: the one that is wider at the moment', async (t) => {
  const it = rights({ a: ['subscribe', 'history:1767222000', 'history:2h'] })
  t.equal(it.since('a', NOW), NOW - 2 * HOUR)
  t.equal(it.since('a', NOW + HOUR), NOW - HOUR)
  t.equal(it.since('a', NOW + 2 * HOUR), NOW - HOUR)
})

t.test('a clock near zero can’t reach before it', async (t) => {
  t.equal(rights({ a: ['subscribe', 'history:1h'] }).since('a', 1000), 0)
})

t.test('of several patterns the widest reach counts that was said', async (t) => {
  const it = rights({
    'a:*': ['subscribe', 'history:15m'],
    'a:hour': ['history:1h'],
    'a:none': ['history:none'],
    'a:write': ['publish'],
    'a:all': ['subscribe'],
    'b:*': ['subscribe', 'history:none'],
    'b:late': ['history:15m'],
  })
  t.equal(it.since('a:7', NOW), NOW - 15 * MINUTE)
  t.equal(it.since('a:hour', NOW), NOW - HOUR)
  t.equal(it.since('a:none', NOW), NOW - 15 * MINUTE)
  t.equal(it.since('a:write', NOW), NOW - 15 * MINUTE)
  t.equal(it.since('a:all', NOW), 0)
  t.equal(it.since('b:7', NOW), Number.POSITIVE_INFINITY)
  t.equal(it.since('b:late', NOW), NOW - 15 * MINUTE)
})

t.test('the subject is put in as one segment or a part of one', async (t) => {
  const it = rights({
    '{sub}': ['publish'],
    'user:{sub}': ['subscribe'],
    'inbox-{sub}': ['signal'],
    'pair:{sub}:{sub}-{sub}:*': ['presence'],
    '{sub}:**': ['stop'],
  })
  t.ok(it.may('publish', 'alice'))
  t.ok(it.may('subscribe', 'user:alice'))
  t.ok(it.may('signal', 'inbox-alice'))
  t.ok(it.may('presence', 'pair:alice:alice-alice:x'))
  t.ok(it.may('stop', 'alice:a:b'))
  for (const channel of ['bob', 'user:bob', 'inbox-bob', 'user:alice:x', 'inbox-alice:x']) {
    t.strictSame(granted(it, channel), [], channel)
  }
  t.ok(rights({ 'user:{sub}': ['publish'] }, 'a.b@c.d~=|+-_').may('publish', 'user:a.b@c.d~=|+-_'))
})

t.test('a subject that is no segment is granted nothing by {sub}', async (t) => {
  const channels = {
    'user:{sub}': ['subscribe'],
    'user:{sub}:inbox': ['subscribe'],
    '{sub}': ['admin'],
    '{sub}:**': ['admin'],
    plain: ['publish'],
  }
  const subjects = [
    ...['', '*', '**', 'bob:inbox', ':', 'bob:', ':bob', '{sub}', 'a b', 'a\n', '\na', 'a\0'],
    ...['é', 'а', 'a*', '$&', '$`', 'a/b', 'a%3Ab', '[a]', 'a;b', 'a\u2028', '\ud800'],
    'a'.repeat(201),
  ]
  for (const subject of [undefined, ...subjects]) {
    const it = compileRights({ channels }, subject)
    const name = visible(subject ?? 'nobody')
    t.strictSame(it.claim, { channels: { plain: ['publish'] } }, name)
    t.ok(it.may('publish', 'plain'), name)
    for (const channel of ['user:bob', 'user:bob:inbox', 'bob', 'a', 'user:', `user:${subject}`]) {
      t.strictSame(granted(it, channel), [], `${name} on ${visible(channel)}`)
    }
    t.notOk(it.mayEverywhere('admin'), name)
  }
})

t.test('grants on a_b and c never meet a and b_c', async (t) => {
  const joined = [':', '-', '.', '=', '|', '+', '~', '@', '_']
  for (const by of joined) {
    const it = rights({ [`a_b${by}c`]: ['subscribe'] })
    const other = `a${by}b_c`
    t.equal(it.may('subscribe', other), other === `a_b${by}c`, by)
  }
  t.notOk(rights({ '{sub}:c': ['subscribe'] }, 'a_b').may('subscribe', 'a:b_c'))
  t.notOk(rights({ '{sub}:b_c': ['subscribe'] }, 'a').may('subscribe', 'a_b:c'))
  t.notOk(rights({ '*:c': ['subscribe'] }).may('subscribe', 'a:b_c'))
})

t.test('what isn’t a channel is granted to nobody, whatever the pattern', async (t) => {
  const it = rights({ '**': ['subscribe'], '*': ['subscribe'], 'a:*': ['subscribe'] })
  for (const name of ['', '*', '**', 'a:*', ':', '__proto__', 'a b', 'a'.repeat(201), 'a\n']) {
    t.notOk(it.may('subscribe', name), encodeURI(name.slice(0, 20)))
  }
})

t.test('__proto__ is a name like another', async (t) => {
  const claim = JSON.parse('{"channels": {"__proto__": ["publish"], "a:__proto__": ["publish"]}}')
  const it = compileRights(claim, '__proto__')
  t.ok(it.may('publish', 'a:__proto__'))
  t.notOk(it.may('publish', '__proto__'))
  t.equal(JSON.stringify(it.claim), JSON.stringify(claim))
  t.equal(({} as Record<string, unknown>).publish, undefined)
  for (const name of ['constructor', 'toString', 'hasOwnProperty', 'a:constructor']) {
    t.strictSame(granted(it, name), [], name)
  }
  t.throws(() => rights({ a: ['__proto__'] }), RightsFault)
  t.throws(() => rights({ a: ['constructor'] }), RightsFault)
  t.throws(() => compileRights(JSON.parse('{"__proto__": {"channels": {}}}'), 'a'), RightsFault)
})

t.test('what isn’t understood is refused with what is wrong', async (t) => {
  const cases: [claim: unknown, message: RegExp][] = [
    [null, /object such as/],
    ['chat:*', /object such as/],
    [['chat:*'], /object such as/],
    [7, /object such as/],
    [{ channel: {} }, /no member "channel"; write/],
    [{ channels: {}, rooms: {} }, /no member "rooms"/],
    [{ channels: null }, /"channels" is an object/],
    [{ channels: ['chat:*'] }, /"channels" is an object/],
    [{ channels: { a: 'subscribe' } }, /"a" needs a list of verbs/],
    [{ channels: { a: [7] } }, /"a" needs a list of verbs/],
    [{ channels: { a: ['subscribe', 'Publish'] } }, /"Publish" is not a verb; the verbs are subs/],
    [{ channels: { a: ['publish '] } }, /"publish " is not a verb/],
    [{ channels: { a: [''] } }, /"" is not a verb/],
    [{ channels: { a: ['historys'] } }, /"historys" is not a verb/],
    [{ channels: { a: ['subscribe:all'] } }, /"subscribe:all" is not a verb/],
    [{ channels: { 'a*': ['publish'] } }, /"a\*" is not a pattern/],
    [{ channels: { '**:a': [] } }, /is not a pattern/],
    [{ channels: { '': ['publish'] } }, /"" is not a pattern/],
    [{ channels: { 'user:{subject}': ['publish'] } }, /"user:{subject}" is not a pattern.*{sub}/],
    [{ channels: { 'user:{sub': ['publish'] } }, /is not a pattern/],
    [{ channels: { '{sub}*': ['publish'] } }, /is not a pattern/],
    [{ channels: { ['a'.repeat(201)]: ['publish'] } }, /a…" is not a pattern/],
  ]
  for (const [claim, message] of cases) {
    // Also for those whom the pattern would not have granted anything.
    for (const subject of ['alice', undefined, '*']) {
      t.throws(
        () => compileRights(claim, subject),
        { name: 'RightsFault', message },
        JSON.stringify(claim).slice(0, 60),
      )
    }
  }
})

t.test('a reach that could mean something else is refused', async (t) => {
  const reaches = [
    ...['', 'All', 'every', '15', '900', '0', '0s', '-15m', '15 m', '15M', '15min', '1w', '1.5h'],
    ...['999999999', '1767225600000', '1e9', '3651d', '9999999999d', 'all,none', '15m:', '٣m'],
  ]
  for (const reach of reaches) {
    t.throws(
      () => rights({ a: ['subscribe', `history:${reach}`] }),
      { name: 'RightsFault', message: /is not a reach; write history,/ },
      reach,
    )
  }
})

t.test('no message grows with what was sent', async (t) => {
  const long = '\ud800x'.repeat(10_000)
  for (const claim of [
    { [long]: 1 },
    { channels: { [long]: [] } },
    { channels: { a: [long] } },
    { channels: { a: [`history:${long}`] } },
    { channels: { [long]: 7 } },
  ]) {
    let message = ''
    try {
      compileRights(claim, 'alice')
    } catch (error) {
      message = (error as Error).message
    }
    t.ok(message.length > 20 && message.length < 500, message.slice(0, 30))
    t.doesNotThrow(() => encodeURI(message), 'well-formed')
  }
})

t.test('a claim has at most so many patterns with a star', async (t) => {
  const some = (count: number, tail: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}${tail}`, ['publish']]))
  t.ok(rights(some(MAX_PATTERNS, ':*')).may('publish', 'a999:x'))
  t.throws(() => rights(some(MAX_PATTERNS + 1, ':*')), { message: /1001 patterns/ })
  t.ok(rights(some(MAX_PATTERNS + 1, '')).may('publish', 'a1000'))
})

t.test('answers stay the same however many channels are asked about', async (t) => {
  const it = rights({ 'a:*': ['publish'], b: ['subscribe', 'history:1h'] })
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1000; i++) {
      if (!it.may('publish', `a:${i}`) || it.may('publish', `c:${i}`)) t.fail(`a:${i}`)
    }
    t.equal(it.since('b', NOW + round), NOW + round - HOUR)
  }
})

t.test('a ticket has its channels, and its verbs at most', async (t) => {
  const whole = rights({ 'chat:*': ['subscribe', 'publish', 'signal'], x: ['publish'] })
  const it = narrowed(whole, ['chat:7', 'x', 'foreign'], ['subscribe', 'signal', 'admin'])
  t.strictSame(granted(it, 'chat:7'), ['subscribe', 'history', 'signal'])
  for (const channel of ['chat:8', 'x', 'foreign', 'chat']) {
    t.strictSame(granted(it, channel), [], channel)
  }
  t.strictSame(it.claim, { channels: { 'chat:7': ['subscribe', 'signal'] } })
  t.strictSame(granted(narrowed(whole, [], VERBS), 'x'), [])
  t.strictSame(granted(narrowed(whole, ['x'], []), 'x'), [])
})

t.test('a ticket for everybody’s channels has no rights everywhere', async (t) => {
  const it = narrowed(ALL_RIGHTS, ['a'], VERBS)
  t.strictSame(granted(it, 'a'), VERBS)
  t.strictSame(granted(it, 'b'), [])
  t.notOk(VERBS.some((verb) => it.mayEverywhere(verb)))
})

t.test('a pattern among a ticket’s channels grants nothing', async (t) => {
  // `*` matches the text `**`: taken for a channel, a ticket for one segment would be one for all.
  for (const whole of [rights({ '*': ['subscribe'], 'a:*': ['subscribe'] }), ALL_RIGHTS]) {
    const it = narrowed(whole, ['**', '*', 'a:*', '{sub}', 'a:**'], VERBS)
    t.strictSame(it.claim, { channels: {} })
    t.strictSame(granted(compileRights(it.claim, 'b'), 'b'), [])
  }
})

t.test('a ticket reaches back as far as its token, where it reads', async (t) => {
  const whole = rights({
    'a:*': ['subscribe', 'publish', 'history:1767222000', 'history:15m'],
    none: ['subscribe', 'history:none'],
    past: ['history:1h', 'publish'],
  })
  const reads = narrowed(whole, ['a:7', 'none', 'past'], ['subscribe'])
  for (const now of [NOW, NOW + DAY, NOW - DAY]) {
    t.equal(reads.since('a:7', now), whole.since('a:7', now))
  }
  t.equal(reads.since('none', NOW), Number.POSITIVE_INFINITY)
  t.ok(reads.may('subscribe', 'none'))
  t.ok(reads.limitsHistory)
  t.strictSame(granted(reads, 'past'), [])
  t.equal(narrowed(whole, ['past'], ['history']).since('past', NOW), NOW - HOUR)
  const writes = narrowed(whole, ['a:7', 'past'], ['publish'])
  t.strictSame(granted(writes, 'a:7'), ['publish'])
  t.equal(writes.since('a:7', NOW), Number.POSITIVE_INFINITY)
  t.notOk(writes.limitsHistory)
})

t.test('the kept claim names the subject, and unites what has become one pattern', async (t) => {
  const both = { 'user:{sub}': ['publish'], 'user:alice': ['subscribe', 'history:none'] }
  t.strictSame(rights(both).claim, {
    channels: { 'user:alice': ['subscribe', 'publish', 'history:none'] },
  })
  const all = { 'user:{sub}': ['subscribe'], 'user:alice': ['subscribe', 'history:1h'] }
  t.equal(rights(all).since('user:alice', NOW), 0)
  t.strictSame(rights(all).claim, { channels: { 'user:alice': ['subscribe'] } })
})

const segment = fc.string({ unit: fc.constantFrom('a', 'b', '_', '-', '='), maxLength: 2 })
const channel = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(':'))
const pattern = fc
  .tuple(
    fc.array(fc.oneof(segment, fc.constantFrom('*', '{sub}', 'a{sub}')), {
      minLength: 1,
      maxLength: 3,
    }),
    fc.constantFrom('', ':**'),
  )
  .map(([parts, rest]) => parts.join(':') + rest)
  .filter((text) => text !== '')
const word = fc.constantFrom(
  ...VERBS,
  ...['history:none', 'history:15m', 'history:1d', 'history:1767222000', 'history:1767139200'],
)
const claims = fc.dictionary(pattern, fc.array(word, { maxLength: 4 }), { maxKeys: 6 })
const subjects = fc.constantFrom('a', 'ab', 'a:b', '*', '', undefined)

/** Patterns that match, said slowly: segment by segment, from the left. */
function matches(parts: readonly string[], names: readonly string[], subject: string): boolean {
  const [part, ...others] = parts
  const [name, ...rest] = names
  if (part === undefined || name === undefined) return part === name
  if (part === '**') return true
  if (part !== '*' && part.split('{sub}').join(subject) !== name) return false
  return matches(others, rest, subject)
}

/** What the claim's words say about a channel, by reading all of it each time. */
function naive(claim: Record<string, string[]>, subject: string | undefined, channel: string) {
  const verbs = new Set<string>()
  let oldest = Number.POSITIVE_INFINITY
  for (const [written, words] of Object.entries(claim)) {
    if (written.includes('{sub}') && !/^[ab]+$/.test(subject ?? '')) continue
    if (!/^[ab]/.test(channel)) continue
    if (!matches(written.split(':'), channel.split(':'), subject ?? '')) continue
    for (const one of words) if (!one.startsWith('history')) verbs.add(one)
    const said = words.filter((one) => one.startsWith('history'))
    if (said.length === 0 && words.includes('subscribe')) said.push('history')
    for (const one of said) {
      const ago = { 'history:15m': 15 * MINUTE, 'history:1d': DAY }[one]
      if (one === 'history') oldest = 0
      else if (ago !== undefined) oldest = Math.min(oldest, NOW - ago)
      else if (one !== 'history:none') oldest = Math.min(oldest, Number(one.slice(8)) * 1000)
    }
  }
  if (oldest !== Number.POSITIVE_INFINITY) verbs.add('history')
  return { verbs, oldest }
}

t.test('rights say what a naive reading of the claim says', async (t) => {
  let some = 0
  fc.assert(
    fc.property(claims, subjects, fc.array(channel, { maxLength: 8 }), (claim, subject, names) => {
      const it = compileRights({ channels: claim }, subject)
      for (const name of [...names, 'a', 'a:b', 'a:a', 'aa', 'ab:aab']) {
        const { verbs, oldest } = naive(claim, subject, name)
        if (verbs.size > 0) some++
        if (VERBS.some((verb) => it.may(verb, name) !== verbs.has(verb))) return false
        if (it.since(name, NOW) !== oldest) return false
        const reads = verbs.has('subscribe') || verbs.has('history')
        if (reads && oldest !== 0 && !it.limitsHistory) return false
      }
      return true
    }),
    { numRuns: 3000 },
  )
  t.ok(some > 1000, 'channels that are granted something')
})

t.test('a kept claim means the same, for whomever it is compiled', async () => {
  fc.assert(
    fc.property(claims, subjects, channel, (claim, subject, name) => {
      const first = compileRights({ channels: claim }, subject)
      const again = compileRights(JSON.parse(JSON.stringify(first.claim)), 'b')
      return (
        JSON.stringify(again.claim) === JSON.stringify(first.claim) &&
        again.limitsHistory === first.limitsHistory &&
        [name, 'a', 'a:b', 'aa'].every(
          (one) =>
            granted(again, one).join() === granted(first, one).join() &&
            [NOW, NOW + DAY].every((now) => again.since(one, now) === first.since(one, now)),
        )
      )
    }),
    { numRuns: 2000 },
  )
})

t.test('a ticket never grants what its token doesn’t', async () => {
  const verbs = fc.subarray([...VERBS])
  fc.assert(
    fc.property(claims, subjects, fc.array(channel), verbs, (claim, subject, names, some) => {
      const whole = compileRights({ channels: claim }, subject)
      const it = compileRights(narrowed(whole, names, some).claim, undefined)
      return [...names, 'a', 'a:b', 'aa'].every((name) =>
        VERBS.every((verb) => {
          const implied = verb === 'history' && it.may('subscribe', name)
          const expected =
            names.includes(name) && whole.may(verb, name) && (some.includes(verb) || implied)
          return it.may(verb, name) === expected && it.since(name, NOW) >= whole.since(name, NOW)
        }),
      )
    }),
    { numRuns: 2000 },
  )
})

t.test('grants are read from a line', async (t) => {
  t.strictSame(parseGrants('chat:*=subscribe,publish user:{sub}=subscribe'), {
    channels: { 'chat:*': ['subscribe', 'publish'], 'user:{sub}': ['subscribe'] },
  })
  t.strictSame(parseGrants(' a=publish;b=stop ;\n\tc=history:15m,admin; '), {
    channels: { a: ['publish'], b: ['stop'], c: ['history:15m', 'admin'] },
  })
  // The last = divides.
  t.strictSame(parseGrants('a=b==publish'), { channels: { 'a=b=': ['publish'] } })
  t.strictSame(parseGrants('a=publish a=stop'), { channels: { a: ['publish', 'stop'] } })
  t.equal(
    JSON.stringify(parseGrants('__proto__=publish')),
    '{"channels":{"__proto__":["publish"]}}',
  )
})

t.test('a line that grants nothing, or what there isn’t, is refused', async (t) => {
  const cases: [text: string, message: RegExp][] = [
    ['', /no channel is named/],
    [' ; ', /no channel is named/],
    ['chat:*', /"chat:\*" grants nothing; write e.g./],
    ['=publish', /"=publish" grants nothing/],
    ['a=', /"" is not a verb/],
    ['a=subscribe, publish', /"publish" grants nothing/],
    ['a=subscribe publish', /"publish" grants nothing/],
    ['a=subscribe,,publish', /"" is not a verb/],
    ['a=read', /"read" is not a verb/],
    ['a=history:15', /"history:15" is not a reach/],
    ['a*=publish', /"a\*" is not a pattern/],
    ['user:{id}=publish', /is not a pattern/],
  ]
  for (const [text, message] of cases) {
    t.throws(() => parseGrants(text), { name: 'RightsFault', message }, text)
  }
})
