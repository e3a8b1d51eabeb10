/** docs/clients.md, what needs no browser: the chat with types, and unread counters. */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { filesIn, layOutApplication, readChapter } from '../support/page.js'
import { until } from '../support/until.js'
import { startFollower } from './support/follower.js'

const GATEWAY = 'http://127.0.0.1:8080'
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc')

let gateway: GatewayProcess
t.before(async () => {
  const rules = await layOutApplication(t, {
    'sluice.json': '{"channels": [{"pattern": "chat:*", "presence": true}]}',
  })
  gateway = await startGatewayProcess({ SLUICE_CONFIG: join(rules, 'sluice.json') })
})
t.teardown(() => gateway?.stop())

/** The files of a chapter, in an application. */
async function layOut(t: Test, title: string): Promise<string> {
  const files = Object.entries(filesIn(readChapter('clients.md', title)))
  for (const [, text] of files) t.match(text, GATEWAY)
  const own = files.map(([name, text]) => [name, text.replaceAll(GATEWAY, gateway.url)])
  return layOutApplication(t, Object.fromEntries(own))
}

/** Compiled as strictly as it goes, beside its source. */
function compile(t: Test, cwd: string, file: string): void {
  const strict = ['--strict', '--noUncheckedIndexedAccess', '--exactOptionalPropertyTypes']
  const to = ['--target', 'es2022', '--module', 'nodenext']
  const { stdout } = spawnSync(process.execPath, [TSC, ...strict, ...to, file], { cwd })
  t.equal(String(stdout), '')
}

const members = async (channel: string): Promise<{ data: unknown }[]> =>
  (await ask(`${gateway.url}/v1/presence?channel=${channel}`)).json.members

t.test('with types: the chat compiles, and says what it should', async (t) => {
  const cwd = await layOut(t, 'With types')
  compile(t, cwd, 'chat.ts')
  const chat = startFollower(t, { command: [process.execPath, 'chat.js'], cwd, env: {} })
  await chat.said(/^Ada: Hello$/)
  await chat.said(/^Here: Ada$/)
  chat.stop()
})

t.test('with a bundler: the orders compile', async (t) => {
  compile(t, await layOut(t, 'With a bundler'), 'orders.ts')
})

t.test('unread counters: who counts is seen in the open room alone', async (t) => {
  const cwd = await layOut(t, 'Unread counters')
  const page = startFollower(t, { command: [process.execPath, 'unread.mjs'], cwd, env: {} })
  const readers = async (room: string) =>
    (await ask(`${gateway.url}/v1/channels?channel=chat:${room}`)).json.subscribers
  await until(
    'there',
    async () => (await readers('garden')) === 1 && (await readers('lobby')) === 2,
  )
  for (const text of ['one', 'two']) {
    await post(`${gateway.url}/v1/events?channel=chat:garden`, { text })
  }
  await page.said(/^chat:garden: 2 unread$/)
  await post(`${gateway.url}/v1/events?channel=chat:lobby`, { text: 'three' })
  await page.said(/three/)
  t.match(await members('chat:lobby'), [{ data: { name: 'Ada' } }])
  t.strictSame(await members('chat:garden'), [])
  page.stop()
})
