/** What is written as one block is read as one event, whatever stands in it and wherever it is cut. */
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import t from 'tap'
import { envelopeJson, MAX_NAME_LENGTH, nameFault, type StoredEvent } from '../../src/wire/event.js'
import {
  comment,
  dataLines,
  eventBlock,
  eventBlockWithId,
  type Format,
  namedBlock,
  rawData,
  retryLine,
} from '../../src/wire/sse.js'
import { hostileString, jsonText } from './hostile.js'

const ORDER = 1763675123456 * 4096 + 7
const ID = '1763675123456-4103'
const event = (data: string, name = 'message', sender?: string): StoredEvent => ({
  channel: 'chat:7',
  name,
  data,
  sender,
  order: ORDER,
  tag: 1,
})
const NEXT = eventBlockWithId({ ...event('"next"'), order: ORDER + 1 }, 'raw')
const NEXT_READ = { id: '1763675123456-4104', event: undefined, data: 'next' }

/** Reads bytes that arrive in the given chunks. */
function read(chunks: Iterable<Uint8Array>): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  const parser = createParser({
    onEvent: (e) => events.push(e),
    onError: (error) => {
      throw error
    },
  })
  const decoder = new TextDecoder()
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }))
  return events
}

function* cut(bytes: Uint8Array, size: number): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** What a raw reader gets of a string: line ends as LF, and only what UTF-8 can say. */
const asRead = (text: string): string =>
  text.replace(/\r\n|\r/g, '\n').replace(/\p{Cs}/gu, '\ufffd')

function readsBack(got: readonly EventSourceMessage[], sent: StoredEvent, format: Format): boolean {
  const [first, second, third] = got
  if (first === undefined || second === undefined || third !== undefined) return false
  if (JSON.stringify(second) !== JSON.stringify(NEXT_READ)) return false
  if (first.id !== ID || (first.event ?? 'message') !== sent.name) return false
  if (format === 'raw') return first.data === asRead(rawData(sent.data))
  const envelope = JSON.parse(first.data)
  return (
    JSON.stringify(envelope.data) === JSON.stringify(JSON.parse(sent.data)) &&
    envelope.channel === sent.channel &&
    envelope.id === ID &&
    envelope.sender === sent.sender &&
    envelope.time === 1763675123456
  )
}

const formats = fc.constantFrom<Format>('envelope', 'raw')
const names = fc
  .oneof(hostileString, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }))
  .filter((name) => nameFault(name) === undefined)
const senders = fc.option(hostileString, { nil: undefined })

t.test('one block is one event, cut at any byte', async () => {
  fc.assert(
    fc.property(jsonText, names, senders, formats, (data, name, sender, format) => {
      const sent = event(data, name, sender)
      const bytes = new TextEncoder().encode(eventBlockWithId(sent, format) + NEXT)
      for (let at = 0; at <= bytes.length; at++) {
        if (!readsBack(read([bytes.subarray(0, at), bytes.subarray(at)]), sent, format))
          return false
      }
      return readsBack(read(cut(bytes, 1)), sent, format)
    }),
    { numRuns: 150 },
  )
})

t.test('no carriage return is ever written, so no cut can fall inside a line end', async () => {
  fc.assert(
    fc.property(
      jsonText,
      formats,
      hostileString,
      (data, format, text) =>
        !`${eventBlock(event(data), format)}${comment(text)}${dataLines(text)}`.includes('\r'),
    ),
  )
})

t.test('every line of data is a data line, the block ends with the only blank line', async () => {
  fc.assert(
    fc.property(hostileString, (text) => {
      const lines = dataLines(text).split('\n')
      return lines.pop() === '' && lines.every((line) => line.startsWith('data: '))
    }),
  )
})

t.test('values of a megabyte arrive whole', async (t) => {
  const MB = 1024 * 1024
  for (const unit of [
    'a',
    '\n',
    '\r',
    '\r\n',
    '"',
    '\\',
    '😀',
    '\u2028',
    '\0',
    'data: ',
    ' ',
    '\ud800',
  ]) {
    const sent = event(JSON.stringify(unit.repeat(MB / unit.length)))
    for (const format of ['envelope', 'raw'] as const) {
      const bytes = new TextEncoder().encode(eventBlockWithId(sent, format) + NEXT)
      t.ok(
        readsBack(read(cut(bytes, 65_521)), sent, format),
        `${encodeURI(unit.replace(/\p{Cs}/gu, 'lone'))} ${format}`,
      )
    }
  }
})

t.test('an event without a position has no id', async (t) => {
  const { order: _, tag: __, ...rest } = event('{"typing":true}', 'typing')
  const block = eventBlock({ ...rest, time: 5 }, 'envelope')
  t.strictSame(read([new TextEncoder().encode(block)]), [
    {
      id: undefined,
      event: 'typing',
      data: '{"channel":"chat:7","data":{"typing":true},"time":5}',
    },
  ])
})

t.test('data keeps its spelling in the envelope', async (t) => {
  t.match(envelopeJson(event('12345678901234567890')), '"data":12345678901234567890,')
  t.match(envelopeJson(event('{"a":1.0}')), '"data":{"a":1.0},')
})

t.test('a raw string is a string whatever white space stands around its quotes', async (t) => {
  t.equal(rawData('\r\n "a" '), 'a')
  t.equal(rawData(' 1.0'), ' 1.0')
  t.equal(rawData('""'), '')
})

t.test('control events, comments and retry stand beside events without touching them', async () => {
  fc.assert(
    fc.property(hostileString, hostileString, (text, reason) => {
      const stream = `${retryLine(1000.4)}${comment(text)}${namedBlock('stream.end', { reason }, ID)}${comment(text)}${NEXT}`
      const [end, next, more] = read([new TextEncoder().encode(stream)])
      return (
        end?.event === 'stream.end' &&
        end.id === ID &&
        JSON.parse(end.data).reason === reason &&
        JSON.stringify(next) === JSON.stringify(NEXT_READ) &&
        more === undefined
      )
    }),
  )
})

t.test('names that can’t travel are refused', async (t) => {
  const refused = [
    '',
    'x'.repeat(MAX_NAME_LENGTH + 1),
    'a\nb',
    'a\rb',
    'a\0b',
    'a\x7f',
    'a\u0085b',
    'a\u2028b',
    'a\u2029b',
    '\ud800',
    'a\udc00b',
    ' a',
    'a ',
    '\ufeffa',
    'a\ufeff',
    '\u00a0a',
    ' ',
    'error',
    'open',
    'stream.gap',
    'presence.x',
    'participant.',
    'room.x',
    'signal.offer',
  ]
  for (const name of refused)
    t.type(nameFault(name), 'string', encodeURI(name.replace(/\p{Cs}/gu, 'lone')))
  const accepted = [
    'x',
    'x'.repeat(MAX_NAME_LENGTH),
    ':',
    ':a',
    'a b',
    'data: x',
    'é',
    '😀',
    'a\ufeffb',
    'message',
    'errors',
    'Error',
    'stream',
    'streams.x',
    '__proto__',
  ]
  for (const name of accepted) t.equal(nameFault(name), undefined, encodeURI(name))
})
