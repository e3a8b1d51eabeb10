/** The commands and a gateway that wants to know who calls. */
import { Readable } from 'node:stream'
import t from 'tap'
import { lockedGateway, SECRET } from '../client/locked-gateway.js'
import { type Answer, block, problem, ready, speaker, status, stream } from '../client/speaker.js'
import { run } from './run.js'

const created = status(201, { 'content-type': 'application/json' }, '{"id":"1-0","last":"1-0"}')
const gone = status(204)

t.test('every command shows SLUICE_TOKEN, and --token beats it', async (t) => {
  const commands: [string[], Answer][] = [
    [['publish', 'c', 'x'], created],
    [['publish', 'c', 'x', '--lines'], created],
    [['tail', 'c'], gone],
  ]
  for (const [argv, answer] of commands) {
    const { url, requests } = await speaker(t, [answer])
    const env = { SLUICE_TOKEN: 'variable', SLUICE_URL: url }
    t.match(await run(argv, { env }), { code: 0 })
    t.match(await run([...argv, '--token', 'flag'], { env }), { code: 0 })
    t.match(await run(argv, { env: { ...env, SLUICE_TOKEN: '' } }), { code: 0 })
    t.strictSame(
      requests.map((request) => request.headers.authorization),
      ['Bearer variable', 'Bearer flag', undefined],
      argv.join(' '),
    )
  }
})

t.test('what is no token exits 2, and isn’t repeated', async (t) => {
  const cases: [string[], Record<string, string>, RegExp][] = [
    [['--token', ''], {}, /^sluice: --token: a token is a text of visible ASCII/],
    [['--token', 'Bearer s3cret'], {}, /^sluice: --token: .*without "Bearer"/],
    [[], { SLUICE_TOKEN: 's3cret\n' }, /^sluice: SLUICE_TOKEN: a token is/],
  ]
  for (const command of [
    ['publish', 'c', 'x'],
    ['tail', 'c'],
  ]) {
    for (const [argv, env, words] of cases) {
      const ran = await run([...command, ...argv], { env })
      t.match(ran, { code: 2, stdout: '', stderr: words })
      t.notMatch(ran.stderr, 's3cret')
    }
  }
})

t.test('the help says that a flag shows', async (t) => {
  for (const name of ['publish', 'tail']) {
    t.match((await run([name, '--help'])).stdout, /--token <token> .*SLUICE_TOKEN.*history/)
  }
  t.match((await run(['token', '--help'])).stdout, /--secret <secret> .*SLUICE_JWT_SECRET.*history/)
})

t.test('a refusal says what to do, with the rights that were missing', async (t) => {
  const { url, token, advance } = await lockedGateway(t)
  const mint = (grants: string) => `export SLUICE_TOKEN=$(sluice token --channels '${grants}')`
  const old = await token(60)
  const reader = await token(3600, ['subscribe'])
  advance(120_000)
  const cases: [string[], string | undefined, RegExp, string][] = [
    [['publish', 'c', 'x'], undefined, /401 token_missing/, mint('c=publish')],
    [['publish', 'c', 'x', '--lines'], undefined, /401 token_missing/, mint('c=publish')],
    [['tail', 'c', 'd'], undefined, /401 token_missing/, mint('c=subscribe d=subscribe')],
    [['tail', 'c'], old, /401 token_expired/, mint('c=subscribe')],
    [['tail', 'c'], 'nonsense', /401 token_invalid/, mint('c=subscribe')],
    [['publish', 'c', 'x'], reader, /403 forbidden/, mint('c=publish')],
  ]
  for (const [argv, known, words, advice] of cases) {
    const env = { SLUICE_URL: url, ...(known !== undefined && { SLUICE_TOKEN: known }) }
    const ran = await run(argv, { env })
    t.match(ran, { code: 1, stdout: '', stderr: words }, argv.join(' '))
    t.match(ran.stderr, advice)
    if (known !== undefined) t.notMatch(ran.stderr, known)
  }
  // Not a matter of tokens.
  const writer = await token(3600, ['publish'], { sluice: { channels: { '**': ['publish'] } } })
  const kept = await run(['publish', 'run:1', 'x', '--url', url, '--token', writer])
  t.match(kept, { code: 1, stderr: /403 channel_reserved/ })
  t.notMatch(kept.stderr, 'sluice token')
})

t.test('the advice works', async (t) => {
  const { url } = await lockedGateway(t)
  const refused = await run(['publish', 'c', 'x', '--url', url])
  const grants = /sluice token --channels '([^']+)'/.exec(refused.stderr)?.[1] ?? ''
  const env = { SLUICE_JWT_SECRET: SECRET }
  const { stdout } = await run(['token', '--channels', grants], { env })
  const world = { env: { SLUICE_TOKEN: stdout.trim() }, stdin: Readable.from(['a\nb\n']) }
  t.match(await run(['publish', 'c', '--lines', '--url', url], world), { code: 0, stderr: '' })
})

t.test('tail tells that the token ends, and fails where there is no other', async (t) => {
  const bye = { reason: 'token_expired', reconnect: true, retry: 0 }
  const expires = Date.parse('2025-11-20T22:45:23')
  const frames = block('stream.expiring', { expires }, '1-0') + block('stream.bye', bye, '1-0')
  const { url } = await speaker(t, [stream(ready('1-0') + frames), problem(401, 'token_expired')])
  const ran = await run(['tail', 'c', '--url', url, '--token', 't'])
  t.match(ran, { code: 1, stdout: '' })
  t.match(ran.stderr, /the token ends at 22:45:23\n.*ends the stream: token_expired\n/)
  t.match(ran.stderr, /\(401 token_expired\)\n +Put another one into SLUICE_TOKEN/)
})

t.test('a gateway that others could reach without a key doesn’t start', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'sluice.example']) {
    const ran = await run(['serve', '--port', '0', '--host', host])
    t.match(ran, { code: 2, stdout: '' }, host)
    t.match(
      ran.stderr,
      /^sluice: --host: others could reach it, and it has no keys.*SLUICE_JWT_SECRET/,
    )
  }
  const env = { SLUICE_HOST: '0.0.0.0', SLUICE_JWT_SECRET: '' }
  const ran = await run(['serve', '--port', '0'], { env })
  t.match(ran, { code: 2, stderr: /^sluice: SLUICE_JWT_SECRET: it is empty/ })
})
