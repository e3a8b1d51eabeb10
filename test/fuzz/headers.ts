/** Headers that are nearly right, too many, too large, or contradict each other. */
import type { Random } from '../support/random.js'
import { one, weighted } from './chance.js'
import type { Door } from './door.js'
import { type Request, setHeader } from './request.js'

type Change = (request: Request, random: Random, door: Door) => void

/** Puts one of these values in the place of the header's. */
const set = (name: string, values: readonly string[]): Change => {
  return (request, random) => setHeader(request, name, one(random, values))
}
/** Says it beside what is said already. */
const add = (name: string, values: readonly string[]): Change => {
  return (request, random) => void request.headers.push([name, one(random, values)])
}

/** Where does a body end? RFC 9112 § 6.3 has an answer to each, and two parties must not have different ones. */
const FRAMING: readonly Change[] = [
  add('Content-Length', [
    '0',
    '5',
    '-1',
    '+5',
    '0x5',
    '5, 5',
    '5, 6',
    '',
    '1e3',
    `${2n ** 64n}`,
    '99999999',
  ]),
  add('Transfer-Encoding', [
    'chunked',
    'identity',
    'gzip, chunked',
    'chunked, identity',
    'xchunked',
    '',
    'chunked, chunked',
    '\x0bchunked',
  ]),
  add('Transfer-Encoding ', ['chunked']),
  add('Content-Length', ['5\r\nContent-Length: 6', '5\r\n 5']),
  (request) => {
    request.headers.push(['Content-Length', String(request.body.length)])
    request.framing = 'chunked'
  },
  (request) => {
    request.framing = 'none'
  },
  (request) => {
    request.framing = request.framing === 'length' ? 'chunked' : 'length'
  },
  set('Expect', ['100-continue', '100-Continue', 'weird', '200-ok, 100-continue', '']),
  set('Connection', [
    'Upgrade',
    'Content-Length',
    'close, keep-alive',
    'Transfer-Encoding',
    'host',
    '',
  ]),
  add('Upgrade', ['websocket', 'h2c', 'TLS/1.0', '']),
  set('Trailer', ['Content-Length', 'Authorization']),
]

const HOSTS: readonly Change[] = [
  set('Host', [
    'evil.example',
    'evil.example:80',
    '',
    ' ',
    'localhost.evil.example',
    '169.254.169.254',
    '[::1]',
    '[::1',
  ]),
  set('Host', [
    'a@localhost',
    'localhost:99999',
    'localhost:',
    'localhost/x',
    'local host',
    'LOCALHOST',
    '127.1',
    '*',
  ]),
  set('Host', ['x'.repeat(5_000), 'localhost\x00', 'localhost, evil.example', '\xff']),
  add('Host', ['localhost', 'evil.example']),
  (request) => {
    request.headers = request.headers.filter(([name]) => name !== 'Host')
  },
  set('Origin', [
    'null',
    '',
    'https://evil.example',
    'http://localhost.evil.example',
    'http://evil.example#localhost',
    'file://',
    '*',
  ]),
  add('Origin', ['http://localhost', 'https://evil.example']),
  set('Access-Control-Request-Method', ['', 'PUT', '__proto__', 'GET, POST']),
  set('Access-Control-Request-Headers', ['*', 'x'.repeat(3_000), ',,,,']),
  set('Sec-Fetch-Site', ['cross-site', 'same-site', 'none', '?']),
  add('X-Forwarded-For', [
    '127.0.0.1',
    '::1',
    'unknown',
    '1.2.3.4, 5.6.7.8',
    'x'.repeat(4_000),
    '\x80',
  ]),
  (request, random) => {
    request.headers.push(['X-Forwarded-For', `10.${random.between(0, 255)}.0.1`])
  },
  add('X-Forwarded-Host', ['evil.example', 'localhost']),
  add('X-Forwarded-Proto', ['https', 'gopher']),
  add('Forwarded', ['for=127.0.0.1;host=localhost;proto=https', 'for="[::1]']),
  add('X-Real-IP', ['127.0.0.1']),
]

const LOGINS: readonly Change[] = [
  (request, random, door) => setHeader(request, 'Authorization', one(random, door.fakes)),
  (request, random, door) => {
    const token = one(random, door.fakes).replace('Bearer ', '')
    setHeader(request, 'Cookie', `__Host-sluice=${token}`)
  },
  add('Authorization', ['Bearer second', 'Basic dXNlcjpwYXNz']),
  add('Proxy-Authorization', ['Bearer x']),
  set('Cookie', [
    '__Host-sluice=a.b.c',
    '__Host-sluice=',
    '__Host-sluice',
    '=',
    ';;;',
    '__proto__=1',
    '__Host-sluice=a; __Host-sluice=b',
  ]),
  (request) =>
    setHeader(request, 'Cookie', Array.from({ length: 500 }, (_, i) => `c${i}=v`).join('; ')),
]

/** What the representation is, and what is wanted. */
const MEDIA: readonly Change[] = [
  set('Content-Type', [
    'application/json\tx',
    'application/jsonx',
    'text/html',
    'multipart/form-data; boundary=x',
    '',
    ';',
    'application/json;;;',
    'application/json; charset=utf-16',
  ]),
  set('Content-Type', [
    'application/x-ndjson',
    'text/event-stream',
    'application/json',
    'text/plain',
    'APPLICATION/JSON',
  ]),
  set('Content-Type', [
    `application/json; a=${'b'.repeat(6_000)}`,
    `application/json${'; a=b'.repeat(1_000)}`,
    `application/json; a="${'\\"'.repeat(1_000)}`,
  ]),
  add('Content-Type', ['text/plain']),
  set('Content-Encoding', ['gzip', 'br', 'identity', 'gzip, gzip', '']),
  set('Accept', [
    'text/event-stream;q=0',
    'application/json;q=0.5, text/event-stream',
    '*/*;q=2',
    'text/html',
    '',
    ',',
    'text/*',
    `${'a/b,'.repeat(3_000)}`,
  ]),
  add('Accept', ['application/json', 'text/event-stream']),
  set('Accept-Encoding', ['gzip', 'br', '*']),
  set('Last-Event-ID', [
    'garbage',
    '',
    '-1-0',
    `${2n ** 64n}-0`,
    'x'.repeat(8_192),
    '1-1,1-2',
    '99999999999999-0',
    '\x80',
    'end.',
    'p!',
  ]),
  add('Last-Event-ID', ['1-1']),
  set('Idempotency-Key', ['', 'x'.repeat(201), 'a b', '\xe9', '__proto__', 'fuzz-1']),
  set('Range', ['bytes=0-1']),
  set('If-None-Match', ['*']),
]

const ODD: readonly Change[] = [
  add('__proto__', ['x']),
  add('constructor', ['x']),
  add('hasOwnProperty', ['x']),
  add('', ['x']),
  add('X Y', ['x']),
  add('X\xe9', ['x']),
  add('X\x00', ['x']),
  add('X-A', [
    'a\x00b',
    'a\rb',
    'a\nb',
    'a\r\n folded',
    '\x7f',
    '\xff\xfe',
    `${'y'.repeat(8_000)}`,
    `${'y'.repeat(40_000)}`,
  ]),
  (request) =>
    void request.headers.push(
      ...Array.from({ length: 150 }, (_, i): [string, string] => [`X-${i}`, 'v']),
    ),
  (request) =>
    void request.headers.push(
      ...Array.from({ length: 3_000 }, (_, i): [string, string] => [`X-${i}`, 'v']),
    ),
  (request, random) => {
    request.headers = random.choose(request.headers, request.headers.length)
  },
  (request, random) => void request.headers.push(one(random, request.headers) ?? ['X', 'y']),
]

const KINDS = [
  { weight: 3, changes: FRAMING },
  { weight: 3, changes: HOSTS },
  { weight: 3, changes: LOGINS },
  { weight: 4, changes: MEDIA },
  { weight: 3, changes: ODD },
]

export function mutateHeaders(request: Request, random: Random, door: Door): void {
  one(random, weighted(random, KINDS).changes)(request, random, door)
}
