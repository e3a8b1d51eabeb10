/** docs/llm.md, "AI SDK": the page's routes around a model, and the SDK's own chat in front of them. */
import t, { type Test } from 'tap'
import { ask } from '../routes/support/ask.js'
import { open } from '../routes/support/stream.js'
import { startCutter } from '../support/cutter.js'
import { seeded } from '../support/random.js'
import { until } from '../support/until.js'
import { type Chat, startChatApp } from './support/chat.js'
import { KEY, startLlm } from './support/llm.js'

const authorization = `Bearer ${KEY}`
const cookie = 'login=7'
const textOf = ({ messages }: Chat): string =>
  (messages.at(-1)?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('')

async function stage(t: Test) {
  const llm = await startLlm(t)
  const line = await startCutter({
    ...{ target: Number(new URL(llm.url).port), random: seeded(1), budget: () => undefined },
  })
  t.teardown(line.stop)
  const app = await startChatApp(t, { ...llm, env: { ...llm.env, SLUICE_URL: line.url } })
  const model = app.chats.says.writable.getWriter()
  const say = (delta: string) => model.write({ type: 'text-delta', id: 't', delta })
  /** The run of the only chat, once the gateway has this of it. */
  async function runWith(text: string): Promise<string> {
    const [id = ''] = app.chats.runs.values()
    const url = `${llm.url}/v1/runs/${id}/events`
    for (;;) {
      const reader = await open(url, { headers: { authorization } })
      // The PUT may still be on its way.
      if (reader.status !== 200) continue
      await reader.find(({ data }) => data?.includes(text) === true)
      reader.close()
      return id
    }
  }
  return {
    ...{ app, line, say, runWith },
    async begin() {
      await model.write({ type: 'stream-start', warnings: [] })
      await model.write({ type: 'text-start', id: 't' })
    },
    async end() {
      await model.write({ type: 'text-end', id: 't' })
      const usage = { inputTokens: { total: 3 }, outputTokens: { total: 2 } }
      await model.write({ type: 'finish', finishReason: { unified: 'stop' }, usage })
      await model.close()
    },
    state: async (id: string) =>
      (await ask(`${llm.url}/v1/runs/${id}`, { headers: { authorization } })).json,
  }
}

t.test('a page that is reloaded in the middle gets all of it, and goes on', async (t) => {
  const { app, begin, say, end, runWith, state } = await stage(t)
  const first = app.openPage('c1')
  await first.resumed
  t.equal(first.chat.messages.length, 0, 'nothing was running')
  const asking = first.chat.sendMessage({ text: 'Hello' })
  await begin()
  await say('Hel')
  const id = await runWith('Hel')
  // Another page, with what is saved: the question.
  const second = app.openPage('c1', first.chat.messages.slice(0, 1))
  await until('resumed', () => textOf(second.chat) === 'Hel')
  await say('lo')
  await end()
  await Promise.all([asking, second.resumed])
  for (const { chat } of [first, second]) {
    t.equal(chat.error, undefined)
    t.equal(textOf(chat), 'Hello')
    t.equal(chat.messages.length, 2)
  }
  t.equal(second.chat.messages[1]?.id, first.chat.messages[1]?.id)
  t.match(await state(id), { state: 'done', format: 'ai-sdk', text: 'Hello' })
  t.equal(app.chats.saved.length, 1)
  const late = await ask(`${app.url}/api/chat/c1/stream`, { headers: { cookie } })
  t.equal(late.status, 204, 'nothing runs any more')
})

t.test(
  'the generation goes on when its page has gone, with the header that is expected',
  async (t) => {
    const { app, begin, say, end, runWith, state } = await stage(t)
    const body = {
      id: 'c1',
      messages: [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
    }
    const page = open(`${app.url}/api/chat`, {
      ...{ method: 'POST', headers: { cookie, 'content-type': 'application/json' } },
      body: JSON.stringify(body),
    })
    await begin()
    await say('Hel')
    ;(await page).close()
    const id = await runWith('Hel')
    await say('lo')
    const other = await open(`${app.url}/api/chat/c1/stream`, { headers: { cookie } })
    t.match(other.headers, { 'x-vercel-ai-ui-message-stream': 'v1' })
    await end()
    t.equal(await other.over(), 'end')
    t.match(other.text, /"type":"start".*Hel.*lo.*"type":"finish".*\[DONE\]/s)
    t.match(await state(id), { state: 'done', text: 'Hello' })
  },
)

t.test('a stop from any page ends it for all, and the model is told', async (t) => {
  const { app, begin, say, runWith, state } = await stage(t)
  const first = app.openPage('c1')
  await first.resumed
  const asking = first.chat.sendMessage({ text: 'Hello' })
  await begin()
  await say('Hel')
  const id = await runWith('Hel')
  const second = app.openPage('c1', first.chat.messages.slice(0, 1))
  await until('resumed', () => textOf(second.chat) === 'Hel')
  const beacons: string[] = []
  const { navigator } = globalThis
  Object.defineProperty(globalThis, 'navigator', {
    ...{ configurable: true, writable: true },
    value: { sendBeacon: (path: string) => beacons.push(path) },
  })
  second.stop()
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: navigator })
  t.same(beacons, ['/api/chat/c1/stop'])
  const stop = { method: 'POST', headers: { cookie } }
  t.equal((await ask(app.url + beacons[0], stop)).status, 204)
  await app.chats.aborted
  await Promise.all([asking, second.resumed])
  t.match(await state(id), { state: 'aborted', text: 'Hel' })
  t.equal(second.chat.error, undefined)
  t.equal(textOf(second.chat), 'Hel')
})

t.test('a line to the gateway that breaks costs nothing, and doubles nothing', async (t) => {
  const { app, line, begin, say, end, runWith, state } = await stage(t)
  const { chat, resumed } = app.openPage('c1')
  await resumed
  const asking = chat.sendMessage({ text: 'Hello' })
  await begin()
  await say('Hel')
  const id = await runWith('Hel')
  line.cutAll()
  await say('lo')
  await end()
  await asking
  await until('the end is there', async () => (await state(id)).state !== 'running')
  t.match(await state(id), { state: 'done', text: 'Hello' })
})

t.test('nobody else gets anything', async (t) => {
  const { app } = await stage(t)
  for (const path of ['stream', 'stop']) {
    const method = path === 'stop' ? 'POST' : 'GET'
    t.equal((await ask(`${app.url}/api/chat/c1/${path}`, { method })).status, 401)
  }
  t.equal((await ask(`${app.url}/api/chat`, { method: 'POST', body: '{}' })).status, 401)
})
