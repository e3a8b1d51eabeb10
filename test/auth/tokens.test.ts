import { createHmac, sign as signBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { Claims } from '../../src/auth/tokens.js'
import { SluiceError } from '../../src/wire/errors.js'
import { certificate } from '../support/certificate.js'
import { startBackend } from './support/backend.js'
import {
  ec,
  ed25519,
  jwk,
  part,
  refusal,
  rsa,
  SECRET,
  secretKey,
  sign,
  verifier,
} from './support/verifier.js'

t.test('a token says who it is, until when, and what it grants', async (t) => {
  const { verify, claims, clock } = verifier(t, { secrets: [SECRET] })
  const sluice = { channels: { 'chat:*': ['subscribe'] } }
  const now = clock.now()
  t.match(await verify(await sign(claims({ jti: 'j1', sluice, other: 1 }))), {
    subject: 'alice',
    issuedAt: now,
    expires: now + 3_600_000,
    jti: 'j1',
    claim: sluice,
    all: { other: 1 },
  })
  const nobody = claims({ sub: undefined, iat: undefined })
  t.strictSame(await verify(await sign(nobody)), {
    subject: undefined,
    issuedAt: undefined,
    expires: now + 3_600_000,
    jti: undefined,
    claim: undefined,
    all: { exp: (now + 3_600_000) / 1000 },
  })
})

t.test(
  'the claim of the rights has the name that is configured, and none that every object has',
  async (t) => {
    const named = verifier(t, { secrets: [SECRET], claim: 'https://example.org/rights' })
    const token = await sign(named.claims({ 'https://example.org/rights': 1, sluice: 2 }))
    t.equal((await named.verify(token)).claim, 1)
    const inherited = verifier(t, { secrets: [SECRET], claim: 'constructor' })
    t.equal((await inherited.verify(await sign(inherited.claims()))).claim, undefined)
  },
)

t.test('every algorithm counts with the kind of key it is for', async (t) => {
  const [r, p256, p384, p521, ed] = [rsa(), ec('P-256'), ec('P-384'), ec('P-521'), ed25519()]
  const { verify, claims } = verifier(t, {
    secrets: [SECRET],
    publicKeys: [r, p256, p384, p521, ed].map(({ pem }) => pem),
  })
  const keys = { HS: secretKey(SECRET), RS: r.privateKey, PS: r.privateKey }
  for (const alg of [
    'HS256',
    'HS384',
    'HS512',
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
  ]) {
    const key = keys[alg.slice(0, 2) as keyof typeof keys]
    t.equal((await verify(await sign(claims(), key, { alg }))).subject, 'alice', alg)
  }
  const others = { ES256: p256, ES384: p384, ES512: p521, EdDSA: ed, Ed25519: ed }
  for (const [alg, { privateKey }] of Object.entries(others)) {
    t.equal((await verify(await sign(claims(), privateKey, { alg }))).subject, 'alice', alg)
  }
})

t.test('a certificate is as good as the key in it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-tokens-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const { pem, key } = await certificate(directory)
  const { verify, claims } = verifier(t, { publicKeys: [pem] })
  const { createPrivateKey } = await import('node:crypto')
  const token = await sign(claims(), createPrivateKey(await readFile(key)), { alg: 'ES256' })
  t.equal((await verify(token)).subject, 'alice')
})

t.test('secrets are changed without a gap: the old and the new one count together', async (t) => {
  const old = 'the old secret, thirty-two bytes long'
  const both = verifier(t, { secrets: [SECRET, old] })
  const [token, older] = [await sign(both.claims()), await sign(both.claims(), old)]
  t.equal((await both.verify(token)).subject, 'alice')
  t.equal((await both.verify(older)).subject, 'alice')
  const after = verifier(t, { secrets: [SECRET] })
  t.equal((await after.verify(token)).subject, 'alice')
  await t.rejects(after.verify(older), refusal('token_invalid', /fits none of the keys/))
})

t.test('public keys are changed without a gap, too', async (t) => {
  const [one, two, three] = [ec(), ec(), ec()]
  const { verify, claims } = verifier(t, { publicKeys: [one.pem, two.pem] })
  const alg = 'ES256'
  t.ok(await verify(await sign(claims(), one.privateKey, { alg, kid: 'any' })))
  t.ok(await verify(await sign(claims(), two.privateKey, { alg })))
  const foreign = sign(claims(), three.privateKey, { alg })
  await t.rejects(verify(await foreign), refusal('token_invalid', /fits none of the keys/))
})

t.test('13: alg none is refused, in every spelling, with and without a signature', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET], publicKeys: [rsa().pem] })
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', undefined, null, 0, ['HS256'], {}]) {
    const unsigned = `${part({ alg, typ: 'JWT' })}.${part(claims())}`
    const mac = createHmac('sha256', SECRET).update(unsigned).digest('base64url')
    for (const signature of ['', mac, part('x')]) {
      await t.rejects(verify(`${unsigned}.${signature}`), refusal('token_invalid'), `${alg}`)
    }
  }
})

t.test('13: HS256 signed with the public key, in whatever form, is refused', async (t) => {
  for (const secrets of [[], [SECRET]]) {
    for (const { publicKey, pem } of [rsa(), ec(), ed25519()]) {
      const { verify, claims } = verifier(t, { secrets, publicKeys: [pem] })
      const der = publicKey.export({ type: 'spki', format: 'der' })
      const texts = [
        pem,
        pem.trim(),
        pem.replaceAll('\n', '\r\n'),
        der,
        JSON.stringify(jwk({ publicKey } as never)),
      ]
      for (const text of texts) {
        for (const [alg, hash] of [
          ['HS256', 'sha256'],
          ['HS512', 'sha512'],
        ] as const) {
          const body = `${part({ alg })}.${part(claims())}`
          const token = `${body}.${createHmac(hash, text).update(body).digest('base64url')}`
          await t.rejects(verify(token), refusal('token_invalid'))
        }
      }
    }
  }
})

t.test(
  '13: HS256 signed with a key of the JWKS is refused, and no fetch is made for it',
  async (t) => {
    const key = rsa()
    const backend = await startBackend(t)
    backend.answer = () => ({ body: { keys: [jwk(key, 'k')] } })
    const { verify, claims, start } = verifier(t, { secrets: [SECRET], jwksUrl: backend.url })
    await start()
    for (const kid of ['k', 'unknown', undefined]) {
      const token = await sign(claims(), key.pem, { ...(kid && { kid }) })
      await t.rejects(verify(token), refusal('token_invalid', /fits none/))
    }
    t.equal(backend.asked.length, 1)
  },
)

t.test(
  '11: a token that says where its key is, or brings it along, is refused, and nobody is asked',
  async (t) => {
    const attacker = rsa()
    const elsewhere = await startBackend(t)
    elsewhere.answer = () => ({ body: { keys: [jwk(attacker, 'k')] } })
    const ours = await startBackend(t)
    ours.answer = () => ({ body: { keys: [jwk(rsa(), 'k')] } })
    const { verify, claims, start } = verifier(t, {
      jwksUrl: ours.url,
      issuers: ['https://issuer.example/'],
      publicKeys: [rsa().pem],
    })
    await start()
    const headers = [
      { jku: elsewhere.url },
      { jku: `${elsewhere.url}.well-known/jwks.json`, kid: 'k' },
      { x5u: elsewhere.url, kid: 'k' },
      { kid: elsewhere.url },
      { jwk: jwk(attacker, 'k') },
      { jwk: jwk(attacker, 'k'), kid: 'k' },
      { x5c: [attacker.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
      { kid: 'k' },
    ]
    for (const header of headers) {
      for (const iss of [elsewhere.url, 'https://issuer.example/']) {
        const token = await sign(claims({ iss }), attacker.privateKey, { alg: 'RS256', ...header })
        await t.rejects(verify(token), refusal('token_invalid'), Object.keys(header).join())
      }
    }
    t.equal(elsewhere.connections, 0, 'no fetch')
    t.equal(new Set(ours.asked.map(({ path }) => path)).size, 1)
  },
)

t.test('12: the same kid from another issuer is refused', async (t) => {
  const [ours, theirs] = [ec(), ec()]
  const backend = await startBackend(t)
  backend.answer = () => ({ body: { keys: [jwk(ours, 'k')] } })
  const issuers = ['https://a.example']
  const { verify, claims, start } = verifier(t, { jwksUrl: backend.url, issuers })
  await start()
  const header = { alg: 'ES256', kid: 'k' }
  const good = await sign(claims({ iss: 'https://a.example' }), ours.privateKey, header)
  t.equal((await verify(good)).subject, 'alice')
  for (const iss of ['https://b.example', 'https://a.example']) {
    const forged = await sign(claims({ iss }), theirs.privateKey, header)
    await t.rejects(verify(forged), refusal('token_invalid', /fits none/), iss)
  }
  const other = await sign(claims({ iss: 'https://b.example' }), ours.privateKey, header)
  await t.rejects(verify(other), refusal('token_invalid', /issuer/), 'with our own key')
})

t.test(
  'only the algorithms that are named count, and of those only the ones that fit a key',
  async (t) => {
    const key = rsa()
    const { verify, claims } = verifier(t, {
      secrets: [SECRET],
      publicKeys: [key.pem],
      algorithms: ['RS256', 'HS512', 'EdDSA'],
    })
    t.ok(await verify(await sign(claims(), key.privateKey, { alg: 'RS256' })))
    t.ok(await verify(await sign(claims(), SECRET, { alg: 'HS512' })))
    for (const alg of ['RS384', 'RS512', 'PS256']) {
      const token = await sign(claims(), key.privateKey, { alg })
      await t.rejects(
        verify(token),
        refusal('token_invalid', new RegExp(`with ${alg}, which is not`)),
      )
    }
    const hs256 = await sign(claims(), SECRET)
    await t.rejects(verify(hs256), refusal('token_invalid', /with HS256, which is not accepted/))
    const eddsa = await sign(claims(), ed25519().privateKey, { alg: 'EdDSA' })
    await t.rejects(verify(eddsa), refusal('token_invalid', /with EdDSA, which is not accepted/))
  },
)

t.test('what an algorithm is called that nobody knows is not repeated', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET] })
  const error = await verify(`${part({ alg: 's3cret' })}.${part(claims())}.x`).catch((it) => it)
  t.match(error, refusal('token_invalid', /algorithm/))
  t.notMatch(error.message, 's3cret')
})

t.test('without a key every token is refused, and told why', async (t) => {
  const { verify, claims } = verifier(t)
  await t.rejects(verify(await sign(claims())), refusal('token_invalid', /has no keys for tokens/))
})

t.test('the issuer is checked where one is configured', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET], issuers: ['a', 'b'] })
  for (const iss of ['a', 'b']) t.ok(await verify(await sign(claims({ iss }))), iss)
  for (const iss of ['c', 'A', '', undefined, ['a'], null, 1]) {
    const token = await sign(claims({ iss }))
    await t.rejects(verify(token), refusal('token_invalid', /issuer \(iss\)/), `${iss}`)
  }
})

t.test('the audience is checked where one is configured', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET], audiences: ['a', 'b'] })
  for (const aud of ['a', 'b', ['x', 'b'], ['a', 'b']]) {
    t.ok(await verify(await sign(claims({ aud }))), `${aud}`)
  }
  for (const aud of ['c', '', undefined, [], ['x'], [['a']], { a: 1 }, 1]) {
    const token = await sign(claims({ aud }))
    await t.rejects(verify(token), refusal('token_invalid', /audience \(aud\)/), `${aud}`)
  }
})

t.test('where none is configured, both may be anything', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET] })
  t.ok(await verify(await sign(claims({ iss: 'x', aud: ['y'] }))))
})

t.test('a token must have an exp, and it must be a time', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET] })
  const none = await sign(claims({ exp: undefined }))
  await t.rejects(verify(none), refusal('token_invalid', /has no exp/))
  for (const exp of ['2099-01-01', null, true, [1], {}]) {
    const body = `${part({ alg: 'HS256' })}.${part(claims({ exp }))}`
    const token = `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`
    await t.rejects(verify(token), refusal('token_invalid', /exp/), `${exp}`)
  }
  for (const exp of ['1e999', '1e300', '9e12']) {
    const body = `${part({ alg: 'HS256' })}.${part(`{"exp":${exp}}`)}`
    const token = `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`
    await t.rejects(verify(token), refusal('token_invalid', /exp is not a time/), exp)
  }
})

t.test('exp counts up to the tolerance, and not a second longer', async (t) => {
  const { verify, claims, clock } = verifier(t, { secrets: [SECRET] })
  const seconds = clock.now() / 1000
  t.ok(await verify(await sign(claims({ exp: seconds }))))
  t.ok(await verify(await sign(claims({ exp: seconds - 29 }))), 'below')
  for (const ago of [30, 31, 1e6]) {
    const token = await sign(claims({ exp: seconds - ago }))
    await t.rejects(verify(token), refusal('token_expired'), `${ago} s ago`)
  }
})

t.test('nbf counts from the tolerance on, and not a second earlier', async (t) => {
  const { verify, claims, clock } = verifier(t, { secrets: [SECRET] })
  const seconds = clock.now() / 1000
  t.ok(await verify(await sign(claims({ nbf: seconds + 29 }))), 'below')
  t.ok(await verify(await sign(claims({ nbf: seconds + 30 }))), 'at the bound')
  const token = await sign(claims({ nbf: seconds + 31 }))
  await t.rejects(verify(token), refusal('token_invalid', /not valid yet/))
  clock.advance(1000)
  t.ok(await verify(token), 'a refusal is not remembered')
})

t.test('the tolerance is the one that is configured', async (t) => {
  const { verify, claims, clock } = verifier(t, { secrets: [SECRET], toleranceMs: 0 })
  const seconds = clock.now() / 1000
  await t.rejects(verify(await sign(claims({ exp: seconds }))), refusal('token_expired'))
  t.ok(await verify(await sign(claims({ exp: seconds + 1 }))))
  await t.rejects(verify(await sign(claims({ nbf: seconds + 1 }))), refusal('token_invalid'))
})

t.test('an expired token that nobody signed is invalid, not expired', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET] })
  const token = await sign(claims({ exp: 1 }), 'another secret of thirty-two bytes and more')
  await t.rejects(verify(token), refusal('token_invalid'))
})

t.test('a subject and an id are texts, and not empty', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET] })
  for (const claim of ['sub', 'jti']) {
    for (const value of ['', 42, null, ['alice'], { a: 1 }, true]) {
      const token = await sign(claims({ [claim]: value }))
      await t.rejects(
        verify(token),
        refusal('token_invalid', new RegExp(`Its ${claim} is`)),
        `${value}`,
      )
    }
  }
})

t.test('a known token is answered at once, without looking at its signature again', async (t) => {
  let identified = 0
  const { raw, verify, claims } = verifier(t, {
    secrets: [SECRET],
    identify(it) {
      identified++
      return it
    },
  })
  const token = await sign(claims())
  const first = raw(token)
  t.type(first, Promise)
  const known = await first
  t.equal(raw(token), known, 'synchronous, and the very same')
  t.equal(raw(`${token}`), known)
  t.equal(identified, 1)
  t.not(await verify(await sign(claims({ sub: 'bob' }))), known)
})

t.test('a new token that comes several times at once is verified once', async (t) => {
  let identified = 0
  const { raw, claims } = verifier(t, {
    secrets: [SECRET],
    identify(it) {
      identified++
      return it
    },
  })
  const token = await sign(claims())
  const all = await Promise.all([raw(token), raw(token), raw(token)])
  t.equal(new Set(all).size, 1)
  t.equal(identified, 1)
})

t.test('a known token expires like a new one: at the tolerance, to the millisecond', async (t) => {
  const { raw, verify, claims, clock } = verifier(t, { secrets: [SECRET] })
  const token = await sign(claims({ exp: clock.now() / 1000 + 60 }))
  await verify(token)
  clock.advance(60_000 + 29_999)
  t.equal((raw(token) as Claims).subject, 'alice')
  clock.advance(1)
  t.throws(() => raw(token), refusal('token_expired'))
  await t.rejects(verify(token), refusal('token_expired'), 'and stays so when it is forgotten')
})

t.test('what identifies may refuse, and is asked again the next time', async (t) => {
  let refuse = true
  const { verify, claims } = verifier(t, {
    secrets: [SECRET],
    identify(it) {
      if (refuse) throw new SluiceError('token_invalid', { detail: 'Its rights are none' })
      return it
    },
  })
  const token = await sign(claims())
  await t.rejects(verify(token), refusal('token_invalid', /rights are none/))
  refuse = false
  t.ok(await verify(token))
})

t.test('a token of 8 KiB is read, a longer one is not', async (t) => {
  const { raw, verify, claims } = verifier(t, { secrets: [SECRET] })
  // Three characters of text are four of base64url; the rest is found by trying.
  let fill = 6000
  let token = await sign(claims({ fill: 'x'.repeat(fill) }))
  while (token.length < 8192) token = await sign(claims({ fill: 'x'.repeat(++fill) }))
  t.equal(token.length, 8192)
  t.ok(await verify(token))
  t.throws(() => raw(`${token}x`), refusal('token_invalid', /longer than 8192/), 'above')
  t.throws(() => raw('x'.repeat(1_000_000)), refusal('token_invalid', /longer than 8192/))
})

t.test('one token has one text: another spelling of it is refused', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET] })
  const token = await sign(claims())
  t.ok(await verify(token))
  const [header, payload, signature] = token.split('.')
  const spellings = [
    ...[` ${token}`, `${token} `, `${token}\n`, `${token}=`, `${token}.`, `${token}.x`],
    `${header} .${payload}.${signature}`,
    `${header}. ${payload}.${signature}`,
    `${header}.${payload}`,
    `${header}.${payload}.`,
    `${header}..${signature}`,
    `.${payload}.${signature}`,
  ]
  for (const text of spellings) await t.rejects(verify(text), refusal('token_invalid'), text)
})

t.test('what asks for more than a signature is refused', async (t) => {
  const { verify, claims } = verifier(t, { secrets: [SECRET] })
  const payload = part(claims())
  const signed = (header: object, body = payload) => {
    const text = `${part(header)}.${body}`
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`
  }
  const tokens = {
    'an extension that nobody knows': signed({ alg: 'HS256', crit: ['exp'], exp: 1 }),
    'an empty list of extensions': signed({ alg: 'HS256', crit: [] }),
    'a payload that is not encoded': signed({ alg: 'HS256', crit: ['b64'], b64: false }, 'plain'),
    'a payload that is an array': signed({ alg: 'HS256' }, part([1])),
    'a payload that is null': signed({ alg: 'HS256' }, part(null)),
    'a payload that is no JSON': signed({ alg: 'HS256' }, part('{')),
    'a payload that is no UTF-8': signed(
      { alg: 'HS256' },
      Buffer.from([0xff]).toString('base64url'),
    ),
  }
  for (const [what, token] of Object.entries(tokens)) {
    await t.rejects(verify(token), refusal('token_invalid'), what)
  }
  t.ok(await verify(signed({ alg: 'HS256' })), 'the same without it is accepted')
})

t.test('an encrypted token is refused', async (t) => {
  const { verify } = verifier(t, { secrets: [SECRET] })
  const jwe = [part({ alg: 'dir', enc: 'A128GCM' }), '', part('x'), part('y'), part('z')].join('.')
  await t.rejects(verify(jwe), refusal('token_invalid'))
})

t.test('a signature of another curve, or of ECDSA in DER, is refused', async (t) => {
  const [p256, p384] = [ec('P-256'), ec('P-384')]
  const { verify, claims } = verifier(t, { publicKeys: [p256.pem, p384.pem] })
  const body = `${part({ alg: 'ES256' })}.${part(claims())}`
  const der = signBytes('sha256', Buffer.from(body), p256.privateKey).toString('base64url')
  await t.rejects(verify(`${body}.${der}`), refusal('token_invalid'))
  const other = signBytes('sha256', Buffer.from(body), {
    key: p384.privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  await t.rejects(verify(`${body}.${other.toString('base64url')}`), refusal('token_invalid'))
})

t.test('a refusal never repeats what stands in the token', async (t) => {
  const options = { secrets: [SECRET], issuers: ['i'], audiences: ['a'] }
  const { verify, claims } = verifier(t, options)
  const good = { iss: 'i', aud: 'a' }
  const faulty = [
    { ...good, sub: ['s3cret'] },
    { ...good, jti: { s3cret: 1 } },
    { ...good, exp: 's3cret' },
    { ...good, nbf: 's3cret' },
    { ...good, iat: 's3cret' },
    { ...good, iss: 's3cret' },
    { ...good, aud: 's3cret' },
  ]
  const tokens = [
    `${part('s3cret')}.a.b`,
    's3cret',
    `${part({ alg: 'HS256', crit: ['s3cret'] })}.a.b`,
  ]
  for (const change of faulty) {
    const body = `${part({ alg: 'HS256' })}.${part(claims(change))}`
    tokens.push(`${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`)
  }
  for (const token of tokens) {
    const error = await verify(token).catch((it) => it)
    t.match(error, refusal('token_invalid'))
    t.notMatch(JSON.stringify(error.toProblem()), 's3cret')
    t.notMatch(inspect(error, { depth: 9 }), 's3cret', 'nor for a log')
  }
})

t.test('garbage of every kind is refused as a token, and in no other way', async (t) => {
  const key = rsa()
  const { verify, claims } = verifier(t, { secrets: [SECRET], publicKeys: [key.pem, ec().pem] })
  const good = await sign(claims())
  const algorithm = fc.constantFrom('HS256', 'RS256', 'ES256', 'none', 'EdDSA', '__proto__')
  const header = fc.oneof(
    fc.record({ alg: algorithm, kid: fc.anything(), crit: fc.anything() }, { requiredKeys: [] }),
    fc.json(),
    fc.string(),
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.tuple(header, fc.json(), fc.base64String()).map((parts) => parts.map(part).join('.')),
    fc.tuple(header, fc.json(), fc.string()).map(([h, p, s]) => `${part(h)}.${part(p)}.${s}`),
    // A good one with one character changed.
    fc.tuple(fc.nat(good.length - 1), fc.string({ minLength: 1, maxLength: 1 })).map(([at, it]) => {
      return good.slice(0, at) + it + good.slice(at + 1)
    }),
  )
  await fc.assert(
    fc.asyncProperty(text, async (token) => {
      if (token === good) return
      const error: unknown = await verify(token).then(
        () => 'accepted',
        (it) => it,
      )
      // The last character of a signature has bits that nobody reads.
      if (error === 'accepted') return token.slice(0, -1) === good.slice(0, -1)
      return error instanceof SluiceError && error.code === 'token_invalid'
    }),
    { numRuns: 1500 },
  )
  t.ok(await verify(good), 'and the good one still counts')
})

t.test('anything that was signed by us is accepted or refused as a token', async (t) => {
  const { verify } = verifier(t, { secrets: [SECRET], issuers: ['i'], audiences: ['a'] })
  const time = fc.oneof(fc.double(), fc.integer(), fc.anything())
  const payload = fc.oneof(
    fc.record(
      {
        sub: fc.anything(),
        exp: time,
        nbf: time,
        iat: time,
        iss: fc.anything(),
        aud: fc.anything(),
      },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  )
  const json = (value: unknown) => {
    const plain = (_: string, it: unknown) => (typeof it === 'bigint' ? `${it}` : it)
    return JSON.stringify(value, plain) ?? ''
  }
  await fc.assert(
    fc.asyncProperty(payload, async (claims) => {
      const body = `${part({ alg: 'HS256' })}.${part(json(claims))}`
      const token = `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`
      const error: unknown = await verify(token).catch((it) => it)
      return error instanceof SluiceError && /^token_/.test(error.code)
    }),
    { numRuns: 1000 },
  )
})

t.test('a key that can’t be used is told when the gateway starts', async (t) => {
  const { privateKey, pem } = ec()
  const secret = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const faults: [options: Parameters<typeof verifier>[1], message: RegExp][] = [
    [{ secrets: [''] }, /empty/],
    [{ publicKeys: [secret] }, /private key/],
    [{ publicKeys: ['x'] }, /neither a public key nor a certificate/],
    [{ publicKeys: [pem.replace(/MF/, 'XX')] }, /neither a public key nor a certificate/],
    [{ publicKeys: [pem + ec().pem] }, /several keys/],
    [{ publicKeys: [rsa(1024).pem] }, /1024 bits/],
    [{ publicKeys: [ec('secp256k1').pem] }, /P-256/],
    [{ secrets: [SECRET], algorithms: ['none'] }, /"none" is not one of/],
    [{ secrets: [SECRET], algorithms: ['hs256'] }, /"hs256" is not one of/],
    [{ secrets: [SECRET], algorithms: ['RS256'] }, /no key is good for RS256/],
    [{ publicKeys: [pem], algorithms: ['HS256', 'ES384'] }, /no key is good for HS256, ES384/],
  ]
  for (const [options, message] of faults) t.throws(() => verifier(t, options), { message })
})
