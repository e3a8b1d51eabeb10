/** What a signal may be. */
import t from 'tap'
import { readSignals } from '../../src/rooms/signals.js'

const signal = (more: object = {}) => ({ to: 'bob', type: 'offer', messageId: 'm1', ...more })

const refusal = (body: unknown) => {
  try {
    readSignals(typeof body === 'string' ? body : JSON.stringify(body))
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}

t.test('data goes on as it came', async (t) => {
  const [one] = readSignals(
    '{"to":"b","type":"x-a.b_c-d","messageId":"~","data": {"n":1.0, "m":1e400}}',
  )
  t.equal(one?.data, '{"n":1.0, "m":1e400}')
  t.match(readSignals(JSON.stringify(signal())), [{ data: 'null', seq: undefined }])
})

t.test('types and their numbers', async (t) => {
  for (const type of [
    'offer',
    'answer',
    'candidates',
    'restart',
    'bye',
    'x-1',
    `x-${'a'.repeat(62)}`,
  ]) {
    t.equal(refusal(signal({ type })), 'ok', type)
  }
  for (const type of [
    '',
    'Offer',
    'expired',
    'x-',
    'x-ä',
    'x-a b',
    `x-${'a'.repeat(63)}`,
    7,
    null,
  ]) {
    t.equal(refusal(signal({ type })), 'signal_invalid', String(type))
  }
})

t.test('wrong members are refused, and named', async (t) => {
  const wrong = [
    ...[{ to: 'a:b' }, { to: '' }, { to: 'x'.repeat(129) }, { to: undefined }],
    ...[
      { toIncarnation: 1 },
      { messageId: '' },
      { messageId: 'a b' },
      { messageId: 'x'.repeat(65) },
    ],
    ...[{ seq: 0 }, { seq: 1.5 }, { seq: '1' }, { from: 'somebody else' }],
  ]
  for (const more of wrong) t.equal(refusal(signal(more)), 'signal_invalid', JSON.stringify(more))
  for (const body of [[], 'null', '7', '[[]]', [signal(), 7]])
    t.equal(refusal(body), 'signal_invalid')
  t.equal(refusal('{'), 'body_invalid')
  try {
    readSignals(JSON.stringify([signal(), signal({ type: 'no' })]))
    t.fail('it was taken')
  } catch (error) {
    t.match(error, { extensions: { item: 1 } })
  }
})

t.test('sizes have an end', async (t) => {
  t.equal(refusal(Array.from({ length: 100 }, () => signal())), 'ok')
  t.equal(refusal(Array.from({ length: 101 }, () => signal())), 'signal_invalid')
  t.equal(refusal(signal({ data: 'x'.repeat(65_534) })), 'ok')
  t.equal(refusal(signal({ data: 'x'.repeat(65_535) })), 'event_too_large')
  const candidates = Array(101).fill({ candidate: '' })
  const many = signal({ type: 'candidates', data: candidates })
  t.equal(refusal(many), 'signal_invalid')
  t.equal(refusal({ ...many, data: { candidates } }), 'signal_invalid')
  t.equal(refusal({ ...many, data: candidates.slice(1) }), 'ok')
  t.equal(refusal({ ...many, data: null }), 'ok')
})

t.test('numbers go up one by one, or there are none', async (t) => {
  const numbered = (...numbers: (number | undefined)[]) =>
    refusal(numbers.map((seq) => signal(seq === undefined ? {} : { seq })))
  t.equal(numbered(5, 6, 7), 'ok')
  t.equal(numbered(undefined, undefined), 'ok')
  for (const wrong of [
    [5, 7],
    [5, 5],
    [6, 5],
    [undefined, 1],
    [1, undefined],
  ]) {
    t.equal(numbered(...wrong), 'signal_invalid', String(wrong))
  }
})
