import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventSource } from 'eventsource'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { RunEvent } from '../../src/runs/format.js'
import { MAX_TEXT } from '../../src/runs/formats/reading.js'
import { detect, detectByHead, formatOf } from '../../src/runs/formats.js'
import type { RunFormat } from '../../src/runs/run.js'
import { GENERATIONS } from './support/generations.js'
import { chunks, READERS, type Seen } from './support/sdks.js'

const FORMATS = Object.keys(GENERATIONS) as RunFormat[]
const KNOWN = FORMATS.filter((it) => it !== 'plain')
const FAULT = { code: 'producer_gone', message: 'Its producer is gone' }

/** A server that answers every request with `given.events`, and ends cleanly. */
async function serve(t: Test) {
  const given: { events: readonly RunEvent[] } = { events: [] }
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    for (const { name, data } of given.events) {
      if (name !== 'message') response.write(`event: ${name}\n`)
      response.write(`data: ${data.replaceAll('\n', '\ndata: ')}\n\n`)
    }
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { given, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function readAll(name: RunFormat, events: readonly RunEvent[]) {
  const reading = formatOf(name).read()
  for (const event of events) reading.feed(event)
  return reading
}

for (const name of KNOWN) {
  const format = formatOf(name)
  const { events, open, text, usage } = GENERATIONS[name]

  for (const [way, read] of Object.entries(READERS[name as keyof typeof READERS])) {
    t.test(`${name}, ${way}: text and usage are what the SDK makes of them`, async (t) => {
      const { given, url } = await serve(t)
      given.events = events
      const seen: Seen = { text: '' }
      await read(url, seen)
      const reading = readAll(name, events)
      t.equal(reading.text, seen.text)
      t.equal(reading.text, text)
      t.same(reading.usage, seen.usage)
      t.same(reading.usage, usage)
      t.same(reading.end, { state: 'done' })
    })

    t.test(`${name}, ${way}: broken off anywhere, it is an error to the SDK`, async (t) => {
      const { given, url } = await serve(t)
      for (let kept = 0; kept <= open; kept++) {
        const before = events.slice(0, kept)
        t.equal(readAll(name, before).end, undefined)
        given.events = [...before, ...format.broken(FAULT, kept)]
        await t.rejects(read(url, { text: '' }), { message: /Its producer is gone/ }, `${kept}`)
      }
    })

    t.test(`${name}, ${way}: stopped, it is no whole text to the SDK`, async (t) => {
      const { given, url } = await serve(t)
      for (let kept = 1; kept <= open; kept++) {
        given.events = [...events.slice(0, kept), ...format.aborted(kept)]
        const seen: Seen = { text: '' }
        const reads = read(url, seen)
        if (name === 'ai-sdk') {
          // Ends quietly, as when the page itself had stopped: what had come stays.
          await reads
          t.equal(seen.text, readAll(name, given.events).text)
        } else {
          // Rejects. Anthropic's SDK has a `type` for programs, OpenAI's a `code`.
          const told = name === 'anthropic' ? { type: 'aborted' } : { code: 'aborted' }
          await t.rejects(reads, { ...told, message: /The generation was stopped/ }, `${kept}`)
        }
      }
    })
  }

  t.test(`${name}: its own last words are understood by whoever takes the run over`, async (t) => {
    const half = events.slice(0, 4)
    const broken = readAll(name, [...half, ...format.broken(FAULT)]).end
    t.match(broken, { state: 'error', error: { message: FAULT.message } })
    if (name !== 'ai-sdk') t.equal(broken?.error?.code, FAULT.code)
    t.same(readAll(name, [...half, ...format.aborted()]).end, { state: 'aborted' })
    // A code that others have, too, is nobody's stop.
    const theirs = format.broken({ code: 'aborted', message: 'Somebody hung up' })
    t.match(readAll(name, [...half, ...theirs]).end, { state: 'error' })
  })

  t.test(`${name}: a failure outweighs success, and nothing outweighs a failure`, async (t) => {
    const failed = [...events, ...format.broken(FAULT)]
    t.equal(readAll(name, failed).end?.state, 'error')
    t.equal(readAll(name, [...failed, ...events, ...format.aborted()]).end?.state, 'error')
  })

  t.test(`${name}: is known by its first event`, async (t) => {
    t.equal(detect(events[0]!), name)
  })
}

t.test('without last words a clean end counts as success: why there are any', async (t) => {
  const { given, url } = await serve(t)
  for (const name of KNOWN) {
    const { loop, transport } = READERS[name as keyof typeof READERS]
    const { events, open, text } = GENERATIONS[name]
    given.events = events.slice(0, open - 6)
    const seen: Seen = { text: '' }
    await (loop ?? transport)!(url, seen)
    t.ok(seen.text !== '' && text!.startsWith(seen.text), name)
  }
})

t.test('ai-sdk: the transport says that a run was stopped', async (t) => {
  const { given, url } = await serve(t)
  const { events } = GENERATIONS['ai-sdk']
  given.events = [...events.slice(0, 8), ...formatOf('ai-sdk').aborted()]
  const types: string[] = []
  for await (const { type } of await chunks(url)) types.push(type)
  t.equal(types.at(-1), 'abort')
})

t.test(
  'plain: an EventSource tells a failure from a lost connection, and hears of a stop',
  async (t) => {
    const { given, url } = await serve(t)
    const plain = formatOf('plain')
    given.events = [...GENERATIONS.plain.events, ...plain.broken(FAULT), ...plain.aborted()]
    const source = new EventSource(url)
    t.teardown(() => source.close())
    let pieces = 0
    source.onmessage = () => pieces++
    const data = (name: string) =>
      new Promise<unknown>((resolve) => {
        source.addEventListener(name, (event) => {
          if ('data' in event) resolve(JSON.parse(String(event.data)))
        })
      })
    const told = await Promise.all([data('error'), data('aborted')])
    t.same(told, [{ error: FAULT }, { message: 'The generation was stopped' }])
    t.equal(pieces, GENERATIONS.plain.events.length)
    const reading = readAll('plain', given.events)
    t.same([reading.text, reading.usage, reading.end], [undefined, undefined, undefined])
  },
)

t.test('errors that producers tell are the run’s', async (t) => {
  const cases: readonly [RunFormat, string, string, object][] = [
    [
      'openai.chat',
      'message',
      '{"error":{"message":"m","type":"t","code":null}}',
      { code: 't', message: 'm' },
    ],
    ['openai.chat', 'message', '{"error":"m"}', { code: 'generation_failed', message: 'm' }],
    [
      'openai.chat',
      'error',
      '{"message":"m","code":500}',
      { code: 'generation_failed', message: 'm' },
    ],
    ['openai.chat', 'error', 'Oh', { code: 'generation_failed', message: 'The generation failed' }],
    [
      'openai.responses',
      'error',
      '{"type":"error","code":"c","message":"m","param":null}',
      { code: 'c', message: 'm' },
    ],
    [
      'openai.responses',
      'error',
      '{"type":"error","error":{"type":"t","code":"c","message":"m"}}',
      { code: 'c', message: 'm' },
    ],
    [
      'openai.responses',
      'response.failed',
      '{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}',
      { code: 'c', message: 'm' },
    ],
    [
      'anthropic',
      'error',
      '{"type":"error","error":{"type":"overloaded_error","message":"m"}}',
      { code: 'overloaded_error', message: 'm' },
    ],
    [
      'ai-sdk',
      'message',
      '{"type":"error","errorText":"m"}',
      { code: 'generation_failed', message: 'm' },
    ],
  ]
  for (const [format, name, data, error] of cases) {
    t.same(readAll(format, [{ name, data }]).end, { state: 'error', error }, data)
  }
  const long = JSON.stringify({ error: { code: 'c'.repeat(99), message: 'm'.repeat(1e6) } })
  const { end } = readAll('openai.chat', [{ name: 'message', data: long }])
  t.equal(end?.error?.code, 'generation_failed')
  t.equal(end?.error?.message.length, 1000)
})

t.test('a response that a limit cut short has ended', async (t) => {
  const data = '{"type":"response.incomplete","response":{"usage":{"output_tokens":5}}}'
  const reading = readAll('openai.responses', [{ name: 'response.incomplete', data }])
  t.same(reading.end, { state: 'done' })
  t.same(reading.usage, { output: 5 })
})

t.test('an AI SDK’s usage is found where applications put it', async (t) => {
  for (const metadata of [
    { totalTokens: 9 },
    { usage: { totalTokens: 9, inputTokens: -1 } },
    { totalUsage: { totalTokens: 9, outputTokens: '4' }, usage: { totalTokens: 1 } },
  ]) {
    const data = JSON.stringify({ type: 'finish', messageMetadata: metadata })
    t.same(readAll('ai-sdk', [{ name: 'message', data }]).usage, { total: 9 })
  }
})

t.test('text beyond the cap is no text, rather than a part of it', async (t) => {
  const reading = formatOf('ai-sdk').read()
  // Three bytes each, as UTF-8.
  const delta = '€'.repeat(1000)
  const data = JSON.stringify({ type: 'text-delta', id: 't', delta })
  const fits = Math.floor(MAX_TEXT / 3000)
  for (let i = 0; i < fits; i++) reading.feed({ name: 'message', data })
  t.equal(reading.text?.length, fits * 1000)
  t.ok(reading.text === delta.repeat(fits))
  reading.feed({ name: 'message', data })
  t.equal(reading.text, undefined)
  reading.feed({ name: 'message', data: '{"type":"text-delta","id":"t","delta":"x"}' })
  t.equal(reading.text, undefined)
  reading.feed({ name: 'message', data: '[DONE]' })
  t.same(reading.end, { state: 'done' })
})

t.test('nothing that is sent makes a reading throw, or stands for what it isn’t', async (t) => {
  const seeds = FORMATS.flatMap((name) => GENERATIONS[name].events)
  const names = fc.constantFrom(...new Set(seeds.map(({ name }) => name)), 'error', 'toString', '')
  const keys = ['type', 'choices', 'delta', 'usage', 'error', 'response', 'message', 'content']
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, 0, -1, 1e300, true, '', 'text_delta', 'error', 'text-delta', 'finish'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys, '__proto__', 'constructor'), tie('value')),
    ),
  })).value
  const data = fc.oneof(
    json.map((it) => JSON.stringify(it)),
    fc.string(),
    fc.constantFrom('{', '[DONE]', '{"a":', 'null', '[]'),
    fc
      .tuple(fc.constantFrom(...seeds), fc.nat(), fc.string({ maxLength: 3 }))
      .map(([seed, at, put]) => {
        const i = at % (seed.data.length + 1)
        return seed.data.slice(0, i) + put + seed.data.slice(i + put.length)
      }),
  )
  fc.assert(
    fc.property(fc.array(fc.record({ name: names, data }), { maxLength: 20 }), (events) => {
      for (const name of FORMATS) {
        const { text, usage, end } = readAll(name, events)
        if (name !== 'plain' && typeof text !== 'string') throw new Error('no text')
        for (const count of Object.values(usage ?? {})) {
          if (!Number.isSafeInteger(count)) throw new Error(`${count} tokens`)
        }
        if (end?.state === 'error' && typeof end.error?.message !== 'string') throw new Error('end')
      }
      for (const event of events) detect(event)
    }),
    { numRuns: 1000 },
  )
  for (const name of KNOWN) {
    const inner = '{"type":"error","error":{"message":"m"},"choices":[{"delta":{"content":"x"}}]}'
    const reading = readAll(name, [{ name: 'message', data: `{"__proto__":${inner}}` }])
    t.same([reading.text, reading.end], ['', undefined], name)
  }
})

t.test('what begins like nothing that is known is not guessed at', async (t) => {
  for (const [name, data] of [
    ['message', 'Hello'],
    ['message', '{"type":"start","job":7}'],
    ['message', '{"type":"RUN_STARTED","threadId":"t"}'],
    ['message', '{"choices":[{"text":"a legacy completion"}]}'],
    ['error', '{"type":"error","error":{"type":"overloaded_error"}}'],
    ['progress', '{"type":"start"}'],
  ] as const) {
    t.equal(detect({ name, data }), undefined, data)
  }
  const azure = '{"id":"","object":"","model":"","choices":[],"prompt_filter_results":[]}'
  t.equal(detect({ name: 'message', data: azure }), 'openai.chat')
})

t.test('the head may say it before any event', async (t) => {
  const head = { 'x-vercel-ai-ui-message-stream': 'v1' }
  t.equal(detectByHead(head, '/v1/messages'), 'ai-sdk')
  t.equal(detectByHead({}, '/v1/chat/completions?api-version=1'), 'openai.chat')
  t.equal(detectByHead({}, 'chat/completions/'), 'openai.chat')
  t.equal(detectByHead({}, '/openai/responses'), 'openai.responses')
  t.equal(detectByHead({}, '/v1/messages'), 'anthropic')
  for (const path of ['', '/', '/v1/completions', '/v1/messages/batches', '/mymessages']) {
    t.equal(detectByHead({}, path), undefined, path)
  }
})
