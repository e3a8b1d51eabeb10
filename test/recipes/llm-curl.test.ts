/** docs/llm.md: what it shows for the command line, as it stands there. */
import t, { type Test } from 'tap'
import { ask } from '../routes/support/ask.js'
import { codeIn, readChapter, runShell } from '../support/page.js'
import { DONE, KEY, openaiChunk, PAGE, SSE, startLlm } from './support/llm.js'

const authorization = `Bearer ${KEY}`
const commandsOf = (title: string): string[] => codeIn(readChapter(PAGE, title), 'sh')

async function stage(t: Test) {
  const llm = await startLlm(t)
  return {
    ...llm,
    // -f: an answer that says no is a failure.
    run: (script: string, before = '') =>
      runShell(`${before}\n${script.replaceAll(/\bcurl /g, 'curl -fsS ')}`, llm.env),
    state: async (id: string) =>
      (await ask(`${llm.url}/v1/runs/${id}`, { headers: { authorization } })).json,
  }
}

t.test('curl: a run begins, is read, looked at and stopped', async (t) => {
  const { model, run } = await stage(t)
  const [begin = '', read = '', look = '', stop = ''] = commandsOf('curl')
  const first = run(begin)
  const { request, response } = await model.next()
  t.match(request.headers, { authorization: 'Bearer sk-of-the-operator' })
  response.writeHead(200, SSE).write(openaiChunk('Hel'))
  // The run is there with its upstream's answer, which is on its way.
  let second = await run(look).catch(() => '')
  while (second === '') second = await run(look).catch(() => '')
  t.match(JSON.parse(second), { id: 'first', state: 'running', upstream: 'openai' })
  const reading = run(read)
  t.match(JSON.parse(await run(stop)), { id: 'first' })
  for (const text of await Promise.all([first, reading])) {
    t.match(text, /^data: .*Hel/m)
    t.match(text, /^data: .*"code":"aborted"/m)
  }
  t.match(JSON.parse(await run(look)), { state: 'aborted', text: 'Hel' })
})

t.test('The relay: an answer to anybody who has the key of the gateway', async (t) => {
  const { model, run } = await stage(t)
  const answer = run(commandsOf('The relay')[0]!)
  const { response } = await model.next()
  response.writeHead(200, SSE).end(openaiChunk('Hello') + DONE)
  t.match(await answer, /^id: .+\ndata: .*Hello/m)
})

t.test('Push: a body as it comes, then read, then looked at', async (t) => {
  const { run } = await stage(t)
  const [push = ''] = commandsOf('Push')
  const generate = `generate() { printf '%s' '${openaiChunk('Hello')}${DONE}'; }`
  t.match(JSON.parse(await run(push, generate)), { id: 'alice:8', state: 'done', appended: 2 })
  t.match(await run(commandsOf('Reading')[0]!), /^data: .*Hello.*\n\nid: .*\ndata: \[DONE\]/m)
  const [shown = ''] = codeIn(readChapter(PAGE, 'State'), 'json')
  const state = JSON.parse(await run(commandsOf('State')[0]!))
  const { usage, ...expected } = JSON.parse(shown)
  t.match(state, { ...expected, started: Number, ended: Number, events: 2 })
  t.same(Object.keys(state).sort(), Object.keys(expected).sort())
})

t.test('Push: lines, each as it is', async (t) => {
  const { run, url } = await stage(t)
  const [, push = ''] = commandsOf('Push')
  const lines = `generate_lines() { printf '%s\\n' '"Hello"' '{"a": 1}'; }`
  t.match(JSON.parse(await run(push, lines)), { id: 'alice:10', state: 'done', appended: 2 })
  const events = await ask(`${url}/v1/runs/alice:10/events`, { headers: { authorization } })
  t.match(events.text, /data: Hello\n\nid: .*\ndata: \{"a": 1\}\n/)
})

t.test('Push: a generator that dies in its pipe has ended nothing', async (t) => {
  const { run, state } = await stage(t)
  const [push = ''] = commandsOf('Push')
  await t.rejects(run(push, `generate() { printf '%s' '${openaiChunk('Hel')}'; }`))
  t.match(await state('alice:8'), { state: 'running', events: 1 })
})

t.test('Push: item by item', async (t) => {
  const { run, state, url } = await stage(t)
  const [, , items = ''] = commandsOf('Push')
  const answers = (await run(items.trim().replaceAll(/$/gm, '; echo'))).trim().split('\n')
  t.match(
    answers.filter(Boolean).map((it) => JSON.parse(it)),
    [
      { run: 'alice:9', fence: 1 },
      { run: 'alice:9', fence: 1 },
      { id: 'alice:9', state: 'done' },
    ],
  )
  const events = await ask(`${url}/v1/runs/alice:9/events`, { headers: { authorization } })
  t.match(events.text, /data: \{"delta":"Hel"\}\n\nid: .*\nevent: token\ndata: lo\n/)
  t.match(await state('alice:9'), { state: 'done', format: 'plain', events: 2 })
})
