/** docs/security.md, "Changing keys". */
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { startBackend } from '../auth/support/backend.js'
import { bearer, look, mint, ticketFor } from '../http/support/locked.js'
import { post } from '../routes/support/ask.js'
import { startGatewayProcess } from '../support/gateway.js'
import { codeIn, readChapter, settingsOf } from '../support/page.js'
import { startRedis } from '../support/redis.js'
import { PAGE } from './support/locked.js'

const OLD = 'the-old-one-of-thirty-two-characters'
const NEW = 'the-new-one-of-thirty-two-characters'
const CHANNELS = { '**': ['subscribe'] }
const INVALID = { status: 401, json: { code: 'token_invalid' } }

const [script = ''] = codeIn(readChapter(PAGE, 'Changing keys'), 'sh')
/** The settings of the first step, and of the last. */
const steps = await Promise.all(
  script
    .split('\n')
    .filter((line) => line.startsWith('export '))
    .map((line) => settingsOf(line, { OLD, NEW })),
)

t.test('the old secret, and the old API key, count as long as the page says', async (t) => {
  for (const variable of ['SLUICE_JWT_SECRET', 'SLUICE_API_KEY']) {
    const sign = (secret: string) =>
      variable === 'SLUICE_API_KEY' ? secret : mint({ secret, channels: CHANNELS })
    const statuses: number[][] = []
    for (const value of [OLD, ...steps.map(({ SLUICE_JWT_SECRET: both = '' }) => both)]) {
      const gateway = await startGatewayProcess({ [variable]: value })
      const of = async (secret: string) =>
        (await look(gateway.url, 'channel=a', bearer(await sign(secret)))).status
      statuses.push([await of(OLD), await of(NEW)])
      await gateway.stop()
    }
    t.same(
      statuses,
      [
        [200, 401],
        [200, 200],
        [401, 200],
      ],
      variable,
    )
  }
})

t.test(
  'a new key of a JWKS counts without a restart, old ones while the URL is away',
  async (t) => {
    const [first, second] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')]
    const jwk = async ({ publicKey }: { publicKey: CryptoKey }, kid: string) => ({
      ...(await exportJWK(publicKey)),
      ...{ kid, alg: 'ES256' },
    })
    const sign = ({ privateKey }: { privateKey: CryptoKey }, kid: string) =>
      new SignJWT({ sluice: { channels: CHANNELS } })
        .setProtectedHeader({ alg: 'ES256', kid })
        .setExpirationTime('5m')
        .sign(privateKey)
    const provider = await startBackend(t)
    const keys = [await jwk(first, 'k1')]
    provider.answer = () => ({ body: { keys } })
    const gateway = await startGatewayProcess({ SLUICE_JWKS_URL: provider.url })
    t.teardown(gateway.stop)
    const ask = (token: string) => look(gateway.url, 'channel=a', bearer(token))
    t.equal((await ask(await sign(first, 'k1'))).status, 200)
    keys.push(await jwk(second, 'k2'))
    t.equal((await ask(await sign(second, 'k2'))).status, 200)
    await provider.stop()
    t.equal((await ask(await sign(first, 'k1'))).status, 200)
    t.equal((await ask(await sign(second, 'k2'))).status, 200)
  },
)

t.test('a ticket outlives the key of its token, until it is revoked', async (t) => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const env = { SLUICE_REDIS_URL: redis.url, SLUICE_API_KEY: NEW }
  const before = await startGatewayProcess({ ...env, SLUICE_JWT_SECRET: OLD })
  t.teardown(before.stop)
  const forged = await mint({ sub: 'mallory', secret: OLD, channels: CHANNELS })
  const { ticket } = await ticketFor(before.url, forged, { channels: ['a'] })
  t.equal((await look(before.url, `ticket=${ticket}`)).status, 200)
  await before.stop()

  const after = await startGatewayProcess({ ...env, ...steps[1] })
  t.teardown(after.stop)
  t.match(await look(after.url, 'channel=a', bearer(forged)), INVALID)
  t.equal((await look(after.url, `ticket=${ticket}`)).status, 200)
  await post(`${after.url}/v1/revocations`, { subject: 'mallory' }, bearer(NEW))
  t.match(await look(after.url, `ticket=${ticket}`), { status: 401 })
})
