import fc from 'fast-check'
import t from 'tap'
import { createLimiter, type LimiterOptions, parseRate } from '../../src/auth/rates.js'
import type { Shared, Taken } from '../../src/auth/shared.js'
import { createSharedMemory } from '../../src/auth/shared-memory.js'
import { SluiceError } from '../../src/wire/errors.js'

type Take = Shared['take']

/** A clock of the test's own, what gateways share on it, and the questions that were asked. */
function stage() {
  let time = 1_767_225_600_000
  const now = () => time
  const memory = createSharedMemory({ now })
  const questions: { bucket: string; atLeast: number; atMost: number }[] = []
  const shared = {
    take: ((bucket, rate, atLeast, atMost) => {
      questions.push({ bucket, atLeast, atMost })
      return memory.take(bucket, rate, atLeast, atMost)
    }) satisfies Take,
  }
  return {
    shared,
    questions,
    pass(ms: number) {
      time += ms
    },
    limiter: (rate: string, options: LimiterOptions = {}) =>
      createLimiter(shared, parseRate(rate), { now, ...options }),
  }
}

/** What gateways share, as a test wants it: answers come when the test says. */
function held() {
  const asked: { atLeast: number; atMost: number; answer(taken: Taken | Error): void }[] = []
  const take: Take = (_bucket, _rate, atLeast, atMost) =>
    new Promise((resolve, reject) => {
      const answer = (taken: Taken | Error) =>
        taken instanceof Error ? reject(taken) : resolve(taken)
      asked.push({ atLeast, atMost, answer })
    })
  return { asked, shared: { take } }
}

/** Lets everything happen that needs no more than promises. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

t.test('a rate is an amount in a second, a minute or an hour', async (t) => {
  t.strictSame(parseRate('100/s'), { amount: 100, ms: 1000 })
  t.strictSame(parseRate('600/m'), { amount: 600, ms: 60_000 })
  t.strictSame(parseRate('1000/h'), { amount: 1000, ms: 3_600_000 })
  t.strictSame(parseRate('1/s'), { amount: 1, ms: 1000 })
  t.strictSame(parseRate('1000000000/h'), { amount: 1_000_000_000, ms: 3_600_000 })
  for (const none of ['0', 'off', 0]) t.equal(parseRate(none).amount, 0)
})

t.test('what is no rate is refused with what is one', async (t) => {
  const texts = [
    ...['', '100', '0/s', '-1/s', '1.5/s', '1e3/s', '100/d', '100/ms', '100 /s', '100/s ', '/s'],
    ...['100/s\n', '01/s', '1000000001/s', '10000000000/s', 'OFF', '100/S', '٣/s', 'NaN/s'],
  ]
  const values = [undefined, null, 100, -0.5, Number.NaN, true, false, {}, ['1/s'], []]
  for (const value of [...texts, ...values]) {
    t.throws(() => parseRate(value), { message: /not a rate: an amount.*\/s, \/m or \/h/ })
  }
})

t.test('at one instant the amount is granted, and the next one told when to come', async (t) => {
  const cases: [rate: string, amount: number, ms: number][] = [
    ['1/s', 1, 1000],
    ['3/s', 3, 334],
    ['10/s', 10, 100],
    ['100/s', 100, 10],
    ['105/s', 105, 10],
    ['1000/s', 1000, 1],
    ['7/m', 7, 8572],
    ['600/m', 600, 100],
    ['5000/m', 5000, 12],
    ['20/h', 20, 180_000],
  ]
  for (const [rate, amount, ms] of cases) {
    const { limiter, pass } = stage()
    const { take } = limiter(rate)
    for (const period of [1, 2, 3]) {
      const answers = []
      for (let i = 0; i < amount; i++) answers.push(await take('a', 1))
      t.ok(
        answers.every((answer) => answer === 0),
        `${rate}, period ${period}: granted`,
      )
      t.equal(await take('a', 1), ms, `${rate}, period ${period}: refused`)
      pass(parseRate(rate).ms)
    }
  }
})

t.test('at the told time, and not before, the next one is granted', async (t) => {
  const { limiter, pass } = stage()
  const { take } = limiter('100/s')
  for (let i = 0; i < 100; i++) await take('a', 1)
  t.equal(await take('a', 1), 10)
  pass(9)
  t.equal(await take('a', 1), 1)
  pass(1)
  t.equal(await take('a', 1), 0)
  t.equal(await take('a', 1), 10)
})

t.test('all at the same time get no more than one after the other', async (t) => {
  const { limiter, pass } = stage()
  const { take } = limiter('100/s')
  for (const _ of [1, 2]) {
    const answers = await Promise.all(Array.from({ length: 150 }, () => take('a', 1)))
    t.strictSame(answers, [...Array(100).fill(0), ...Array(50).fill(10)])
    pass(1000)
  }
})

t.test('each bucket is another', async (t) => {
  const { limiter } = stage()
  const { take } = limiter('1/s')
  for (const name of ['a', 'b', '__proto__', 'constructor', '']) {
    t.equal(await take(name, 1), 0, name)
    t.equal(await take(name, 1), 1000, name)
  }
})

t.test('buckets of different limits don’t meet', async (t) => {
  const { limiter, questions } = stage()
  const limits = ['subject', 'sub', undefined].map((prefix) =>
    limiter('1/s', prefix === undefined ? {} : { prefix }),
  )
  for (const { take } of limits) t.equal(await take('ject', 1), 0)
  t.strictSame(
    questions.map(({ bucket }) => bucket),
    ['subject:ject', 'sub:ject', 'ject'],
  )
})

t.test('without a limit nothing is asked', async (t) => {
  const { limiter, questions } = stage()
  const { take } = limiter('off')
  for (let i = 0; i < 1000; i++) if (take('a', 1e6) !== 0) t.fail('refused')
  t.equal(questions.length, 0)
})

t.test('a batch is granted as a whole or not at all, and paid for later', async (t) => {
  const { limiter, pass } = stage()
  const { take } = limiter('10/s')
  t.equal(await take('a', 25), 0, 'more than there ever is')
  t.equal(await take('a', 1), 1600)
  pass(1599)
  t.equal(await take('a', 1), 1)
  pass(1)
  t.equal(await take('a', 1), 0)
})

t.test(
  'a fast publisher costs about ten questions a second, and is mostly answered at once',
  async (t) => {
    const { limiter, pass, questions } = stage()
    const { take } = limiter('1000/s')
    let sync = 0
    const run = async (seconds: number) => {
      for (let i = 0; i < seconds * 500; i++) {
        const answer = take('a', 1)
        if (answer === 0) sync++
        else if ((await answer) !== 0) t.fail('refused')
        pass(2)
      }
    }
    await run(1)
    t.ok(questions.length <= 20, `${questions.length} questions in the first second`)
    const before = questions.length
    sync = 0
    await run(10)
    t.ok(questions.length - before <= 100, `${questions.length - before} questions in ten seconds`)
    t.ok(sync >= 4900, `${sync} of 5000 at once`)
    t.ok(
      questions.every(({ atMost }) => atMost <= 100),
      'a tenth of a second’s worth at most',
    )
  },
)

t.test('no more than a quarter is taken in advance', async (t) => {
  const { limiter, pass, questions } = stage()
  const { take } = limiter('100/s', { advance: 10_000 })
  for (let i = 0; i < 1000; i++) {
    await take('a', 1)
    pass(10)
  }
  t.equal(Math.max(...questions.map(({ atMost }) => atMost)), 25)
})

t.test('a flood that is refused costs no questions', async (t) => {
  const { limiter, pass, questions } = stage()
  const { take } = limiter('60/m')
  await take('a', 60)
  t.equal(await take('a', 1), 1000)
  const before = questions.length
  for (let i = 0; i < 999; i++) {
    pass(1)
    for (let j = 0; j < 10; j++) if (take('a', 1) !== 999 - i) t.fail(`after ${i + 1} ms`)
  }
  t.equal(questions.length, before)
  pass(1)
  t.equal(await take('a', 1), 0)
  t.equal(questions.length, before + 1)
})

t.test('twenty gateways that use little of a rate don’t use it up', async (t) => {
  const { limiter, pass } = stage()
  const gateways = Array.from({ length: 20 }, () => limiter('1000/s'))
  // 800 a second together: each has one in 25 ms.
  for (let i = 0; i < 400; i++) {
    for (const { take } of gateways) if ((await take('a', 1)) !== 0) t.fail(`refused at ${i * 25}`)
    pass(25)
  }
})

t.test('what was taken in advance is dropped after a second, and counts as spent', async (t) => {
  const { limiter, pass, questions } = stage()
  const { take } = limiter('1000/s')
  for (let i = 0; i < 130; i++) await take('a', 1)
  const inHand = questions.reduce((sum, { atMost }) => sum + atMost, 0) - 130
  t.ok(inHand > 50, `${inHand} in hand`)
  pass(999)
  t.equal(take('a', 1), 0, 'still there')
  pass(1)
  const asked = questions.length
  t.equal(await take('a', 1), 0)
  t.strictSame(questions[asked], { bucket: 'a', atLeast: 1, atMost: 1 }, 'and begins anew')
})

t.test('those who come at the same time share a question, and are served in order', async (t) => {
  const { asked, shared } = held()
  const { take } = createLimiter(shared, parseRate('1000/s'), { now: () => 0 })
  const order: string[] = []
  const all = [3, 1, 5, 2].map(async (units, i) => {
    const ms = await take('a', units)
    order.push(`${i}: ${ms}`)
  })
  t.match(asked, [{ atLeast: 3 }])
  asked[0]!.answer({ granted: 3, retryMs: 0 })
  await settled()
  t.equal(asked.length, 2)
  t.match(asked[1], { atLeast: 1, atMost: 8 })
  // Enough for the first of them, and for a part of the second.
  asked[1]!.answer({ granted: 4, retryMs: 0 })
  await settled()
  t.strictSame(order, ['0: 0', '1: 0'])
  t.match(asked[2], { atLeast: 2, atMost: 4 })
  t.type(take('a', 1), Promise, 'nobody overtakes')
  // Refused: who needs no more than what is in hand gets it.
  asked[2]!.answer({ granted: 0, retryMs: 7 })
  await Promise.all(all)
  t.strictSame(order, ['0: 0', '1: 0', '2: 7', '3: 0'])
  t.equal(asked.length, 3)
})

t.test('a question under way in one bucket holds up no other', async (t) => {
  const { asked, shared } = held()
  const { take } = createLimiter(shared, parseRate('10/s'), { now: () => 0 })
  const a = take('a', 1)
  const b = take('b', 1)
  t.equal(asked.length, 2)
  asked[1]!.answer({ granted: 1, retryMs: 0 })
  t.equal(await b, 0)
  asked[0]!.answer({ granted: 0, retryMs: 50 })
  t.equal(await a, 50)
})

t.test(
  'where nobody can be asked everybody who waits is told so, and the next one asks',
  async (t) => {
    const { asked, shared } = held()
    const { take } = createLimiter(shared, parseRate('10/s'), { now: () => 0 })
    const all = [take('a', 1), take('a', 1), take('a', 1)]
    asked[0]!.answer(new SluiceError('log_unavailable'))
    for (const one of all) await t.rejects(Promise.resolve(one), { code: 'log_unavailable' })
    const next = take('a', 1)
    asked[1]!.answer({ granted: 1, retryMs: 0 })
    t.equal(await next, 0)
    t.equal(asked.length, 2)
  },
)

t.test('what is in hand is given while nobody can be asked', async (t) => {
  const { asked, shared } = held()
  const { take } = createLimiter(shared, parseRate('1000/s'), { now: () => 0 })
  const first = take('a', 1)
  asked[0]!.answer({ granted: 3, retryMs: 0 })
  t.equal(await first, 0)
  const large = take('a', 10)
  asked[1]!.answer(new SluiceError('log_unavailable'))
  await t.rejects(Promise.resolve(large), { code: 'log_unavailable' })
  t.equal(take('a', 2), 0)
})

t.test('a clock that is set back doesn’t prolong a refusal', async (t) => {
  const { limiter, pass, questions } = stage()
  const { take } = limiter('60/m')
  await take('a', 60)
  t.equal(await take('a', 1), 1000)
  const before = questions.length
  pass(-3_600_000)
  await take('a', 1)
  t.equal(questions.length, before + 1)
})

t.test('a bucket is forgotten only when many others were used since', async (t) => {
  let questions = 0
  const take: Take = async () => {
    questions++
    return { granted: 0, retryMs: 60_000 }
  }
  const limiter = createLimiter({ take }, parseRate('1/h'), { now: () => 0 })
  const others = async (count: number, from: number) => {
    for (let i = 0; i < count; i++) await limiter.take(`${from + i}`, 1)
  }
  t.equal(await limiter.take('a', 1), 60_000)
  await others(49_999, 0)
  questions = 0
  t.equal(limiter.take('a', 1), 60_000)
  t.equal(questions, 0)
  await others(100_001, 50_000)
  questions = 0
  t.equal(await limiter.take('a', 1), 60_000)
  t.equal(questions, 1)
})

const RATES = ['1/s', '7/s', '40/s', '100/s', '1000/s', '90/m', '6000/m', '500/h']
/** Steps: time that passes, then takes of one bucket at one instant on some gateway. */
const steps = fc.array(
  fc.record({
    ms: fc.oneof(fc.constant(0), fc.nat(30), fc.nat(400), fc.nat(3000)),
    takes: fc.nat(60),
    units: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 20 })),
    gateway: fc.nat(2),
    together: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
)

t.test('over all gateways nobody gets more than the rate', async (t) => {
  let refused = 0
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...RATES), steps, async (text, some) => {
      const { limiter, pass } = stage()
      const gateways = [limiter(text), limiter(text), limiter(text)]
      const { amount, ms } = parseRate(text)
      let time = 0
      let granted = 0
      for (const step of some) {
        pass(step.ms)
        time += step.ms
        const { take } = gateways[step.gateway]!
        let answers = step.together
          ? await Promise.all(Array.from({ length: step.takes }, () => take('a', step.units)))
          : []
        for (let i = 0; !step.together && i < step.takes; i++) {
          answers = [...answers, await take('a', step.units)]
        }
        if (answers.some((wait) => !(wait >= 0 && Number.isInteger(wait)))) return false
        granted += answers.filter((wait) => wait === 0).length * step.units
        refused += answers.filter((wait) => wait > 0).length
        // A batch may be paid for later: all but one of its units.
        if (granted > amount + (time * amount) / ms + 19) return false
      }
      return true
    }),
    { numRuns: 300 },
  )
  t.ok(refused > 1000, 'takes that were refused')
})

t.test('nobody is refused who stays below nine tenths of the rate', async (t) => {
  // The last tenth is what may be dropped: a tenth of a second's worth, once a second.
  let granted = 0
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...RATES), steps, async (text, some) => {
      const { limiter, pass } = stage()
      const { take } = limiter(text)
      const { amount, ms } = parseRate(text)
      const allowed = amount * 0.9
      let level = allowed
      for (const step of some) {
        pass(step.ms)
        level = Math.min(allowed, level + (step.ms * allowed) / ms)
        const takes = Math.min(step.takes, Math.floor(level / step.units))
        level -= takes * step.units
        const answers = Array.from({ length: takes }, () => take('a', step.units))
        if ((await Promise.all(answers)).some((wait) => wait !== 0)) return false
        granted += takes
      }
      return true
    }),
    { numRuns: 500 },
  )
  t.ok(granted > 10_000, 'takes that were granted')
})
