import t from 'tap'
import { draftOfEntry, draftOfMessage } from '../../src/ingest/message.js'
import { SluiceError } from '../../src/wire/errors.js'

const MAX = 1000

function codeOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    if (error instanceof SluiceError) return error.code
    throw error
  }
  return 'none'
}

t.test('a raw message is an event object, JSON data, or a text', async (t) => {
  const made = (payload: string) => {
    const { channel, ...rest } = draftOfMessage('a:b', payload, MAX)
    t.equal(channel, 'a:b')
    return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  }
  const data = (data: string) => ({ name: 'message', data, ephemeral: false })
  const table: [payload: string, draft: object][] = [
    ['hello', data('"hello"')],
    ['', data('""')],
    ['say "hi"\n\x00', data('"say \\"hi\\"\\n\\u0000"')],
    ['{"text":', data('"{\\"text\\":"')],
    ['"hello"', data('"hello"')],
    ['  12345678901234567890.0 \n', data('12345678901234567890.0')],
    ['null', data('null')],
    ['[{"data":1}]', data('[{"data":1}]')],
    ['{"text":"hi"}', data('{"text":"hi"}')],
    // A member that no event has: then it is data as a whole.
    ['{"data":1,"type":"x"}', data('{"data":1,"type":"x"}')],
    ['{"data":1,"__proto__":2}', data('{"data":1,"__proto__":2}')],
    ['{"data": 1.0 }', data('1.0')],
    ['{"data":null,"channel":"a:b"}', data('null')],
    ['{"data":1,"name":"n","key":"k"}', { ...data('1'), name: 'n', key: 'k' }],
    ['{"data":1,"ephemeral":true}', { ...data('1'), ephemeral: true }],
  ]
  for (const [payload, draft] of table) t.strictSame(made(payload), draft, payload)
})

t.test('a raw message that nobody could publish over HTTP is refused', async (t) => {
  const table: [channel: string, payload: string, code: string][] = [
    ['a b', '1', 'channel_invalid'],
    ['run:1', '1', 'channel_reserved'],
    ['room:1', '1', 'channel_reserved'],
    ['inbox:1', '1', 'channel_reserved'],
    ['a', `"${'x'.repeat(MAX)}"`, 'event_too_large'],
    ['a', 'x'.repeat(100_000), 'event_too_large'],
    // Nine hundred bytes, and twice as many as JSON.
    ['a', '"'.repeat(900), 'event_too_large'],
    ['a', '{"data":1,"channel":"b"}', 'event_invalid'],
    ['a', '{"data":1,"name":"stream.gap"}', 'event_invalid'],
    ['a', '{"data":1,"name":7}', 'event_invalid'],
    ['a', '{"data":1,"key":"a b"}', 'key_invalid'],
    ['a', '{"data":1,"ephemeral":"yes"}', 'event_invalid'],
  ]
  for (const [channel, payload, code] of table) {
    t.equal(
      codeOf(() => draftOfMessage(channel, payload, MAX)),
      code,
      payload.slice(0, 60),
    )
  }
})

t.test('an entry of the inbox says channel and data, and may say name and key', async (t) => {
  t.match(draftOfEntry(['channel', 'a', 'data', ' 1.0 '], MAX), {
    channel: 'a',
    data: '1.0',
    name: 'message',
    key: undefined,
  })
  t.match(draftOfEntry(['key', 'k', 'data', '"x"', 'name', 'n', 'channel', 'a'], MAX), {
    channel: 'a',
    data: '"x"',
    name: 'n',
    key: 'k',
  })
  const table: [fields: string[], code: string][] = [
    [['data', '1'], 'channel_missing'],
    [['channel', '', 'data', '1'], 'channel_invalid'],
    [['channel', 'run:1', 'data', '1'], 'channel_reserved'],
    [['channel', 'a'], 'event_invalid'],
    [['channel', 'a', 'data', ''], 'event_invalid'],
    [['channel', 'a', 'data', 'hello'], 'event_invalid'],
    [['channel', 'a', 'data', '1', 'data', '2'], 'event_invalid'],
    [['channel', 'a', 'data', '1', 'ephemeral', 'true'], 'event_invalid'],
    [['channel', 'a', 'data', '1', 'name', 'room.x'], 'event_invalid'],
    [['channel', 'a', 'data', '1', 'key', ''], 'key_invalid'],
    [['channel', 'a', 'data', `"${'x'.repeat(MAX)}"`], 'event_too_large'],
    [['channel', 'a', 'data', 'x'.repeat(100_000)], 'event_too_large'],
  ]
  for (const [fields, code] of table) {
    t.equal(
      codeOf(() => draftOfEntry(fields, MAX)),
      code,
      fields.join(' ').slice(0, 60),
    )
  }
})

t.test('a wrong entry is told which fields an entry has, not what HTTP takes', async (t) => {
  const refused = (fields: string[]) => {
    try {
      draftOfEntry(fields, MAX)
    } catch (error) {
      return (error as Error).message
    }
    return ''
  }
  const surplus = refused(['channel', 'a', 'data', '1', 'ephemeral', 'true'])
  t.match(surplus, /^"ephemeral" is no field of an entry\. .*channel, data \(JSON\).*name and key/)
  t.match(refused(['channel', 'a', 'data', '1', 'name', 'room.x']), /name and key/)
  t.notMatch(surplus, /"ephemeral"\?/)
  t.notMatch(refused(['data', '1']), /\?channel=/)
})
