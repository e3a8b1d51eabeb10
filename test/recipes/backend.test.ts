/** What a backend does: docs/security.md, "A locked gateway", "A backend" and "Signing tokens". */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { startBackend } from '../auth/support/backend.js'
import { ask, post } from '../routes/support/ask.js'
import { open } from '../routes/support/stream.js'
import { startGatewayProcess } from '../support/gateway.js'
import { codeIn, filesIn, layOut, readChapter, runShell, settingsOf } from '../support/page.js'
import { openByTicket, PAGE, startLocked } from './support/locked.js'

const run = promisify(execFile)
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

t.test('the gateway that the page starts is locked', async (t) => {
  const { gateway } = await startLocked(t)
  t.match(await gateway.said('listening'), /"mode":"locked"/)
  t.equal((await post(`${gateway.url}/v1/events?channel=chat:7`, 1)).status, 401)
})

t.test('a backend publishes, makes a ticket and logs somebody out', async (t) => {
  const { gateway, env } = await startLocked(t)
  const commands = codeIn(readChapter(PAGE, 'A backend'), 'sh')
  t.equal(commands.length, 4)
  const [publish, makeTicket, logOut, letIn] = commands.map(
    // -f: an answer that says no is a failure.
    (command) => async () => runShell(command.replace(/^curl /, 'curl -fsS '), env),
  )

  const { ticket, expires } = JSON.parse(await makeTicket!())
  t.ok(Math.abs(expires - Date.now() - 3_600_000) < 60_000, 'for an hour')
  const stream = await openByTicket(t, gateway.url, ticket)
  t.same((await stream.event('stream.ready')).json.channels, ['chat:7', 'user:alice'])
  t.match(JSON.parse(await publish!()), { channel: 'chat:7' })
  t.match(await stream.find(({ json }) => json?.channel === 'chat:7'), {
    json: { data: { text: 'Hello' } },
  })

  const said = performance.now()
  const revoked = JSON.parse(await logOut!())
  t.equal(revoked.subject, 'alice')
  t.ok(Math.abs(revoked.until * 1000 - Date.now() - 86_400_000) < 60_000, 'for a day')
  t.match(await stream.event('stream.bye'), { json: { reason: 'revoked', reconnect: false } })
  await stream.over()
  t.ok(performance.now() - said < 1000, 'within a second')
  const again = () =>
    ask(`${gateway.url}/v1/events?ticket=${ticket}&wait=0`, {
      headers: { accept: 'application/json', origin: 'https://app.example' },
    })
  t.match(await again(), { status: 401, json: { code: 'token_revoked' } })
  await letIn!()
  t.equal((await again()).status, 200)
})

/** What a token of the page is good for. */
async function tryToken(t: Tap, url: string, token: string): Promise<void> {
  const reader = await open(`${url}/v1/events?channel=chat:7&channel=user:alice`, {
    headers: bearer(token),
  })
  t.teardown(reader.close)
  t.equal(reader.status, 200)
  t.equal((await post(`${url}/v1/events?channel=chat:7`, 1, bearer(token))).status, 201)
  t.match(await reader.find(({ json }) => json?.data === 1), { json: { sender: 'alice' } })
  const other = await ask(`${url}/v1/events?channel=user:bob`, { headers: bearer(token) })
  t.match(other, { status: 403, json: { code: 'forbidden' } })
}
type Tap = Parameters<typeof startLocked>[0]

t.test('a token of the command line counts', async (t) => {
  const { gateway, secret } = await startLocked(t)
  const [script] = codeIn(readChapter(PAGE, 'Signing tokens'), 'sh')
  const token = await runShell(script!, { SLUICE_JWT_SECRET: secret })
  await tryToken(t, gateway.url, token.trim())
})

t.test('a token signed in Node counts', async (t) => {
  const { gateway, secret } = await startLocked(t)
  const directory = await layOut(t, filesIn(readChapter(PAGE, 'Signing tokens')))
  process.env.SLUICE_JWT_SECRET = secret
  const { tokenFor } = await import(pathToFileURL(join(directory, 'tokens.js')).href)
  delete process.env.SLUICE_JWT_SECRET
  await tryToken(t, gateway.url, await tokenFor('alice'))
})

t.test('a token signed in Python counts', async (t) => {
  const { gateway, secret } = await startLocked(t)
  const directory = await layOut(t, filesIn(readChapter(PAGE, 'Signing tokens')))
  const script = 'from tokens import token_for; print(token_for("alice"))'
  const { stdout } = await run('/usr/bin/python3', ['-c', script], {
    cwd: directory,
    env: { SLUICE_JWT_SECRET: secret },
  })
  await tryToken(t, gateway.url, stdout.trim())
})

t.test('tokens of an identity provider count as the page says', async (t) => {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }
  const provider = await startBackend(t)
  provider.answer = () => ({ body: { keys: [jwk] } })
  const script = codeIn(readChapter(PAGE, 'Signing tokens'), 'sh')[1]!
  const settings = await settingsOf(script)
  t.equal(new URL(settings.SLUICE_JWKS_URL!).origin, 'https://login.example')
  const gateway = await startGatewayProcess({ ...settings, SLUICE_JWKS_URL: provider.url })
  t.teardown(gateway.stop)
  const claims = {
    sub: 'alice',
    iss: 'https://login.example/',
    aud: 'sluice',
    'https://app.example/sluice': {
      channels: { 'chat:*': ['subscribe', 'publish'], 'user:{sub}': ['subscribe'] },
    },
  }
  const sign = (changes = {}) =>
    new SignJWT({ ...claims, ...changes })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .setExpirationTime('5m')
      .sign(privateKey)
  await tryToken(t, gateway.url, await sign())
  for (const changes of [{ iss: 'https://elsewhere.example/' }, { aud: 'another' }]) {
    const answer = await post(`${gateway.url}/v1/events`, {}, bearer(await sign(changes)))
    t.match(answer, { status: 401, json: { code: 'token_invalid' } })
  }
})
