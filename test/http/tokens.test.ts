/** Who is calling: tokens, cookies and keys, as requests to a listening gateway. */
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { onBothLogs, stopRedis } from '../routes/support/start.js'
import { bearer, KEY, locked, look, mint, read, SECRET, write } from './support/locked.js'

t.teardown(stopRedis)

/** A JWKS endpoint that counts who asks. */
async function serveJwks(t: Tap, keys: readonly object[]) {
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}/jwks`, asked: () => asked }
}
type Tap = Parameters<Parameters<typeof onBothLogs>[2]>[0]

const UNVERIFIED = { status: 401, json: { code: 'token_invalid' } }
const EXP = Math.floor(Date.now() / 1000) + 3600
const CLAIMS = { sub: 'mallory', exp: EXP, sluice: { channels: { '**': ['subscribe', 'admin'] } } }
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

onBothLogs(
  t,
  '11: a forged iss, jku or x5u that leads to an attacker’s keys is 401, and nobody is asked',
  async (t, start) => {
    const { publicKey, privateKey } = await generateKeyPair('RS256')
    const theirs = { ...(await exportJWK(publicKey)), kid: 'theirs', alg: 'RS256' }
    const attacker = await serveJwks(t, [theirs])
    const ours = await serveJwks(t, [])
    const { url } = await start(
      locked({ jwksUrl: ours.url, jwtIssuers: ['https://login.example'], jwtSecrets: [] }),
    )
    for (const header of [{}, { jku: attacker.url }, { x5u: attacker.url }, { jwk: theirs }]) {
      for (const iss of [attacker.url, 'https://login.example']) {
        const token = await new SignJWT({ ...CLAIMS, iss })
          .setProtectedHeader({ alg: 'RS256', kid: 'theirs', ...header })
          .sign(privateKey)
        t.match(await look(url, 'channel=a', bearer(token)), UNVERIFIED)
      }
    }
    t.equal(attacker.asked(), 0)
    t.ok(ours.asked() > 0, 'the configured one is')
  },
)

onBothLogs(t, '12: the same kid from another issuer is 401', async (t, start) => {
  const ours = await generateKeyPair('ES256', { extractable: true })
  const theirs = await generateKeyPair('ES256', { extractable: true })
  const jwks = await serveJwks(t, [
    { ...(await exportJWK(ours.publicKey)), kid: 'k1', alg: 'ES256' },
  ])
  const { url } = await start(
    locked({ jwksUrl: jwks.url, jwtIssuers: ['https://login.example'], jwtSecrets: [] }),
  )
  const sign = (key: CryptoKey, iss: string) =>
    new SignJWT({ ...CLAIMS, iss }).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(key)
  const good = await sign(ours.privateKey, 'https://login.example')
  t.equal((await look(url, 'channel=a', bearer(good))).status, 200)
  for (const token of [
    await sign(theirs.privateKey, 'https://login.example'),
    await sign(theirs.privateKey, 'https://evil.example'),
    await sign(ours.privateKey, 'https://evil.example'),
  ]) {
    t.match(await look(url, 'channel=a', bearer(token)), UNVERIFIED)
  }
})

onBothLogs(t, '13: alg none, and HS256 with the RSA public key, are 401', async (t, start) => {
  const { publicKey } = await generateKeyPair('RS256', { extractable: true })
  const { exportSPKI } = await import('jose')
  const pem = (await exportSPKI(publicKey)).trim()
  const { url } = await start(locked({ jwtPublicKeys: [pem], jwtSecrets: [] }))
  for (const alg of ['none', 'None', 'NONE', '']) {
    const bare = `${encode({ alg })}.${encode(CLAIMS)}.`
    t.match(await look(url, 'channel=a', bearer(bare)), UNVERIFIED, `alg ${alg}`)
  }
  for (const secret of [pem, `${pem}\n`]) {
    const confused = await new SignJWT(CLAIMS)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret))
    t.match(await look(url, 'channel=a', bearer(confused)), UNVERIFIED)
  }
})

onBothLogs(t, 'whoever is nameless is told to log in, on every resource', async (t, start) => {
  const { url } = await start(locked())
  for (const [method, path] of [
    ['GET', '/v1/events?channel=a'],
    ['HEAD', '/v1/events?channel=a'],
    ['POST', '/v1/events?channel=a'],
    ['POST', '/v1/events/stream'],
    ['GET', '/v1/channels?channel=a'],
    ['DELETE', '/v1/channels?channel=a'],
    ['POST', '/v1/channels/close?channel=a'],
    ['POST', '/v1/tickets'],
    ['POST', '/v1/sessions/token'],
    ['GET', '/v1/revocations'],
    ['POST', '/v1/revocations'],
    ['DELETE', '/v1/revocations?subject=a'],
    ['PUT', '/v1/events'],
  ] as const) {
    const options = path === '/v1/sessions/token' ? '{}' : '{"channel":"a"}'
    const body = method === 'POST' ? options : undefined
    const headers = {
      ...(body && { 'content-type': 'application/json' }),
      'sluice-session': 'a-session-of-22-letters',
      accept: 'text/event-stream',
    }
    const answer = await ask(url + path, { method, headers, body })
    t.equal(answer.status, 401, `${method} ${path}`)
    t.equal(answer.headers['www-authenticate'], 'Bearer realm="sluice"')
    if (method !== 'HEAD') t.equal(answer.json.code, 'token_missing')
  }
  t.equal((await ask(`${url}/healthz`)).status, 200, 'a load balancer has no login')
  t.equal((await ask(`${url}/readyz`)).status, 200)
})

onBothLogs(t, 'an expired token is told so, and never passes for none', async (t, start) => {
  const { url } = await start(
    locked({ anonymous: { channels: { 'public:*': ['subscribe', 'publish'] } } }),
  )
  const old = await mint({ exp: Date.now() / 1000 - 60 })
  const open = 'channel=public:a'
  t.equal((await look(url, open)).status, 200, 'nobody may')
  const expired = { status: 401, json: { code: 'token_expired' } }
  t.match(await look(url, open, bearer(old)), expired)
  t.match(await look(url, open, { cookie: `__Host-sluice=${old}` }), expired)
  t.match(await write(url, 'public:a', 1, old), expired)
  for (const wrong of [
    'x',
    'Bearer',
    'Basic YTpi',
    `Bearer ${await mint({ secret: 'y'.repeat(40) })}`,
  ]) {
    t.match(await look(url, open, { authorization: wrong }), UNVERIFIED, wrong)
  }
})

onBothLogs(
  t,
  'clocks may be apart by the tolerance, but no stream outlives exp',
  async (t, start) => {
    const { url } = await start(locked({ jwtToleranceMs: 30_000 }))
    const late = (seconds: number) => mint({ exp: Date.now() / 1000 - seconds })
    t.equal((await write(url, 'chat:1', 1, await late(20))).status, 201, 'within')
    t.match(await write(url, 'chat:1', 1, await late(40)), { status: 401 }, 'beyond')
    const stream = await read(url, ['chat:1'], await late(20))
    t.equal(stream.status, 401)
  },
)

onBothLogs(t, 'a backend with one of several API keys may do everything', async (t, start) => {
  const { url } = await start(locked({ apiKeys: [KEY, 'the-key-that-comes-after-it'] }))
  for (const key of [KEY, 'the-key-that-comes-after-it']) {
    t.equal((await write(url, 'anything', 1, key)).status, 201)
    t.equal((await look(url, 'channel=anything', bearer(key))).status, 200)
  }
  for (const wrong of [`${KEY}x`, KEY.slice(1), KEY.toUpperCase(), 'x'.repeat(5000)]) {
    t.match(await write(url, 'anything', 1, wrong), UNVERIFIED)
  }
  t.match(await look(url, 'channel=a', { cookie: `__Host-sluice=${KEY}` }), UNVERIFIED, 'no cookie')
})

onBothLogs(
  t,
  'a cookie counts only where the page that caused the request is known',
  async (t, start) => {
    const { url } = await start(locked({ corsOrigins: ['https://app.example'] }))
    const token = await mint()
    const cookie = `a=b; __Host-sluice=${token}; c="d"`
    const get = (headers: Record<string, string>) =>
      look(url, 'channel=chat:1', { cookie, ...headers })
    t.equal((await get({})).status, 200, 'a GET over plain HTTP says nothing')
    t.equal((await get({ 'sec-fetch-site': 'same-origin' })).status, 200)
    t.equal((await get({ 'sec-fetch-site': 'none' })).status, 200, 'typed by the user')
    t.equal(
      (await get({ origin: 'https://app.example', 'sec-fetch-site': 'cross-site' })).status,
      200,
    )
    const refused = { status: 403, json: { code: 'origin_forbidden' } }
    t.match(await get({ 'sec-fetch-site': 'cross-site' }), refused, 'an image on a foreign page')
    t.match(await get({ 'sec-fetch-site': 'same-site' }), refused)
    const send = (headers: Record<string, string>) =>
      post(`${url}/v1/events?channel=chat:1`, '1', { cookie, ...headers })
    t.match(await send({}), refused, 'a POST of a browser always says')
    t.match(await send({ 'sec-fetch-site': 'same-site' }), refused)
    t.match(await send({ origin: 'https://evil.example' }), refused)
    t.equal((await send({ 'sec-fetch-site': 'same-origin' })).status, 201)
    t.match(await send({ origin: 'https://app.example' }), { status: 201 })
    t.equal((await look(url, 'channel=chat:1')).status, 401, 'without it, nobody')
    t.match(await look(url, 'channel=chat:1', { cookie: `${cookie}; __Host-sluice=x` }), UNVERIFIED)
    t.equal((await look(url, 'channel=chat:1', { cookie: 'other=1' })).status, 401)
  },
)

onBothLogs(t, 'a cookie may have another name, and a header beats it', async (t, start) => {
  const { url } = await start(locked({ cookie: 'login' }))
  const alice = await mint()
  t.equal((await look(url, 'channel=chat:1', { cookie: `login=${alice}` })).status, 200)
  t.equal((await look(url, 'channel=chat:1', { cookie: `__Host-sluice=${alice}` })).status, 401)
  const both = { cookie: 'login=nonsense', ...bearer(alice) }
  t.equal((await look(url, 'channel=chat:1', both)).status, 200)
})

onBothLogs(t, 'several secrets count at once, so that they can be changed', async (t, start) => {
  const next = 'the secret that comes after this one'
  const { url } = await start(locked({ jwtSecrets: [SECRET, next] }))
  for (const secret of [SECRET, next]) {
    t.equal((await write(url, 'chat:1', 1, await mint({ secret }))).status, 201)
  }
  const third = await mint({ secret: 'a secret that nobody ever configured' })
  t.match(await write(url, 'chat:1', 1, third), UNVERIFIED)
})

onBothLogs(
  t,
  'a claim that can’t be understood is told, not taken for nothing',
  async (t, start) => {
    const { url } = await start(locked())
    for (const channels of [{ 'chat:*': ['subscribr'] }, { 'a:**:b': ['subscribe'] }]) {
      const answer = await look(url, 'channel=chat:1', bearer(await mint({ channels })))
      t.match(answer, { status: 401, json: { code: 'token_invalid', detail: /rights/ } })
    }
  },
)

onBothLogs(t, 'a cookie that only looks like ours is another', async (t, start) => {
  const { url } = await start(locked())
  const token = await mint()
  // A neighbouring host may set a name with U+00A0 before it; it may not set one that begins with __Host-.
  for (const before of ['\u00a0', '\u00a0 ', 'x']) {
    const answer = await look(url, 'channel=chat:1', { cookie: `${before}__Host-sluice=${token}` })
    t.match(answer, { status: 401, json: { code: 'token_missing' } })
  }
})

onBothLogs(
  t,
  'an exp in milliseconds is no time, and a jti that can’t be revoked is none',
  async (t, start) => {
    const { url } = await start(locked())
    const exp = (Date.now() / 1000) * 1000
    t.match(await look(url, 'channel=chat:1', bearer(await mint({ exp }))), {
      ...UNVERIFIED,
      json: { detail: /seconds/ },
    })
    const jti = 'x'.repeat(257)
    t.match(await look(url, 'channel=chat:1', bearer(await mint({ jti }))), UNVERIFIED)
  },
)
