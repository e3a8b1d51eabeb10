import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import t from 'tap'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { run } from './run.js'

const SECRET = 'a secret that is known to this test only'
const env = { SLUICE_JWT_SECRET: SECRET }
const CHAT = ['--channels', 'chat:*=subscribe,publish']

/** What a token holds. */
async function claims(argv: string[], world: Parameters<typeof run>[1] = { env }) {
  const ran = await run(['token', ...argv], world)
  t.match(ran, { code: 0, stdout: /^[\w-]+\.[\w-]+\.[\w-]+\n$/, stderr: '' })
  const token = ran.stdout.trim()
  return { ...decodeJwt(token), alg: decodeProtectedHeader(token).alg }
}

t.test('a gateway with the same environment takes the token, and knows whose it is', async (t) => {
  const own = {
    SLUICE_JWT_SECRET: `${SECRET}, the one that tokens were signed with before`,
    SLUICE_JWT_ISSUER: 'https://login.example,https://old.example',
    SLUICE_JWT_AUDIENCE: 'sluice,other',
    SLUICE_JWT_CLAIM: 'https://sluice.example/rights',
    SLUICE_JWT_ALGORITHMS: 'HS384,HS512',
  }
  const gateway = await startGateway(loadConfig({ env: own, flags: { port: '0' } }))
  t.teardown(() => gateway.close())
  const grants = ['--channels', 'chat:7=subscribe,publish', '--channels', 'user:{sub}=publish']
  const { stdout } = await run(['token', '--sub', 'alice', ...grants], { env: own })
  const world = { env: { SLUICE_URL: gateway.url, SLUICE_TOKEN: stdout.trim() } }
  t.match(await run(['publish', 'chat:7', 'hi'], world), { code: 0, stderr: '' })
  t.match(await run(['publish', 'user:alice', 'hi'], world), { code: 0, stderr: '' })
  t.match(await run(['publish', 'user:bob', 'hi'], world), { code: 1, stderr: /403 forbidden/ })
  const answer = await fetch(`${gateway.url}/v1/events?channel=chat:7&rewind=1&wait=0`, {
    headers: { accept: 'application/json', authorization: `Bearer ${stdout.trim()}` },
  })
  t.match(await answer.json(), { events: [{ data: 'hi', sender: 'alice' }] })
})

t.test('what is said on the command line stands in the token', async (t) => {
  const now = () => 1_763_675_123_400
  const said = ['--sub', 'alice', '--jti', 'j', '--ttl', '5m', '--claim', 'r']
  const named = [
    '--issuer',
    'i',
    '--audience',
    'a',
    '--secret',
    'another secret of this test known to it only',
  ]
  const variables = { SLUICE_JWT_ISSUER: 'x', SLUICE_JWT_AUDIENCE: 'x', SLUICE_JWT_CLAIM: 'x' }
  const world = { env: { ...env, ...variables }, now }
  t.strictSame(await claims([...CHAT, ...said, ...named], world), {
    r: { channels: { 'chat:*': ['subscribe', 'publish'] } },
    sub: 'alice',
    jti: 'j',
    iss: 'i',
    aud: 'a',
    iat: 1_763_675_123,
    exp: 1_763_675_424,
    alg: 'HS256',
  })
})

t.test('what nobody says is left out, and it counts for an hour', async (t) => {
  t.strictSame(await claims(CHAT, { env, now: () => 1_763_675_123_000 }), {
    sluice: { channels: { 'chat:*': ['subscribe', 'publish'] } },
    iat: 1_763_675_123,
    exp: 1_763_675_123 + 3600,
    alg: 'HS256',
  })
})

t.test('the file of the gateway is read, and a variable beats it', async (t) => {
  const path = join(t.testdir(), 'sluice.json')
  // A gateway with it alone wouldn't start; a token can be signed all the same.
  const file = { jwtSecret: SECRET, jwtIssuer: ['a', 'b'], jwtAudience: 'c', host: '0.0.0.0', x: 1 }
  writeFileSync(path, JSON.stringify(file))
  const world = { env: { SLUICE_CONFIG: path, SLUICE_JWT_AUDIENCE: 'd' } }
  t.match(await claims(CHAT, world), { iss: 'a', aud: 'd' })
  for (const text of ['[]', '{', undefined]) {
    if (text !== undefined) writeFileSync(path, text)
    const SLUICE_CONFIG = text === undefined ? `${path}.gone` : path
    const ran = await run(['token', ...CHAT], { env: { ...env, SLUICE_CONFIG } })
    t.match(ran, { code: 2, stdout: '', stderr: /^sluice: SLUICE_CONFIG: / })
  }
})

t.test('without a secret it says how to get one', async (t) => {
  const ran = await run(['token', ...CHAT])
  t.match(ran, { code: 2, stdout: '' })
  t.match(ran.stderr, 'export SLUICE_JWT_SECRET=$(openssl rand -base64 32)')
})

t.test('a secret that the gateway would refuse is refused, and never repeated', async (t) => {
  const cases: [string[], Record<string, string>, RegExp][] = [
    [
      ['--secret', 's3cret'],
      env,
      /^sluice: --secret: a secret is too short; give each at least 32/,
    ],
    [[], { SLUICE_JWT_SECRET: 's3cret' }, /^sluice: SLUICE_JWT_SECRET: a secret is too short/],
    [[], { SLUICE_JWT_SECRET: '' }, /^sluice: SLUICE_JWT_SECRET: it is empty/],
  ]
  for (const [argv, variables, words] of cases) {
    const ran = await run(['token', ...CHAT, ...argv], { env: variables })
    t.match(ran, { code: 2, stdout: '', stderr: words })
    t.notMatch(ran.stderr, 's3cret')
  }
})

t.test('a token that no gateway would take isn’t made', async (t) => {
  const many = Array.from({ length: 999 }, (_, i) => `channel:${i}=subscribe`).join(' ')
  const cases: [string[], Record<string, string>, RegExp][] = [
    [[], {}, /say what it grants: --channels 'chat/],
    [['--channels', 'chat:7'], {}, /--channels: "chat:7" grants nothing; write e.g./],
    [['--channels', 'chat:7=subscrib'], {}, /--channels: "subscrib" is not a verb/],
    [['--channels', 'c**=publish'], {}, /--channels: "c\*\*" is not a pattern/],
    [['--channels', many], {}, /would refuse it: It is longer than 8192 characters\n/],
    [[...CHAT, '--sub', ''], {}, /would refuse it: Its sub is empty\n/],
    [[...CHAT, '--sub', 'x'.repeat(257)], {}, /would refuse it: Its subject is longer than 256/],
    [[...CHAT, '--jti', ''], {}, /would refuse it: Its jti is empty\n/],
    [CHAT, { SLUICE_JWT_ALGORITHMS: 'RS256' }, /would refuse it: no key is good for RS256/],
    [[...CHAT, '--ttl', 'soon'], {}, /--ttl "soon": it is not a duration; write/],
    [[...CHAT, '--ttl', '0'], {}, /--ttl "0": it is out of range; give 1s to 3650d/],
    [[...CHAT, 'user:1=publish'], {}, /Unexpected argument 'user:1=publish'/],
    [[...CHAT, '--subject', 'x'], {}, /no option --subject; did you mean --sub\?/],
  ]
  for (const [argv, variables, words] of cases) {
    const ran = await run(['token', ...argv], { env: { ...env, ...variables } })
    t.match(ran, { code: 2, stdout: '', stderr: words }, argv.join(' ').slice(0, 60))
  }
})

t.test('a pattern that grants this subject nothing is told, to a pipe as well', async (t) => {
  const own = ['--channels', 'user:{sub}=subscribe']
  const ran = await run(['token', ...CHAT, ...own, '--sub', 'bob:inbox'], { env })
  t.match(ran, { code: 0, stdout: /^ey/ })
  t.match(
    ran.stderr,
    /^sluice: user:\{sub\} grants nothing: the subject can’t stand in one segment/,
  )
  const nameless = await run(['token', ...CHAT, ...own], { env })
  t.match(nameless.stderr, 'user:{sub} grants nothing: {sub} needs a subject: --sub')
  const wordless = await run(['token', ...CHAT, '--channels', 'c=history:none'], { env })
  t.match(wordless.stderr, 'c grants nothing: its words grant nothing')
  const useless = await run(['token', ...own], { env })
  t.match(useless, { code: 2, stdout: '', stderr: /\{sub\} needs a subject/ })
})

t.test(
  'somebody at a terminal reads what is granted until when, the token stays alone',
  async (t) => {
    const own = ['--channels', 'user:{sub}=subscribe,history:5m']
    const now = () => 1_763_675_123_000
    const world = { env: { ...env, NO_COLOR: '1' }, now, tty: true }
    const ran = await run(['token', ...CHAT, ...own, '--sub', 'alice'], world)
    t.match(ran, { code: 0, stdout: /^ey[\w.-]+\n$/ })
    const until = new Date(1_763_675_123_000 + 3_600_000).toString().slice(0, 24)
    t.equal(
      ran.stderr,
      `alice may, until ${until}\n  chat:*       subscribe, publish\n  user:alice   subscribe, history:300s\n`,
    )
    const evil = await run(['token', ...CHAT, '--sub', '\x1b[2J'], world)
    t.notMatch(evil.stderr, '\x1b')
  },
)
