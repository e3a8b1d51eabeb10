import fc from 'fast-check'
import t from 'tap'
import { readUpstreams } from '../../src/relay/read-upstreams.js'
import { find } from '../../src/relay/upstreams.js'
import { UpstreamsError } from '../../src/relay/upstreams-error.js'

const env = { KEY: 'sk-1', OTHER: 'x y', EMPTY: '', LINE: 'sk-1\n' }
/** A variable in braces. */
const braced = (name: string) => `$\{${name}}`
const one = (more: object) => ({ a: { url: 'https://a.example', allow: ['POST /x'], ...more } })

function refusal(value: unknown): UpstreamsError | undefined {
  try {
    readUpstreams(value, env)
    return undefined
  } catch (error) {
    if (error instanceof UpstreamsError) return error
    throw error
  }
}

/** What is sent of a path, or why it isn't. */
function reach(allow: string[], method: string, path: string, url = 'https://a.example') {
  const target = find(readUpstreams(one({ allow, url }), env), 'a', method, path)
  return typeof target === 'string' ? target : target.path
}

t.test('an upstream is read as it was written, with what nobody wrote', async (t) => {
  const all = readUpstreams(
    {
      'open-ai': { url: 'https://api.example/base/', allow: ['POST /v1/chat/completions'] },
      b: {
        url: 'http://[::1]:8080',
        headers: {
          Authorization: 'Bearer $KEY',
          x: `${braced('KEY')}${braced('OTHER')}-$$`,
          plain: 'as it is',
        },
        allow: ['GET /v1/models/*'],
        headTimeout: '90s',
        idleTimeout: 5,
        maxEventSize: '2kb',
        format: 'anthropic',
      },
    },
    env,
  )
  t.same([...all.keys()], ['open-ai', 'b'])
  t.match(all.get('open-ai'), {
    headers: {},
    headTimeoutMs: 60_000,
    idleTimeoutMs: 120_000,
    maxEventBytes: 1_048_576,
    format: undefined,
  })
  t.match(all.get('b'), {
    name: 'b',
    headers: { authorization: 'Bearer sk-1', x: 'sk-1x y-$', plain: 'as it is' },
    headTimeoutMs: 90_000,
    idleTimeoutMs: 5_000,
    maxEventBytes: 2048,
    format: 'anthropic',
  })
})

t.test('what is wrong is said in words, with what to do and without a secret', async (t) => {
  const wrong: [unknown, RegExp][] = [
    [[], /not an object/],
    [{ A: {} }, /"A" is not a name/],
    [{ ['a'.repeat(41)]: {} }, /is not a name/],
    [{ '': {} }, /is not a name/],
    [{ a: null }, /a: it is not an object/],
    [one({ alow: [] }), /a: there is no key "alow"/],
    [one({ url: undefined }), /its url is no URL/],
    [one({ url: 'ftp://a.example' }), /no URL of HTTP/],
    [one({ url: 'https://u:hidden@a.example' }), /credentials/],
    [one({ url: 'https://a.example/?key=hidden' }), /query/],
    [one({ url: 'https://a.example/#' }), /fragment/],
    [one({ url: 'http://169.254.169.254' }), /link-local/],
    [one({ url: 'http://[::ffff:a9fe:a9fe]' }), /link-local/],
    [one({ headers: [] }), /headers are no object/],
    [one({ headers: { 'a b': 'x' } }), /"a b" is not a header/],
    [one({ headers: { Host: 'x' } }), /host is the gateway’s own/],
    [one({ headers: { 'accept-encoding': 'gzip' } }), /accept-encoding is the gateway’s own/],
    [one({ headers: { a: 'x', A: 'hidden' } }), /a stands there twice/],
    [one({ headers: { a: 7 } }), /the header a is no text/],
    [one({ headers: { a: 'hidden $MISSING' } }), /wants the variable MISSING, which is not set/],
    [one({ headers: { a: `hidden ${braced('constructor')}` } }), /wants the variable constructor/],
    [one({ headers: { a: '$EMPTY' } }), /wants the variable EMPTY/],
    [one({ headers: { a: 'hidden$' } }), /names no variable/],
    [one({ headers: { a: `hidden${braced('KEY').slice(0, -1)}` } }), /names no variable/],
    [one({ headers: { a: '$LINE' } }), /characters that no header carries/],
    [one({ allow: undefined }), /allows nothing/],
    [one({ allow: [] }), /allows nothing/],
    [one({ allow: [7] }), /"7": it is no text/],
    [one({ headTimeout: '0s' }), /headTimeout is not a duration/],
    [one({ headTimeout: '2h' }), /headTimeout is not a duration/],
    [one({ idleTimeout: 'soon' }), /idleTimeout is not a duration/],
    [one({ maxEventSize: '17mb' }), /maxEventSize is not a size/],
    [one({ maxEventSize: '1s' }), /maxEventSize is not a size/],
    [one({ format: 'xml' }), /no such format/],
  ]
  for (const [value, words] of wrong) {
    const error = refusal(value)
    t.match(error?.message, words)
    t.match(error?.advice, /\w/)
    t.notMatch(`${error?.message} ${error?.advice}`, /hidden|sk-1/)
  }
})

t.test('a line of the list that could not be meant is refused', async (t) => {
  const lines = [
    ...['', 'POST', '/v1', 'post /v1', 'POST  /v1', 'POST v1', 'ANY /v1', 'CONNECT /v1', '* /v1'],
    ...['POST /', 'POST //', 'POST /a//b', 'POST /../a', 'POST /a/.', 'POST /a;b', 'POST /a\\b'],
    ...['POST /a?b', 'POST /a#b', 'POST /a%2fb', 'POST /**/a', 'POST /a**', 'POST /*a*', 'POST /…'],
  ]
  for (const line of lines) t.match(refusal(one({ allow: [line] }))?.message, /in allow/, line)
})

t.test('what is listed is reached under the upstream’s own path, byte for byte', async (t) => {
  const allow = [
    'POST /v1/chat/completions',
    'GET /v1/models/*',
    'POST /models/*:stream',
    'GET /files/**',
    'POST /slash/',
  ]
  const fine: [string, string][] = [
    ['POST', '/v1/chat/completions'],
    ['POST', '/v1/chat/completions?api-version=1&x=/../%2e%2e//;\\'],
    ['POST', '/v1/chat/completions?'],
    ['GET', '/v1/models/gpt-5.1'],
    ['GET', '/v1/models/anthropic.claude-v1%3A0'],
    ['GET', '/v1/models/..a'],
    ['POST', '/models/x:stream'],
    ['GET', '/files/a'],
    ['GET', '/files/a/b/c~d'],
    ['POST', '/slash/'],
  ]
  for (const [method, path] of fine) {
    t.equal(reach(allow, method, path), path)
    t.equal(reach(allow, method, path, 'https://a.example/base/'), `/base${path}`)
  }
})

t.test('what isn’t listed is not reached, however it is spelled', async (t) => {
  const allow = ['POST /v1/chat', 'GET /v1/models/*', 'POST /models/*:stream', 'GET /files/**']
  const chat = [
    ...['', '/', '/v1', '/v1/', '/v1/chat/', '/v1/chat/x', '/v1/chats', '/V1/chat', 'v1/chat'],
    ...['//v1/chat', '/v1//chat', '/v1/./chat', '/v1/x/../chat', '/v1%2fchat', '/v1/%63hat'],
    ...['/v1\\chat', '/v1/chat;x', '/v1/chat%00', '/v1/chat%0d%0a', '/v1/chat#', '/v1/chat?#'],
    ...['/v1/chat?a b', '/v1/chat?\r\nx: y', '/v1/chat\n', '/v1/chat?\n', '@evil.example/v1/chat'],
    ...['http://evil.example/v1/chat', '//evil.example/v1/chat', '/v1/chat?é'],
  ]
  for (const path of chat) t.equal(reach(allow, 'POST', path), 'not_allowed', path)
  const segments = [
    ...[
      '',
      '.',
      '..',
      '...',
      '%2e%2e',
      '%2E.',
      '.%2e',
      '%2f',
      '%5c',
      '..%2f',
      '..;',
      '..;/',
      'a/..',
    ],
    ...[
      'a\\..',
      '%252e%252e',
      '%c0%ae',
      '%ef%bc%8e',
      '%',
      '%3',
      '%zz',
      'a%3',
      'a b',
      'é',
      '*',
      'a?#',
    ],
  ]
  for (const segment of segments) {
    t.equal(reach(allow, 'GET', `/v1/models/${segment}`), 'not_allowed', segment)
    t.equal(reach(allow, 'GET', `/files/a/${segment}`), 'not_allowed', segment)
    t.equal(reach(allow, 'GET', `/files/${segment}/a`), 'not_allowed', segment)
  }
  t.equal(reach(allow, 'GET', '/v1/chat'), 'not_allowed', 'by another method')
  t.equal(reach(allow, 'post', '/v1/chat'), 'not_allowed', 'methods know upper and lower case')
  t.equal(reach(allow, 'POST', '/models/:stream'), 'not_allowed', 'a * is something')
  t.equal(reach(allow, 'POST', '/models/x:embed'), 'not_allowed')
  t.equal(reach(allow, 'POST', '/models/x/y:stream'), 'not_allowed')
  t.equal(reach(allow, 'GET', '/files'), 'not_allowed')
})

t.test('only an upstream that is there is found', async (t) => {
  const all = readUpstreams(one({}), env)
  for (const name of ['b', '', 'A', 'constructor', '__proto__']) {
    t.equal(find(all, name, 'POST', '/x'), 'unknown', name)
  }
})

t.test('no reader of URLs makes another path of one that passes', async (t) => {
  const bits = [
    ...['/', '/', 'a', '.', '..', '%2e', '%2f', '%3A', '%5c', ';', '\\', ':', '@', '?', '#', '//'],
    ...['\t', ' ', '%00', '%', '~', "'", '*', '[', '&', 'é'],
  ]
  const paths = fc.array(fc.constantFrom(...bits), { maxLength: 8 }).map((it) => `/${it.join('')}`)
  let passed = 0
  fc.assert(
    fc.property(paths, (path) => {
      const sent = reach(['GET /**'], 'GET', path)
      if (sent === 'not_allowed') return true
      passed++
      const [pathname = ''] = path.split('?')
      const decoded = decodeURIComponent(pathname).split('/')
      return (
        sent === path &&
        new URL(`https://a.example${path}`).pathname === pathname &&
        new URL(path, 'https://a.example/base/').host === 'a.example' &&
        decoded.length === pathname.split('/').length &&
        !decoded.some((it) => /^\.*$/.test(it) && it !== decoded[0])
      )
    }),
    { numRuns: 5_000 },
  )
  t.ok(passed > 50, 'some do pass')
})
