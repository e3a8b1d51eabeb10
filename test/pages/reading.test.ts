/** What `/tokens` makes of a run's items, whoever wrote them. */
import t from 'tap'
import { NOTHING, take } from '../../src/pages/tokens/reading.js'

/** An object that becomes no text, neither by itself nor in a template. */
const POISON = { toString: null, valueOf: null }

const after = (...items: unknown[]) =>
  items.reduce(
    (reading: typeof NOTHING, data, i) => take(reading, { id: `${i}-0`, name: 'message', data }),
    NOTHING,
  )

t.test('a question, tokens and an end, parsed or as text', async (t) => {
  const items = [{ question: 'Why?' }, { token: 'So' }, { token: '.' }, { done: true }]
  const whole = { phase: 'done', question: 'Why?', text: 'So.', tokens: 2, lastId: '3-0' }
  t.match(after(...items), whole)
  t.match(after(...items.map((item) => JSON.stringify(item))), whole)
})

t.test('what is none of these is passed over, and the rest read', async (t) => {
  for (const odd of [null, 7, 'no JSON', [], POISON, { question: POISON }, { token: POISON }]) {
    const reading = after(odd, { token: 'hello' }, { done: true })
    t.match(reading, { phase: 'done', question: '', text: 'hello', tokens: 1 }, JSON.stringify(odd))
  }
})

t.test('an end that the gateway tells', async (t) => {
  const end = (name: string, data: unknown) => take(NOTHING, { id: '1-0', name, data })
  t.match(end('error', '{"error":{"message":"gone"}}'), { phase: 'failed', error: 'gone' })
  t.match(end('error', { error: { message: POISON } }), { phase: 'failed', error: undefined })
  t.match(end('aborted', 'null'), { phase: 'stopped' })
})
