/** docs/llm.md, "OpenAI SDK", "Anthropic SDK" and "SDKs that can't resume": the SDKs themselves, by the page's lines. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { ask } from '../routes/support/ask.js'
import { type Cutter, startCutter } from '../support/cutter.js'
import { filesIn, layOut, readChapter } from '../support/page.js'
import { seeded } from '../support/random.js'
import { generationOf, KEY, type Llm, PAGE, SSE, startLlm, withEnv, words } from './support/llm.js'

const resume = filesIn(readChapter(PAGE, `SDKs that can't resume`))
const authorization = `Bearer ${KEY}`

type Ask = (question: string, onText: (text: string) => void) => Promise<unknown>

interface Sdk {
  readonly title: string
  readonly file: string
  readonly path: string
  /** What the upstream gets of the operator. */
  readonly key: readonly [header: string, value: string]
}

const SDKS: readonly Sdk[] = [
  {
    title: 'OpenAI SDK',
    file: 'openai.js',
    path: '/v1/chat/completions',
    key: ['authorization', 'Bearer sk-of-the-operator'],
  },
  {
    title: 'Anthropic SDK',
    file: 'anthropic.js',
    path: '/v1/messages',
    key: ['x-api-key', 'sk-ant-of-the-operator'],
  },
]

/** The page's function, which asks the gateway through a proxy that cuts after these many bytes. */
async function stage(t: Test, { title, file }: Sdk, cuts: readonly number[]) {
  const llm: Llm = await startLlm(t)
  const budgets = [...cuts]
  const cutter: Cutter = await startCutter({
    target: Number(new URL(llm.url).port),
    random: seeded(1),
    budget: () => budgets.shift(),
  })
  t.teardown(() => cutter.stop())
  const files = { ...resume, ...filesIn(readChapter(PAGE, title)) }
  const directory = await layOut(t, files)
  withEnv(t, { ...llm.env, SLUICE_URL: cutter.url })
  const runs = noteRuns(t)
  const module = await import(pathToFileURL(join(directory, file)).href)
  return { ...llm, cutter, runs, ask: module.ask as Ask }
}

/** The runs that answers to this process name. */
function noteRuns(t: Test): readonly string[] {
  const runs: string[] = []
  const { fetch } = globalThis
  globalThis.fetch = async (...given) => {
    const answer = await fetch(...given)
    runs.push(...(answer.headers.get('sluice-run')?.split(',') ?? []))
    return answer
  }
  t.teardown(() => {
    globalThis.fetch = fetch
  })
  return runs
}

for (const sdk of SDKS) {
  t.test(`${sdk.title}: through the relay, with the operator’s key`, async (t) => {
    const { model, ask: askModel, url } = await stage(t, sdk, [])
    const got: string[] = []
    const answer = askModel('Hello', (text) => got.push(text))
    const asked = await model.next()
    const [header, key] = sdk.key
    t.match(asked.request, { method: 'POST', url: sdk.path, headers: { [header]: key } })
    t.match(JSON.parse(asked.body), { stream: true, messages: [{ content: 'Hello' }] })
    t.notMatch(JSON.stringify(asked.request.headers), KEY, 'ours stays here')
    const text = words(20)
    asked.response.writeHead(200, SSE).end(generationOf(asked, text))
    const result = await answer
    t.equal(got.join(''), text.join(''))
    if (sdk.title !== 'OpenAI SDK') return void t.equal(result, text.join(''))
    const run = await ask(`${url}/v1/runs/${result}`, { headers: { authorization } })
    t.match(run.json, { state: 'done', text: text.join(''), upstream: 'openai' })
  })

  t.test(`${sdk.title}: cut again and again, it ends with the whole text`, async (t) => {
    // The first before the head has come, so that the SDK asks again by itself.
    const { model, ask: askModel, cutter } = await stage(t, sdk, [60, 1500, 900, 1200, 700])
    const got: string[] = []
    const answer = askModel('Hello', (text) => got.push(text))
    const asked = await model.next()
    const text = words(60)
    const parts = generationOf(asked, text).split(/(?<=\n\n)/)
    asked.response.writeHead(200, SSE)
    for (const [i, part] of parts.entries()) {
      asked.response.write(part)
      if (i % 12 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    asked.response.end()
    await answer
    t.equal(got.join(''), text.join(''))
    t.equal(cutter.cuts, 5)
    t.equal(model.asked.length, 1, 'one generation, one bill')
  })

  t.test(`${sdk.title}: a run that is stopped isn’t taken for a whole text`, async (t) => {
    const { model, ask: askModel, url, runs } = await stage(t, sdk, [])
    let heard = () => {}
    const first = new Promise<void>((resolve) => (heard = resolve))
    const answer = askModel('Hello', (text) => text && heard())
    const asked = await model.next()
    const [start = ''] = generationOf(asked, ['Hello']).split(/(?<=Hello.*\n\n)/)
    asked.response.writeHead(200, SSE).write(start)
    const failed = t.rejects(answer, /stopped/)
    await first
    const stop = { method: 'POST', headers: { authorization } }
    t.equal((await ask(`${url}/v1/runs/${runs[0]}/stop`, stop)).status, 200)
    await failed
  })

  t.test(`${sdk.title}: what isn’t a stream passes, and is the SDK’s to repeat`, async (t) => {
    const { model, ask: askModel } = await stage(t, sdk, [])
    const answer = askModel('Hello', () => {})
    const busy = await model.next()
    busy.response.writeHead(429, { 'retry-after-ms': '1' }).end('{"error":{"message":"slow"}}')
    const asked = await model.next()
    asked.response.writeHead(200, SSE).end(generationOf(asked, ['Hello']))
    await answer
    t.equal(model.asked.length, 2)
  })
}

t.test('a gateway that never comes back is given up', async (t) => {
  const { resuming } = await import(pathToFileURL(join(await layOut(t, resume), 'resume.js')).href)
  const server = createServer((_request, response) => {
    response.writeHead(200, { ...SSE, 'sluice-run': 'r', location: '/v1/runs/r' })
    response.write('id: 1\ndata: a\n\n', () => {
      server.close()
      response.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const answer: Response = await resuming(1, 20)(`http://127.0.0.1:${port}/v1/relay/a/b`)
  await t.rejects(answer.text(), TypeError)
})

t.test('the lines that make SDKs resume are those that the judges use', async (t) => {
  const compilerOptions = { target: ts.ScriptTarget.ES2023, removeComments: true }
  const plain = (text: string) => ts.transpileModule(text, { compilerOptions }).outputText
  const judged = new URL('../judges/support/recipes.ts', import.meta.url)
  const shown = plain(resume['resume.js']!).trim()
  t.match(shown, /^export function resuming\(/)
  t.ok(plain(readFileSync(judged, 'utf8')).includes(shown))
})
