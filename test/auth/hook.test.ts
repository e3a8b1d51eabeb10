import fc from 'fast-check'
import t, { type Test } from 'tap'
import { createHook, type HookOptions, type HookQuestion } from '../../src/auth/hook.js'
import { type Backend, type Reply, startBackend } from './support/backend.js'
import { createClock } from './support/clock.js'
import { createLog } from './support/log.js'
import { refusal } from './support/verifier.js'

/** A backend that allows everything, and a hook that asks it. */
async function hooked(t: Test, options: Partial<HookOptions> = {}) {
  const backend = await startBackend(t)
  backend.answer = () => ({ body: { allow: true } })
  const clock = createClock(0)
  const log = createLog()
  const url = `${backend.url}may?key=s3cret`
  const hook = createHook({ url, key: 'hook-k3y', logger: log, now: clock.now, ...options })
  t.teardown(() => hook.stop())
  return { backend, clock, log, hook, ask: async (it: HookQuestion) => hook.ask(it) }
}

const question = (changes: Partial<HookQuestion> = {}): HookQuestion => ({
  action: 'subscribe',
  subject: 'alice',
  channels: ['chat:7'],
  address: '203.0.113.7',
  ...changes,
})

const asked = ({ asked }: Backend) => asked.map(({ body }) => JSON.parse(body))
const closed = { ...refusal('authorization_unavailable'), status: 503, retryAfter: 1 }

t.test('the endpoint is told who wants what on which channels, and from where', async (t) => {
  const { backend, ask } = await hooked(t)
  t.same(await ask(question({ channels: ['chat:7', 'chat:8'] })), [])
  t.same(await ask(question({ action: 'publish', subject: undefined })), [])
  t.match(backend.asked[0], {
    method: 'POST',
    path: '/may?key=s3cret',
    headers: { 'content-type': 'application/json', authorization: 'Bearer hook-k3y' },
  })
  const address = '203.0.113.7'
  t.strictSame(asked(backend), [
    { action: 'subscribe', subject: 'alice', channels: ['chat:7', 'chat:8'], address },
    { action: 'publish', subject: null, channels: ['chat:7'], address },
  ])
})

t.test('without a key no credentials are sent', async (t) => {
  const { backend, ask } = await hooked(t, { key: undefined })
  await ask(question())
  t.equal(backend.asked[0]?.headers.authorization, undefined)
})

t.test('what it answers counts: all, none, or those that it doesn’t name', async (t) => {
  const { backend, ask } = await hooked(t, { cacheMs: 0 })
  const channels = ['a', 'b', 'c']
  const answers: [reply: Reply, refused: readonly string[]][] = [
    [{ body: { allow: true } }, []],
    [{ body: { allow: false } }, channels],
    [{ body: { denied: [] } }, []],
    [{ body: { denied: ['b'] } }, ['b']],
    [{ body: { denied: ['c', 'a', 'c'] } }, ['a', 'c']],
    [{ body: { allow: true, denied: ['b'] } }, ['b']],
    [{ body: { allow: false, denied: [] } }, channels],
    [{ body: { allow: true, more: 'of it' } }, []],
    [{ status: 403 }, channels],
    [{ status: 403, body: { allow: true } }, channels],
  ]
  for (const [reply, refused] of answers) {
    backend.answer = () => reply
    t.strictSame(await ask(question({ channels })), refused, JSON.stringify(reply))
  }
})

t.test('whatever else it answers, the door stays closed', async (t) => {
  const { backend, ask, log } = await hooked(t)
  const allow = { allow: true }
  const replies: Reply[] = [
    ...[201, 204, 301, 302, 307, 400, 401, 404, 429, 500, 503].map((status) => ({
      status,
      headers: { location: '/allowed' },
      body: status === 204 ? undefined : allow,
    })),
    ...['', 'true', 'null', '[]', '"allow"', '{', '{}', '<html>', '{"allow":true}x'].map(
      (body) => ({
        body,
      }),
    ),
    ...['true', 1, null, 'yes', [true], {}].map((it) => ({ body: { allow: it } })),
    ...['chat:7', null, {}, true, [1], [null], [['chat:7']]].map((denied) => ({
      body: { denied },
    })),
    { body: { allow: 'no', denied: [] } },
    { body: { allow: true, denied: 'chat:7' } },
    // It means one of ours under another name: letting it in would be the opposite.
    { body: { denied: ['CHAT:7'] } },
    { body: { denied: ['chat:7', 'chat:8'] } },
    { body: JSON.stringify(allow).padEnd(2 * 1024 * 1024) },
  ]
  for (const reply of replies) {
    backend.answer = ({ path }) => (path === '/allowed' ? { body: allow } : reply)
    await t.rejects(ask(question()), closed, JSON.stringify(reply).slice(0, 80))
  }
  t.equal(backend.asked.length, replies.length, 'asked each time: a failure is not remembered')
  t.equal(log.lines.length, 1)
  backend.answer = () => ({ body: allow })
  t.same(await ask(question()), [])
})

t.test('it fails, is late or can’t be reached: the door stays closed', async (t) => {
  const { backend, ask } = await hooked(t, { timeoutMs: 50 })
  backend.answer = () => new Promise(() => {})
  await t.rejects(ask(question()), closed, 'late')
  await backend.stop()
  await t.rejects(ask(question()), closed, 'away')
})

t.test('31: a hook at a metadata service is never asked', async (t) => {
  const { ask } = await hooked(t, { url: 'http://169.254.169.254/latest/meta-data/' })
  await t.rejects(ask(question()), closed)
})

t.test('an answer counts for as long as configured, and not a millisecond longer', async (t) => {
  const { backend, clock, hook, ask } = await hooked(t, { cacheMs: 5000 })
  t.same(await ask(question()), [])
  clock.advance(4999)
  t.same(hook.ask(question()), [], 'synchronous')
  clock.advance(1)
  backend.answer = () => ({ body: { allow: false } })
  t.same(await ask(question()), ['chat:7'])
  t.same(hook.ask(question()), ['chat:7'], 'a refusal is remembered as well')
  t.equal(backend.asked.length, 2)
})

t.test('it counts from the question on, however long the answer takes', async (t) => {
  const { backend, clock, ask } = await hooked(t, { cacheMs: 5000 })
  backend.answer = () => {
    clock.advance(5000)
    return { body: { allow: true } }
  }
  await ask(question())
  await ask(question())
  t.equal(backend.asked.length, 2)
})

t.test('with a cache of 0 ms each question is asked', async (t) => {
  const { backend, ask } = await hooked(t, { cacheMs: 0 })
  for (let i = 0; i < 3; i++) await ask(question())
  t.equal(backend.asked.length, 3)
})

t.test('only what isn’t known is asked for, each channel once', async (t) => {
  const { backend, hook, ask } = await hooked(t)
  backend.answer = ({ body }) => {
    const { channels } = JSON.parse(body)
    return { body: { denied: channels.filter((it: string) => it.startsWith('x')) } }
  }
  t.same(await ask(question({ channels: ['a', 'x1', 'a'] })), ['x1'])
  t.same(await ask(question({ channels: ['b', 'x1', 'a', 'x2'] })), ['x1', 'x2'])
  t.same(hook.ask(question({ channels: ['x2', 'a', 'x1', 'x2', 'b'] })), ['x2', 'x1'])
  t.same(
    asked(backend).map(({ channels }) => channels),
    [
      ['a', 'x1'],
      ['b', 'x2'],
    ],
  )
  t.same(hook.ask(question({ channels: [] })), [])
})

t.test(
  'equal questions at one time are asked once, and overlapping ones for what is new',
  async (t) => {
    const { backend, ask } = await hooked(t)
    backend.answer = ({ body }) => {
      const { channels } = JSON.parse(body)
      return { body: { denied: channels.filter((it: string) => it === 'b') } }
    }
    const answers = await Promise.all([
      ask(question({ channels: ['a', 'b'] })),
      ask(question({ channels: ['a', 'b'] })),
      ask(question({ channels: ['b', 'c'] })),
    ])
    t.same(answers, [['b'], ['b'], ['b']])
    t.same(
      asked(backend)
        .map(({ channels }) => channels)
        .sort(),
      [['a', 'b'], ['c']],
    )
  },
)

t.test(
  'all who share a question that fails are refused, and the next one is asked anew',
  async (t) => {
    const { backend, ask } = await hooked(t)
    backend.answer = () => ({ status: 500 })
    const answers = await Promise.allSettled([ask(question()), ask(question())])
    t.match(answers, [{ reason: closed }, { reason: closed }])
    t.equal(backend.asked.length, 1)
    backend.answer = () => ({ body: { allow: true } })
    t.same(await ask(question()), [])
  },
)

t.test('10: what is granted on a_b and c says nothing of a and b_c', async (t) => {
  const { backend, ask } = await hooked(t)
  backend.answer = ({ body }) => {
    const { subject, channels } = JSON.parse(body)
    return { body: { allow: subject === 'a_b' && channels[0] === 'c' } }
  }
  t.same(await ask(question({ subject: 'a_b', channels: ['c'] })), [])
  t.same(await ask(question({ subject: 'a', channels: ['b_c'] })), ['b_c'])
  t.equal(backend.asked.length, 2)
})

t.test('10: no two questions share an answer, whatever stands in them', async (t) => {
  const { backend, hook, ask } = await hooked(t)
  backend.answer = () => ({ body: { allow: true } })
  // Subjects are any text; channels have no quotes, but the gateway may be asked by other ways one day.
  const piece = fc.constantFrom(
    'a',
    'b',
    '_',
    ':',
    '"',
    ',',
    '\\',
    ' ',
    '\0',
    '\n',
    '[',
    'null',
    '\ud800',
    '\ufffd',
  )
  const text = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''))
  const one = fc.record({
    action: fc.constantFrom('subscribe', 'publish'),
    subject: fc.option(text, { nil: undefined }),
    channel: text,
    address: fc.constantFrom('203.0.113.7', '203.0.113.70', ''),
  })
  const answered = new Set<string>()
  const exact = ({ action, subject, channel, address }: Record<string, string | undefined>) =>
    [action, subject === undefined ? 'none' : `some ${subject}`, channel, address]
      .map((it) => `${it?.length}:${it}`)
      .join()
  await fc.assert(
    fc.asyncProperty(one, async ({ action, subject, channel, address }) => {
      const name = exact({ action, subject, channel, address })
      const it = { action, subject, channels: [channel], address } as const
      const known = Array.isArray(hook.ask(it))
      await ask(it)
      const expected = answered.has(name)
      answered.add(name)
      return known === expected
    }),
    { numRuns: 400 },
  )
  t.equal(backend.asked.length, answered.size)
})

t.test('an address is a part of the question: the endpoint may judge by it', async (t) => {
  const { backend, ask } = await hooked(t)
  backend.answer = ({ body }) => ({ body: { allow: JSON.parse(body).address === '10.0.0.1' } })
  t.same(await ask(question({ address: '10.0.0.1' })), [])
  t.same(await ask(question({ address: '203.0.113.7' })), ['chat:7'])
})

t.test('what is remembered is bounded: what nobody asked for lately is asked anew', async (t) => {
  const { backend, hook, ask } = await hooked(t)
  const many = (from: number) => Array.from({ length: 1000 }, (_, i) => `c${from + i}`)
  for (let from = 0; from < 21_000; from += 1000) {
    await ask(question({ channels: many(from) }))
    // Somebody who comes again and again.
    t.type(hook.ask(question({ channels: ['c0'] })), Array)
  }
  t.equal(backend.asked.length, 21)
  await ask(question({ channels: ['c1'] }))
  t.equal(backend.asked.length, 22)
})

t.test('many questions at one time are all answered', async (t) => {
  const { backend, ask } = await hooked(t)
  const warned: Error[] = []
  const keep = (warning: Error) => warned.push(warning)
  process.on('warning', keep)
  t.teardown(() => process.off('warning', keep))
  const subjects = Array.from({ length: 200 }, (_, i) => `user ${i}`)
  const answers = await Promise.all(subjects.map((subject) => ask(question({ subject }))))
  t.equal(answers.flat().length, 0)
  t.equal(backend.asked.length, 200)
  t.ok(backend.connections <= 32, `${backend.connections} connections`)
  t.same(warned, [])
})

t.test('an endpoint that fails is said at once, and then in sums every ten seconds', async (t) => {
  const { backend, clock, log, ask } = await hooked(t)
  backend.answer = () => ({ status: 500, body: 'b0dy' })
  const fail = async (times: number) => {
    for (let i = 0; i < times; i++) await t.rejects(ask(question()), closed)
  }
  await fail(5)
  clock.advance(9_999)
  await fail(5)
  t.equal(log.lines.length, 1)
  clock.advance(1)
  await fail(5)
  t.match(log.lines, [
    { level: 'warn', fields: { failures: 1, reason: 'it answered 500' } },
    { level: 'warn', fields: { failures: 10 } },
  ])
  t.notMatch(JSON.stringify(log.lines), /s3cret|k3y|b0dy|alice|chat:7/)
})

t.test('a client learns nothing of why', async (t) => {
  const { backend, ask } = await hooked(t)
  backend.answer = () => ({ status: 500, body: 'b0dy' })
  const error = await ask(question()).catch((it) => it)
  t.notMatch(JSON.stringify(error.toProblem()), /500|b0dy|127\.0\.0\.1|s3cret|k3y/)
})

t.test('once stopped whoever waits is refused, and nothing is said of it', async (t) => {
  const { backend, hook, log, ask } = await hooked(t)
  backend.answer = () => new Promise(() => {})
  const next = backend.next()
  const waiting = ask(question())
  await next
  hook.stop()
  await t.rejects(waiting, closed)
  await t.rejects(ask(question()), closed)
  t.same(log.lines, [])
})
