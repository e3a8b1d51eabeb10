/** Bodies: as a client means them, and as one wouldn't. */
import { gzipSync } from 'node:zlib'
import type { Random } from '../support/random.js'
import { one, randomBytes, sometimes } from './chance.js'

const TEXTS = [
  'Hello',
  '',
  'a\nb\r\nc\rd',
  '\u2028\u2029\u0085\ufeff',
  '\u0000\u0001\u001f\u007f',
  'data: x\n\nid: 1-1\nevent: stream.bye\n\n',
  '💡 日本語 ﷽',
  '</script><script>alert(1)</script>',
  'x'.repeat(2_000),
]
const VALUES = [1, -0, 1e308, 0.1, true, null, [], {}, [[], [{}]], { a: { b: [1, 'c', null] } }, '']

function value(random: Random): unknown {
  return sometimes(random, 0.5) ? { text: one(random, TEXTS) } : one(random, VALUES)
}

export type BodyKind = 'value' | 'text' | 'objects' | 'ndjson' | 'sse'

/** One that is right. */
export function bodyFor(random: Random, kind: BodyKind, channel = 'fuzz:0'): Buffer {
  const many = <T>(make: () => T): T[] => Array.from({ length: random.between(1, 12) }, make)
  switch (kind) {
    case 'value':
      return Buffer.from(JSON.stringify(value(random)))
    case 'text':
      return Buffer.from(one(random, TEXTS))
    case 'objects': {
      const events = many(() => ({ channel, data: value(random) }))
      return Buffer.from(JSON.stringify(sometimes(random, 0.3) ? events[0] : events))
    }
    case 'ndjson':
      return Buffer.from(many(() => `${JSON.stringify(value(random))}\n`).join(''))
    case 'sse':
      return Buffer.from(many(() => `event: token\ndata: ${random.between(0, 999)}\n\n`).join(''))
  }
}

const JSONS = [
  '[',
  '{"a":',
  'nul',
  '01',
  '1e999999',
  '"\\ud800"',
  '"\\u00"',
  '{"a":1,"a":2}',
  '\ufeff1',
  '1 2',
  "{'a':1}",
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"channel":"fuzz:0","data":1,"toString":1}',
  '{"channel":{"length":1},"data":1}',
  '{"channel":["fuzz:0"],"data":1}',
  '{"channel":"run:1","data":1}',
  '{"channel":"fuzz:0","data":1,"name":"stream.bye"}',
  '{"channel":"fuzz:0","data":1,"name":"a\\ndata: b"}',
  '{"channel":"fuzz:0"}',
  '[[[[{"channel":"fuzz:0","data":1}]]]]',
  '{"channel":"fuzz:0","wait":-1,"limit":1e9}',
  '[]',
  'null',
  '"text"',
]

/** What stands in for a body that was right. Sizes are those at and above the limits that hold by default. */
const REPLACEMENTS: readonly ((random: Random) => Buffer)[] = [
  (random) => Buffer.from(one(random, JSONS)),
  (random) => Buffer.from(one(random, JSONS)),
  (random) => randomBytes(random, random.between(0, 400)),
  () => Buffer.alloc(0),
  () => Buffer.from('['.repeat(10_000)),
  () => Buffer.from(`${'['.repeat(10_000)}${']'.repeat(10_000)}`),
  () => Buffer.from(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`),
  () => gzipSync(Buffer.alloc(1_000_000)),
  (random) => Buffer.from(JSON.stringify('x'.repeat(256 * 1024 - random.between(-2, 4)))),
  () =>
    Buffer.from(
      JSON.stringify(Array.from({ length: 1_100 }, () => ({ channel: 'fuzz:1', data: 1 }))),
    ),
  () => Buffer.from(`${'\n'.repeat(5_000)}1\n`),
  () => Buffer.from('data: never ended'.repeat(400)),
  () => Buffer.from([0xff, 0xfe, 0x31, 0x00]),
  () => Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
  () => Buffer.from([0x22, 0xc3]),
]

/** One that is wrong, mostly. */
export function brokenBody(random: Random, body: Buffer): Buffer {
  if (body.length > 1 && sometimes(random, 0.4)) {
    const at = random.between(1, body.length - 1)
    // Cut, doubled, or with garbage in its midst.
    return one(random, [
      body.subarray(0, at),
      Buffer.concat([body, body]),
      Buffer.concat([body.subarray(0, at), randomBytes(random, 8), body.subarray(at)]),
    ])
  }
  return one(random, REPLACEMENTS)(random)
}

/** Above the size of any body that is read whole. */
export function hugeBody(): Buffer {
  return Buffer.alloc(4 * 1024 * 1024 + 1, 0x31)
}
