/** docs/security.md, "The authorisation hook": the endpoint that it shows, and what it says of answers. */
import t from 'tap'
import { startBackend } from '../auth/support/backend.js'
import { bearer, KEY, locked, look, mint, ticketFor, write } from '../http/support/locked.js'
import { ask } from '../routes/support/ask.js'
import { start } from '../routes/support/start.js'
import { codeIn, layOut, readChapter, settingsOf } from '../support/page.js'
import { freePort } from '../support/ports.js'
import { PAGE, startLocked } from './support/locked.js'
import { startProgram } from './support/program.js'

const chapter = readChapter(PAGE, 'The authorisation hook')
const FORBIDDEN = { status: 403, json: { code: 'forbidden' } }

t.test('the endpoint of the page decides who may do what', async (t) => {
  const port = await freePort()
  const here = (text: string) => text.replace('3000', String(port))
  const cwd = await layOut(t, {
    'hook.js': here(codeIn(chapter, 'js')[0]!),
    'rules.js': `export const mayUse = (subject, action, channel) =>
      subject === 'alice' && (channel === 'chat:7' || (channel === 'chat:8' && action === 'subscribe'))`,
    'run.js': `import { Server } from 'node:http'
      const { listen } = Server.prototype
      Server.prototype.listen = function (...given) { return listen.call(this, ...given, () => console.log('up')) }
      await import('./hook.js')`,
  })
  const env = { HOOK_KEY: 'the-key-of-the-hook' }
  await startProgram(t, { command: [process.execPath, 'run.js'], cwd, env })
  const settings = await settingsOf(here(codeIn(chapter, 'sh')[0]!), env)
  const { gateway, secret, key } = await startLocked(t, settings)
  const { url } = gateway
  const alice = await mint({ secret })
  const bob = await mint({ sub: 'bob', secret })

  t.equal((await look(url, 'channel=chat:7&channel=chat:8', bearer(alice))).status, 200)
  t.match(await look(url, 'channel=chat:7', bearer(bob)), FORBIDDEN)
  t.equal((await write(url, 'chat:7', 1, alice)).status, 201)
  t.match(await write(url, 'chat:8', 1, alice), FORBIDDEN, 'which she may only read')
  t.equal((await write(url, 'chat:9', 1, key)).status, 201, 'a backend isn’t asked about')
  const { ticket } = await ticketFor(url, key, { subject: 'bob', channels: ['chat:7'] })
  t.match(await look(url, `ticket=${ticket}`), FORBIDDEN, 'whoever made the ticket')
})

t.test('it is asked what the page says, and its answers mean what the page says', async (t) => {
  const [question, ...answers] = [...chapter.text.matchAll(/`(\{".*?\})`/g)].map(([, json]) =>
    JSON.parse(json!),
  )
  t.same(answers, [{ denied: ['chat:8'] }, { allow: true }, { allow: false }])
  const hook = await startBackend(t)
  const settings = { authorizeUrl: hook.url, authorizeCacheMs: 0, corsOrigins: [] }
  const { url } = await start(t, locked(settings))
  const both = async () =>
    look(url, 'channel=chat:7&channel=chat:8', bearer(await mint({ sub: question.subject })))

  for (const [body, expected] of [
    [answers[0], FORBIDDEN],
    [{ denied: [] }, { status: 200 }],
    [answers[1], { status: 200 }],
    [answers[2], FORBIDDEN],
    [{}, { status: 503, json: { code: 'authorization_unavailable' } }],
  ] as const) {
    hook.answer = () => ({ body })
    t.match(await both(), expected, JSON.stringify(body))
  }
  hook.answer = () => ({ status: 403 })
  t.match(await both(), FORBIDDEN)
  t.same(JSON.parse(hook.asked[0]!.body), { ...question, address: '127.0.0.1' })

  const before = hook.asked.length
  t.equal((await write(url, 'chat:7', 1, KEY)).status, 201)
  t.equal(hook.asked.length, before, 'never for an API key')
  const asked = await ticketFor(url, await mint(), { channels: ['chat:7'] }).catch(String)
  t.match(asked, /403/, 'a token that asks for a ticket')
})

t.test('whoever it keeps out learns nothing about the channel either', async (t) => {
  const hook = await startBackend(t)
  const { url } = await start(t, locked({ authorizeUrl: hook.url, authorizeCacheMs: 0 }))
  const headers = bearer(await mint())
  const info = (channel: string) => ask(`${url}/v1/channels?channel=${channel}`, { headers })
  hook.answer = () => ({ body: { denied: [] } })
  t.equal((await info('chat:7')).status, 200)
  hook.answer = () => ({ body: { allow: false } })
  t.match(await info('chat:7'), FORBIDDEN)
})

t.test('who is told no again and again can’t ask the backend as often as they like', async (t) => {
  const hook = await startBackend(t)
  hook.answer = () => ({ body: { allow: false } })
  const streamRate = { amount: 5, ms: 3_600_000 }
  const { url } = await start(t, locked({ authorizeUrl: hook.url, streamRate }))
  const headers = bearer(await mint())
  const statuses = []
  for (let i = 0; i < 7; i++) statuses.push((await look(url, `channel=chat:${i}`, headers)).status)
  t.same(statuses, [403, 403, 403, 403, 403, 429, 429])
  t.equal(hook.asked.length, 5)
})
