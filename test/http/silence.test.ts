/** What the log of a whole run doesn't hold: tokens, keys, tickets, cookies, sessions. */
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { say } from '../routes/support/socket.js'
import { open } from '../routes/support/stream.js'
import { startGatewayProcess } from '../support/gateway.js'
import { startRedis } from '../support/redis.js'
import { bearer, look, mint, read, ticketFor, write } from './support/locked.js'

const SECRET = 'the-secret-that-no-log-may-show-0123'
const KEY = 'the-api-key-that-no-log-may-show'
const HOOK_KEY = 'the-hook-key-that-no-log-may-show'
const PASSWORD = 'the-password-that-no-log-may-show'
const SESSION = 'the-session-that-no-log-may-show'
const DATA = 'the-event-that-no-log-may-show'

/** A hook that says yes, then nonsense, so that it is complained about. */
async function serveHook(t: Test) {
  let fails = false
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader('content-type', 'application/json')
    response.end(fails ? `"${request.headers.authorization}"` : '{"allow":true}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}/may?key=${PASSWORD}`, fail: () => (fails = true) }
}

for (const kept of ['memory', 'redis']) {
  t.test(`the log of a whole run shows no secret (${kept})`, async (t) => {
    const user = `gate on >${PASSWORD} ~* &* +@all`.split(' ')
    const args = ['--save', '', '--user', ...user]
    const redis = kept === 'redis' ? await startRedis({ args }) : undefined
    t.teardown(() => redis?.stop())
    const hook = await serveHook(t)
    const gateway = await startGatewayProcess({
      SLUICE_LOG_LEVEL: 'debug',
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_API_KEY: KEY,
      SLUICE_AUTHORIZE_URL: hook.url,
      SLUICE_AUTHORIZE_KEY: HOOK_KEY,
      SLUICE_AUTHORIZE_CACHE: '0',
      ...(redis && {
        SLUICE_REDIS_URL: redis.url.replace('redis://', `redis://gate:${PASSWORD}@`),
      }),
    })
    t.teardown(() => gateway.stop())
    const { url } = gateway
    const token = await mint({ secret: SECRET, jti: 'token-1' })
    const expired = await mint({ secret: SECRET, exp: Date.now() / 1000 - 60 })
    const forged = await mint({ secret: 'another secret of thirty-two chars' })
    const odd = await mint({ secret: SECRET, channels: { 'chat:*': ['all'] } })
    const issued = await ticketFor(url, token, { channels: ['chat:1'] })
    const cookie = `__Host-sluice=${token}`

    const stream = await read(url, ['chat:1'], token, `session=${SESSION}`)
    await stream.event('stream.live')
    const byTicket = await open(`${url}/v1/events?ticket=${issued.ticket}`)
    await byTicket.event('stream.live')
    await write(url, 'chat:1', DATA, KEY)
    await stream.find((block) => block.json?.data === DATA)
    for (const wrong of [expired, forged, odd, `${KEY}x`, `${token}x`]) {
      t.equal((await look(url, 'channel=chat:1', bearer(wrong))).status, 401)
    }
    t.equal((await look(url, 'channel=chat:1', { cookie })).status, 200)
    t.equal((await look(url, 'channel=chat:1', { cookie: `${cookie}; ${cookie}` })).status, 401)
    t.equal((await look(url, `ticket=${issued.ticket}&session=${SESSION}`)).status, 401)
    const renewed = { ...bearer(token), 'sluice-session': SESSION }
    t.equal((await post(`${url}/v1/sessions/token`, {}, renewed)).status, 200)
    t.equal((await ask(`${url}/v1/nowhere/${token}?ticket=${issued.ticket}`)).status, 404)
    t.equal((await post(`${url}/v1/events?channel=chat:1`, `{"${DATA}`, bearer(token))).status, 400)
    await say(url, `GET /v1/events?ticket=${issued.ticket} HTTP/9.9\r\nCookie: ${cookie}\r\n\r\n`)
    hook.fail()
    t.equal((await write(url, 'chat:1', DATA, token)).status, 503)
    await gateway.said(/authori[sz]|backend/i)
    if (redis !== undefined) {
      await redis.kill('SIGSTOP')
      const unknown = await write(url, 'chat:1', DATA, KEY)
      t.equal(unknown.status, 503)
      await redis.kill('SIGCONT')
      await redis.restart('SIGKILL')
      while ((await ask(`${url}/readyz`)).status !== 200);
    }
    const revoked = await post(`${url}/v1/revocations`, { jti: 'token-1' }, bearer(KEY))
    t.equal(revoked.status, 201)
    await stream.over()
    await byTicket.over()
    await gateway.stop()

    const log = gateway.log.join('\n')
    t.match(log, /listening/, 'there is a log')
    for (const [what, secret] of Object.entries({
      ...{ SECRET, KEY, HOOK_KEY, PASSWORD, SESSION, DATA, token, expired, forged, odd },
      ticket: issued.ticket,
      'payload of a token': token.split('.')[1]!,
      'signature of a token': token.split('.')[2]!,
      'signature of a forged one': forged.split('.')[2]!,
    })) {
      t.notOk(log.includes(secret), what)
    }
  })
}
