import t, { type Test } from 'tap'
import type { Claims } from '../../src/auth/tokens.js'
import { type Backend, startBackend } from './support/backend.js'
import { createClock } from './support/clock.js'
import {
  ec,
  ed25519,
  jwk,
  type Pair,
  refusal,
  rsa,
  SECRET,
  sign,
  verifier,
} from './support/verifier.js'

const MINUTE = 60_000

/** A provider that publishes these keys, and a verifier that has fetched them. */
async function provided(
  t: Test,
  keys: readonly object[],
  options: Parameters<typeof verifier>[1] = {},
) {
  const provider = await startBackend(t)
  publish(provider, keys)
  const made = verifier(t, { jwksUrl: `${provider.url}keys?key=s3cret`, ...options })
  await made.start()
  /** A token of alice, signed with a key of ES256. */
  const token = (key: Pair, kid?: string, sub = 'alice') =>
    sign(made.claims({ sub }), key.privateKey, { alg: 'ES256', ...(kid !== undefined && { kid }) })
  return { ...made, provider, token }
}

function publish(provider: Backend, keys: readonly object[]): void {
  provider.answer = () => ({ body: { keys } })
}

/** Moves on to where the keys are fetched, and waits until the answer has been judged. */
async function refreshed(
  { clock, provider, start }: Awaited<ReturnType<typeof provided>>,
  ms: number,
): Promise<void> {
  const asked = provider.next()
  clock.advance(ms)
  // Joins the fetch that is under way.
  await Promise.all([asked, start()])
}

const lines = (log: { lines: readonly { level: string; message: string }[] }) =>
  log.lines.map(({ level, message }) => `${level}: ${message}`)

t.test('a token counts that is signed with a published key, of any kind', async (t) => {
  const [r, e, d] = [rsa(), ec(), ed25519()]
  const keys = [jwk(r, 'r'), jwk(e, 'e', { alg: 'ES256', use: 'sig' }), jwk(d, 'd')]
  const { verify, claims } = await provided(t, keys)
  for (const [alg, kid, key] of [
    ['RS256', 'r', r],
    ['PS512', 'r', r],
    ['ES256', 'e', e],
    ['EdDSA', 'd', d],
  ] as const) {
    t.equal(
      (await verify(await sign(claims(), key.privateKey, { alg, kid }))).subject,
      'alice',
      alg,
    )
  }
})

t.test('a token without a kid is tried with every key of its kind', async (t) => {
  const [one, two] = [ec(), ec()]
  const { verify, token } = await provided(t, [jwk(one, '1'), jwk(rsa(), '2'), jwk(two)])
  t.ok(await verify(await token(one)))
  t.ok(await verify(await token(two)))
})

t.test(
  'a key that is not for signatures, is private, or can’t be read never counts; others beside it do',
  async (t) => {
    const [good, encrypting, leaked, named] = [ec(), ec(), ec(), ec()]
    const d = leaked.privateKey.export({ format: 'jwk' }).d
    const { verify, token } = await provided(t, [
      jwk(encrypting, 'enc', { use: 'enc' }),
      jwk(encrypting, 'ops', { key_ops: ['deriveBits'] }),
      jwk(leaked, 'leaked', { d }),
      jwk(named, 'alg', { alg: 'ES384' }),
      { kty: 'EC', crv: 'P-256', x: '!', y: '!', kid: 'broken' },
      { kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), kid: 'secret' },
      { kid: 'nothing' },
      jwk(good, 'good'),
    ])
    for (const [key, kid] of [
      [encrypting, 'enc'],
      [encrypting, 'ops'],
      [leaked, 'leaked'],
      [named, 'alg'],
      [good, 'broken'],
      [good, 'secret'],
      [good, 'nothing'],
    ] as const) {
      await t.rejects(verify(await token(key, kid)), refusal('token_invalid'), kid)
    }
    t.ok(await verify(await token(good, 'good')))
    t.ok(await verify(await token(good)))
    await t.rejects(verify(await token(encrypting)), refusal('token_invalid'), 'nor without a kid')
  },
)

t.test('a published key of RSA that is too short doesn’t count', async (t) => {
  const short = rsa(1024)
  const { verify, claims } = await provided(t, [jwk(short, 'short')])
  const { subtle } = globalThis.crypto
  const der = short.privateKey.export({ type: 'pkcs8', format: 'der' })
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const key = await subtle.importKey('pkcs8', new Uint8Array(der), algorithm, false, ['sign'])
  // jose wouldn't sign with it.
  const text = [{ alg: 'RS256', kid: 'short' }, claims()]
    .map((it) => Buffer.from(JSON.stringify(it)).toString('base64url'))
    .join('.')
  const signature = await subtle.sign(algorithm.name, key, Buffer.from(text))
  const token = `${text}.${Buffer.from(signature).toString('base64url')}`
  await t.rejects(verify(token), refusal('token_invalid'))
})

t.test(
  'secrets and keys in PEM count beside the published ones, also while the provider is down',
  async (t) => {
    const [written, published] = [ec(), ec()]
    const options = { secrets: [SECRET], publicKeys: [written.pem] }
    const { provider, verify, claims, token } = await provided(t, [jwk(published, 'p')], options)
    t.ok(await verify(await token(published, 'p')))
    await provider.stop()
    t.ok(await verify(await sign(claims())))
    t.ok(await verify(await token(written, 'w')))
    t.equal(provider.asked.length, 1, 'nobody was asked for them')
  },
)

t.test('an unknown kid makes the gateway look again, and the new key counts at once', async (t) => {
  const [old, fresh] = [ec(), ec()]
  const { provider, verify, token } = await provided(t, [jwk(old, 'old')])
  publish(provider, [jwk(old, 'old'), jwk(fresh, 'fresh')])
  t.ok(await verify(await token(old, 'old')))
  t.equal(provider.asked.length, 1)
  t.ok(await verify(await token(fresh, 'fresh')))
  t.equal(provider.asked.length, 2)
})

t.test('a provider whose keys have no kid is asked again, too', async (t) => {
  const [old, fresh] = [ec(), ec()]
  const { provider, verify, token } = await provided(t, [jwk(old)])
  publish(provider, [jwk(fresh)])
  t.ok(await verify(await token(fresh)))
  await t.rejects(verify(await token(old)), refusal('token_invalid'))
  t.equal(provider.asked.length, 2)
})

t.test('a bad signature with a known kid makes nobody look again', async (t) => {
  const { provider, verify, token } = await provided(t, [jwk(ec(), 'k')])
  await t.rejects(verify(await token(ec(), 'k')), refusal('token_invalid'))
  t.equal(provider.asked.length, 1)
})

t.test('a flood of unknown kids makes one fetch in 30 s', async (t) => {
  const { provider, verify, token, clock } = await provided(t, [jwk(ec(), 'k')])
  const attacker = ec()
  const flood = async (n: number) => {
    const tokens = await Promise.all(Array.from({ length: n }, (_, i) => token(attacker, `x${i}`)))
    const answers = await Promise.allSettled(tokens.map(verify))
    t.ok(answers.every((it) => it.status === 'rejected' && it.reason.code === 'token_invalid'))
  }
  await flood(100)
  t.equal(provider.asked.length, 2, 'all wait for the same one')
  await flood(100)
  clock.advance(29_999)
  await flood(10)
  t.equal(provider.asked.length, 2)
  clock.advance(1)
  await flood(10)
  t.equal(provider.asked.length, 3)
})

t.test('a token of an unknown kid waits for the fetch that is under way', async (t) => {
  const [old, fresh] = [ec(), ec()]
  const { provider, verify, token, clock } = await provided(t, [jwk(old, 'old')])
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  provider.answer = async () => {
    await held
    return { body: { keys: [jwk(fresh, 'fresh')] } }
  }
  const asked = provider.next()
  clock.advance(10 * MINUTE)
  await asked
  const verified = verify(await token(fresh, 'fresh'))
  release()
  t.ok(await verified)
  t.equal(provider.asked.length, 2)
})

t.test('the keys are fetched anew every ten minutes', async (t) => {
  const made = await provided(t, [jwk(ec(), 'k')])
  const { provider, clock } = made
  for (let fetches = 1; fetches < 4; fetches++) {
    t.same(clock.due(), [10 * MINUTE])
    clock.advance(10 * MINUTE - 1)
    t.equal(provider.asked.length, fetches)
    await refreshed(made, 1)
    t.equal(provider.asked.length, fetches + 1)
  }
})

t.test('a token whose key is gone is refused, though it was known', async (t) => {
  const [gone, kept] = [ec(), ec()]
  const made = await provided(t, [jwk(gone, 'gone'), jwk(kept, 'kept')])
  const { provider, verify, raw, token } = made
  const [lost, good] = [await token(gone, 'gone'), await token(kept, 'kept')]
  await Promise.all([verify(lost), verify(good)])
  t.equal((raw(lost) as Claims).subject, 'alice', 'known')
  publish(provider, [jwk(kept, 'kept')])
  await refreshed(made, 10 * MINUTE)
  await t.rejects(verify(lost), refusal('token_invalid'))
  t.ok(await verify(good))
})

t.test(
  'a token whose key was changed under the same kid is refused, though it was known',
  async (t) => {
    const [old, fresh] = [ec(), ec()]
    const made = await provided(t, [jwk(old, 'k')])
    const { provider, verify, token } = made
    const known = await token(old, 'k')
    await verify(known)
    publish(provider, [jwk(fresh, 'k')])
    await refreshed(made, 10 * MINUTE)
    await t.rejects(verify(known), refusal('token_invalid'))
    t.ok(await verify(await token(fresh, 'k')))
  },
)

t.test('a token that is being examined while its key goes is refused', async (t) => {
  const [gone, fresh] = [ec(), ec()]
  const answer = (key: Pair) => {
    const body = Buffer.from(JSON.stringify({ keys: [jwk(key, 'k')] }))
    return { status: 200, headers: {}, body }
  }
  let change = () => {}
  const changed = new Promise<void>((resolve) => {
    change = resolve
  })
  const answers = [async () => answer(gone), () => changed.then(() => answer(fresh))]
  const time = createClock()
  let looks = 0
  const { start, verify, claims } = verifier(t, {
    jwksUrl: 'http://provider.example/',
    ask: async () => answers.shift()!(),
    later: time.later,
    now() {
      // Once for the keys written down, then for the one that was fetched: that is about to be tried.
      if (++looks === 2) change()
      return time.now()
    },
  })
  await start()
  time.advance(10 * MINUTE)
  const token = await sign(claims(), gone.privateKey, { alg: 'ES256', kid: 'k' })
  await t.rejects(verify(token), refusal('token_invalid'))
  t.ok(looks > 2, 'it was examined again')
})

t.test('the same keys in another order are no change: what is known stays known', async (t) => {
  const [one, two] = [ec(), ec()]
  const made = await provided(t, [jwk(one, '1'), jwk(two, '2')])
  const { provider, verify, raw, token, log } = made
  const known = await token(one, '1')
  const value = await verify(known)
  publish(provider, [jwk(two, '2'), jwk(one, '1')])
  await refreshed(made, 10 * MINUTE)
  t.equal(raw(known), value)
  t.same(lines(log), [])
})

t.test(
  'while the provider is down the old keys count on, which is said once, and once that it is back',
  async (t) => {
    const key = ec()
    const made = await provided(t, [jwk(key, 'k')])
    const { provider, verify, token, log, clock } = made
    const port = provider.port
    await provider.stop()
    for (let i = 0; i < 3; i++) {
      clock.advance(10 * MINUTE)
      const unknown = verify(await token(ec(), 'unknown'))
      await t.rejects(unknown, refusal('authorization_unavailable'), 'its key may be a new one')
      t.ok(await verify(await token(key, 'k', `user ${i}`)))
    }
    t.same(lines(log), ['warn: keys for tokens can’t be fetched'])
    t.match(log.lines[0]?.fields, { url: `http://127.0.0.1:${port}/keys`, keys: 'old' })
    t.match(clock.due(), [30_000], 'asked again in 30 s')
    await provider.restart()
    await refreshed(made, 30_000)
    t.same(lines(log).slice(1), ['info: keys for tokens can be fetched again'])
    await t.rejects(verify(await token(ec(), 'unknown')), refusal('token_invalid'))
    t.notMatch(JSON.stringify(log.lines), 's3cret', 'nor is the query of the URL in the log')
  },
)

t.test('an answer that is no set of keys changes nothing', async (t) => {
  const key = ec()
  const made = await provided(t, [jwk(key, 'k')])
  const { provider, verify, token, log } = made
  const answers = [
    { status: 500, body: { keys: [] } },
    { status: 404 },
    { status: 302, headers: { location: '/elsewhere' }, body: { keys: [] } },
    { body: '' },
    { body: '<html>s3cret' },
    { body: 'null' },
    { body: [] },
    { body: {} },
    { body: { keys: {} } },
    { body: { keys: [1] } },
    { body: { keys: [], fill: 'x'.repeat(256 * 1024) } },
  ]
  for (const answer of answers) {
    provider.answer = () => answer
    await refreshed(made, 10 * MINUTE)
    t.ok(await verify(await token(key, 'k', JSON.stringify(answer).slice(0, 50))))
  }
  t.equal(log.lines.length, 1)
  t.notMatch(JSON.stringify(log.lines), 's3cret')
  t.notOk(provider.asked.some(({ path }) => path === '/elsewhere'))
})

t.test('an empty set takes all keys away', async (t) => {
  const key = ec()
  const made = await provided(t, [jwk(key, 'k')])
  publish(made.provider, [])
  await refreshed(made, 10 * MINUTE)
  const token = await made.token(key, 'k')
  await t.rejects(made.verify(token), refusal('token_invalid'))
})

t.test(
  'as long as there was never a key nobody can say who it is: 503, and it goes on trying',
  async (t) => {
    const key = ec()
    const provider = await startBackend(t)
    publish(provider, [jwk(key, 'k')])
    await provider.stop()
    const options = { jwksUrl: provider.url, secrets: [SECRET] }
    const { start, verify, claims, log, clock } = verifier(t, options)
    await start()
    t.match(log.lines, [{ level: 'warn', fields: { keys: 'none' } }])
    const token = await sign(claims(), key.privateKey, { alg: 'ES256', kid: 'k' })
    const unavailable = { ...refusal('authorization_unavailable'), status: 503, retryAfter: 5 }
    await t.rejects(verify(token), unavailable)
    t.ok(await verify(await sign(claims())), 'a secret is a key')
    const hs = await sign(claims(), 'another secret of thirty-two bytes and more')
    await t.rejects(verify(hs), refusal('token_invalid'), 'and one that is wrong stays wrong')
    t.ok(clock.due().includes(2000))
    await provider.restart()
    const asked = provider.next()
    clock.advance(2000)
    await asked
    t.ok(await verify(token))
    t.same(lines(log).slice(1), ['info: keys for tokens can be fetched again'])
  },
)

t.test('a verifier that was never started fetches the keys when it needs them', async (t) => {
  const key = ec()
  const provider = await startBackend(t)
  publish(provider, [jwk(key, 'k')])
  const { verify, claims } = verifier(t, { jwksUrl: provider.url })
  t.ok(await verify(await sign(claims(), key.privateKey, { alg: 'ES256', kid: 'k' })))
})

t.test('31: a JWKS at a metadata service is never fetched', async (t) => {
  const { start, log, verify, claims } = verifier(t, { jwksUrl: 'http://169.254.169.254/keys' })
  await start()
  t.match(log.lines, [{ level: 'warn', fields: { reason: /link-local/ } }])
  const token = await sign(claims(), ec().privateKey, { alg: 'ES256' })
  await t.rejects(verify(token), refusal('authorization_unavailable'))
})

t.test(
  'once stopped it fetches nothing any more, and says nothing of what it gave up',
  async (t) => {
    const { provider, stop, clock, log } = await provided(t, [jwk(ec(), 'k')])
    provider.answer = () => new Promise(() => {})
    const asked = provider.next()
    clock.advance(10 * MINUTE)
    await asked
    stop()
    t.same(clock.due(), [])
    t.same(log.lines, [])
  },
)
