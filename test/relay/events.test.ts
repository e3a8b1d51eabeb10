import fc from 'fast-check'
import t from 'tap'
import { createCutter, eventsOf } from '../../src/relay/events.js'
import type { RunEvent } from '../../src/runs/format.js'
import { failing } from './support/upstream.js'

const BYTES = 1000

/** All events of a body that comes in these parts, and how it ended. */
function cut(parts: readonly (string | Uint8Array)[], maxEventBytes = BYTES) {
  const cutter = createCutter({ maxEventBytes })
  const events: RunEvent[] = []
  for (const part of parts) {
    const { events: some, fault } = cutter.feed(Buffer.from(part))
    events.push(...some)
    if (fault !== undefined) return { events, fault: fault.code }
  }
  return { events, ...cutter.end() }
}

const message = (data: string) => ({ name: 'message', data })

t.test('names and data come as they were written', async (t) => {
  const body = [
    '\ufeffdata: {"a":  1}\n\n',
    'event: content_block_delta\ndata:two\ndata:  lines \n\n',
    'id: 7\nretry: 5\nx-own: 1\ndata: [DONE]\n\n',
    'event:\ndata: \n\n',
  ]
  t.same(cut(body), {
    events: [
      message('{"a":  1}'),
      { name: 'content_block_delta', data: 'two\n lines ' },
      message('[DONE]'),
      message(''),
    ],
    broken: false,
  })
})

t.test('comments and events without data stay behind', async (t) => {
  t.same(cut([': ping\n\n', ':\n', 'event: x\n\n', 'id: 1\n\n', 'data: a\n: b\ndata: c\n\n']), {
    events: [message('a\nc')],
    broken: false,
  })
})

t.test(
  'wherever a body is torn, and whatever ends its lines, its events are the same',
  async (t) => {
    const field = fc.constantFrom(
      'data: x',
      'data:',
      'data: é😀',
      'event: n',
      ': c',
      'id: 1',
      '',
      '',
    )
    const end = fc.constantFrom('\n', '\r', '\r\n')
    const lines = fc.array(field, { maxLength: 12 })
    fc.assert(
      fc.property(lines, end, fc.array(fc.nat(80), { maxLength: 6 }), (text, lineEnd, places) => {
        const bytes = Buffer.from([...text, '', ''].map((line) => line + lineEnd).join(''))
        const bounds = [0, ...places.filter((it) => it < bytes.length).sort((a, b) => a - b)]
        const parts = bounds.map((from, i) => bytes.subarray(from, bounds[i + 1]))
        return t.same(cut(parts), { events: naive(text), broken: false })
      }),
      { numRuns: 500 },
    )
  },
)

/** The standard's own steps, line by line. */
function naive(lines: readonly string[]): RunEvent[] {
  const events: RunEvent[] = []
  let name = ''
  let data: string[] = []
  for (const line of [...lines, '']) {
    if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''))
    else if (line.startsWith('event:')) name = line.slice(7)
    else if (line === '') {
      if (data.length > 0) events.push({ name: name || 'message', data: data.join('\n') })
      name = ''
      data = []
    }
  }
  return events
}

t.test('an event is there with its last byte, also where lines end in CR or CRLF', async (t) => {
  for (const body of ['data: x\n\n', 'data: x\r\r', 'data: x\r\n\r\n', 'data: x\r\n\r']) {
    const { feed, end } = createCutter({ maxEventBytes: BYTES })
    t.same(feed(Buffer.from(body)).events, [message('x')])
    t.same(feed(Buffer.from('\n')).events, [], 'and is no second one after its LF')
    t.same(end(), { broken: false })
  }
})

t.test('a flood of CRs costs no more than one of LFs', async (t) => {
  const cutter = createCutter({ maxEventBytes: BYTES })
  const from = performance.now()
  for (const lineEnd of ['\r', ':\r']) {
    cutter.feed(Buffer.alloc(1_000_000, lineEnd))
    t.same(cutter.feed(Buffer.from('data: x\r\r')).events, [message('x')])
  }
  // One look to the end of the part for each of them would take minutes.
  t.ok(performance.now() - from < 10_000)
})

t.test('a body that ends within an event has lost it, and says so', async (t) => {
  const whole = 'data: a\n\n'
  const torn = [
    ...[
      'd',
      'data',
      'data:',
      'data: b',
      'data: b\n',
      'data: b\r',
      'data:\n',
      'event: x\n',
      'event:',
    ],
    ...['i', ':x\ndata'],
  ]
  for (const rest of torn) {
    t.same(cut([whole, rest]), { events: [message('a')], broken: true }, JSON.stringify(rest))
  }
  // Nothing is lost with these.
  for (const rest of [
    '',
    '\n',
    ': comment\n',
    ': comm',
    ':',
    'id: 5\n',
    'id: 5',
    'retry: 1',
    '\r\n',
  ]) {
    t.same(cut([whole, rest]), { events: [message('a')], broken: false }, JSON.stringify(rest))
  }
  const half = Buffer.from('data: é').subarray(0, -1)
  t.same(cut([half]), { events: [], broken: true })
})

t.test('what is no UTF-8 becomes U+FFFD, and costs nothing else', async (t) => {
  const bad = Buffer.from([0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80])
  t.same(cut(['data: a', bad, '\n\ndata: b\n\n']), {
    events: [message('a\ufffd\ufffd(\ufffd\ufffd\ufffd'), message('b')],
    broken: false,
  })
})

t.test(
  'an event may be as large as allowed, and not a byte larger, however it comes',
  async (t) => {
    const name = 'n'.repeat(100)
    const bodies = (data: string) => [
      `event: ${name}\ndata: ${data}\n\n`,
      `data: ${data.slice(0, 10)}\ndata: ${data.slice(10)}\nevent: ${name}\n\n`,
    ]
    for (const torn of [false, true]) {
      const parts = (body: string) =>
        torn ? [...Buffer.from(body)].map((it) => Uint8Array.of(it)) : [body]
      for (const [i, body] of bodies('x'.repeat(900)).entries()) {
        // The LF between two lines of data is a byte of it.
        t.match(cut(parts(body), 1000 + i), { events: [{ name }], broken: false })
        t.same(cut(parts(body), 999 + i), { events: [], fault: 'event_too_large' })
      }
      const wide = `data: ${'é'.repeat(500)}\n\n`
      t.match(cut(parts(wide), 1007), { broken: false })
      t.same(cut(parts(wide), 1006), { events: [], fault: 'event_too_large' })
    }
  },
)

t.test('events before one that is too large are kept, and nothing after it is read', async (t) => {
  const body = `data: a\n\ndata: ${'x'.repeat(2000)}\n\ndata: b\n\n`
  t.same(cut([body]), { events: [message('a')], fault: 'event_too_large' })
  const cutter = createCutter({ maxEventBytes: BYTES })
  cutter.feed(Buffer.from(body))
  t.match(cutter.feed(Buffer.from('data: c\n\n')), {
    events: [],
    fault: { code: 'event_too_large' },
  })
  t.same(cutter.end(), { broken: true })
})

t.test('whatever never ends is given up near the limit', async (t) => {
  const part = 'x'.repeat(100)
  for (const begin of ['', 'data: ', ': ', 'event: ', 'id: ', 'data: x\ndata: ']) {
    const cutter = createCutter({ maxEventBytes: BYTES })
    cutter.feed(Buffer.from(begin))
    let taken = 0
    while (cutter.feed(Buffer.from(part)).fault === undefined && taken < 10_000) taken += 100
    t.ok(taken >= 900 && taken < 1200, `${begin}: ${taken}`)
  }
  const many = createCutter({ maxEventBytes: BYTES })
  let lines = 0
  while (many.feed(Buffer.from('data: 1234567\n')).fault === undefined && lines < 1000) lines++
  t.ok(lines < 150, 'an event of many lines')
})

t.test(
  'all that came with one part comes together; then the end, or why there is none',
  async (t) => {
    async function* body(...parts: string[]) {
      for (const part of parts) yield Buffer.from(part)
    }
    const read = async (...parts: string[]) => {
      const batches: number[] = []
      for await (const events of eventsOf(body(...parts), { maxEventBytes: BYTES })) {
        batches.push(events.length)
      }
      return batches
    }
    t.same(await read('data: a\n\ndata: b\n\nda', 'ta: c', '\n\n', ': x\n\n'), [2, 1])
    await failing(t, read('data: a\n\ndata: b\n'), 'broken')
    await failing(t, read(`data: ${'x'.repeat(2000)}`), 'event_too_large')
  },
)
