/** One thing about a right request changed. The table is what the fuzz knows of how requests go wrong. */
import type { Random } from '../support/random.js'
import { brokenBody } from './bodies.js'
import { one, randomBytes, sometimes, weighted } from './chance.js'
import type { Door } from './door.js'
import { mutateHeaders } from './headers.js'
import type { Request } from './request.js'
import { mutatePath, mutateQuery } from './targets.js'

const METHODS = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'],
  ...[
    'PROPFIND',
    'QUERY',
    'M-SEARCH',
    'PRI',
    'get',
    'Post',
    'GETT',
    'G',
    '',
    'GET\t',
    'G\xc3\x89T',
    '__proto__',
  ],
]
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/',
  '',
]

interface Mutation {
  readonly weight: number
  apply(request: Request, random: Random, door: Door): void
}

const MUTATIONS: readonly Mutation[] = [
  { weight: 3, apply: mutatePath },
  { weight: 4, apply: mutateQuery },
  { weight: 8, apply: mutateHeaders },
  {
    weight: 4,
    apply(request, random) {
      request.body = brokenBody(random, request.body)
      if (request.framing === 'none' && sometimes(random, 0.8)) request.framing = 'length'
    },
  },
  {
    weight: 2,
    apply(request, random) {
      request.method = one(random, METHODS)
    },
  },
  {
    weight: 1,
    apply(request, random) {
      request.version = one(random, VERSIONS)
    },
  },
]

/** Changes a request in `count` places. */
export function mutate(request: Request, random: Random, door: Door, count: number): void {
  for (let i = 0; i < count; i++) weighted(random, MUTATIONS).apply(request, random, door)
}

const CUTS: readonly ((bytes: Buffer, random: Random) => Buffer)[] = [
  /** A bit flipped. */
  (bytes, random) => {
    const copy = Buffer.from(bytes)
    const at = random.between(0, copy.length - 1)
    copy[at] = copy[at]! ^ (1 << random.between(0, 7))
    return copy
  },
  /** A piece left out. */
  (bytes, random) => {
    const at = random.between(0, bytes.length - 1)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.between(1, 20))])
  },
  /** Garbage put in. */
  (bytes, random) => {
    const at = random.between(0, bytes.length)
    const extra = randomBytes(random, random.between(1, 20))
    return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)])
  },
  /** A piece said twice. */
  (bytes, random) => {
    const at = random.between(0, bytes.length - 1)
    return Buffer.concat([bytes.subarray(0, at + random.between(1, 60)), bytes.subarray(at)])
  },
  /** Cut off. */
  (bytes, random) => bytes.subarray(0, random.between(1, bytes.length)),
  /** Lines ended by LF, and by CR. */
  (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\r'), 'latin1'),
]

/** Changes bytes, whatever they mean. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  return bytes.length === 0 ? bytes : one(random, CUTS)(bytes, random)
}
