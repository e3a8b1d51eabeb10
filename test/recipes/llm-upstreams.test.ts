/** docs/llm.md, "What each bad upstream comes to": every row of the table, against a real upstream that does it. */
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { start } from '../routes/support/start.js'
import { open } from '../routes/support/stream.js'
import { readChapter } from '../support/page.js'
import { freePort } from '../support/ports.js'
import { DONE, openaiChunk, PAGE, SSE, startModel } from './support/llm.js'

interface Row {
  readonly upstream: string
  readonly status: number
  readonly code: string | undefined
  /** Undefined: no run. */
  readonly state: string | undefined
  readonly fault: string | undefined
}

const ticked = (cell: string): string[] => [...cell.matchAll(/`(.*?)`/g)].map(([, it]) => it!)

const rows: Row[] = readChapter(PAGE, 'What each bad upstream comes to')
  .text.split('\n')
  .filter((line) => /^\| (?!the upstream)\w/.test(line))
  .map((line) => {
    const [, upstream = '', answer = '', run = ''] = line.split('|').map((cell) => cell.trim())
    const [code] = ticked(answer)
    const [state, fault] = ticked(run)
    return { upstream, status: Number.parseInt(answer, 10), code, state, fault }
  })

const SECRET = 'sk-of-the-operator'
const first = openaiChunk('Hel')

/** What each does. `null`: nobody listens. */
const DOES: Readonly<Record<string, ((response: ServerResponse) => void) | null>> = {
  'answers 401': (response) => response.writeHead(401).end(`wrong key ${SECRET}`),
  'answers 429': (response) => response.writeHead(429, { 'retry-after': '7' }).end('later'),
  'answers 500': (response) => response.writeHead(500).end('oops'),
  'redirects to 169.254.169.254': (response) =>
    response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
  'refuses the connection': null,
  'closes before the head': (response) => response.destroy(),
  'hangs before the head': () => {},
  'sends compressed events': (response) =>
    response.writeHead(200, { ...SSE, 'content-encoding': 'gzip' }).end('x'),
  'hangs in the middle': (response) => response.writeHead(200, SSE).write(first),
  'sends 10 MB without a line end': (response) => {
    response.on('error', () => {})
    response.writeHead(200, SSE).end(`${first}data: ${'x'.repeat(10_000_000)}`)
  },
  'closes in the middle of an event': (response) =>
    response.writeHead(200, SSE).end(`${first}data: {"half`),
  'closes before it said its end': (response) => response.writeHead(200, SSE).end(first),
  'sends an error of its own': (response) =>
    response
      .writeHead(200, SSE)
      .end(`${first}data: {"error":{"message":"Busy","code":"rate_limit_exceeded"}}\n\n`),
  'sends invalid UTF-8': (response) => {
    const [before = '', after = ''] = openaiChunk('-').split('-"')
    response.writeHead(200, SSE)
    response.write(first + before)
    response.end(Buffer.concat([Buffer.from([0xc3, 0x28]), Buffer.from(`"${after}${DONE}`)]))
  },
}

t.same(
  rows.map(({ upstream }) => upstream),
  Object.keys(DOES),
  'each row is tried, and nothing else is',
)

for (const { upstream, status, code, state, fault } of rows) {
  t.test(`an upstream that ${upstream}`, async (t) => {
    const does = DOES[upstream]
    const model = await startModel(t, ({ response }) => does?.(response))
    const url = does === null ? `http://127.0.0.1:${await freePort()}` : model.url
    const llm = {
      ...{ url, headers: { authorization: `Bearer ${SECRET}` }, allow: ['POST /v1/chat'] },
      ...{ headTimeout: '300ms', idleTimeout: '300ms' },
    }
    const gateway = await start(t, { upstreams: { llm } })
    const relay = `${gateway.url}/v1/relay/llm/v1/chat`
    const headers = { 'sluice-run': 'r', 'idempotency-key': 'k' }
    const record = () => ask(`${gateway.url}/v1/runs/r`)

    if (state === undefined) {
      const answer = await post(relay, {}, headers)
      t.match(answer, { status, ...(code !== undefined && { json: { code } }) })
      if (status === 429) t.equal(answer.headers['retry-after'], '7')
      t.notMatch(JSON.stringify(answer), new RegExp(`${SECRET}|169\\.254|${new URL(url).port}`))
      t.equal((await record()).status, 404, 'there is no run')
      const before = model.asked.length
      t.equal((await post(relay, {}, headers)).status, status)
      t.equal(model.asked.length, does === null ? 0 : before + 1, 'and the key is free again')
      return
    }
    const caller = await open(relay, {
      ...{ method: 'POST', body: '{}' },
      headers: { ...headers, 'content-type': 'application/json' },
    })
    t.equal(caller.status, status)
    t.equal(await caller.over(), 'end')
    const run = (await record()).json
    t.match(run, { state, ...(fault !== undefined && { error: { code: fault } }) })
    const late = await open(`${gateway.url}/v1/runs/r/events`)
    t.equal(await late.over(), 'end')
    for (const { blocks, text } of [caller, late]) {
      const data = blocks.flatMap((block) => block.data ?? [])
      t.equal(data[0], first.slice(6, -2), 'what came')
      if (state === 'done') t.match(data[1], '\uFFFD(')
      else t.match(data.at(-1), `"code":"${fault}"`)
      t.notMatch(text + JSON.stringify(run), new RegExp(`${SECRET}|${new URL(url).port}`))
    }
  })
}

t.test('an upstream whose format is unknown ends with its body', async (t) => {
  const model = await startModel(t, ({ response }) =>
    response.writeHead(200, SSE).end('data: a\n\n'),
  )
  const llm = { url: model.url, allow: ['POST /x'] }
  const { url } = await start(t, { upstreams: { llm } })
  const answer = await post(`${url}/v1/relay/llm/x`, {}, { 'sluice-run': 'r' })
  t.match(answer.text, 'data: a')
  t.match((await ask(`${url}/v1/runs/r`)).json, { state: 'done', format: 'plain' })
})
