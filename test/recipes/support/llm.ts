/** The gateway of docs/llm.md, with the upstreams that the page configures: here they are a server of the test. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { loadConfig } from '../../../src/config.js'
import type { Gateway } from '../../../src/server.js'
import { start } from '../../routes/support/start.js'
import { codeIn, readChapter } from '../../support/page.js'

export const PAGE = 'llm.md'
export const KEY = 'an-api-key-for-a-backend'
export const SSE = { 'content-type': 'text/event-stream' }

export interface Asked {
  readonly request: IncomingMessage
  readonly body: string
  readonly response: ServerResponse
}

export interface Model {
  readonly url: string
  /** All that it was asked, the oldest first. */
  readonly asked: readonly Asked[]
  /** Resolves with the next question that nobody has had yet. */
  next(): Promise<Asked>
}

export interface Llm {
  readonly gateway: Gateway
  readonly url: string
  readonly model: Model
  /** What a backend knows. */
  readonly env: { readonly SLUICE_URL: string; readonly SLUICE_API_KEY: string }
}

/** `handle`: answers each question at once; without it, `next` has them. */
export async function startModel(t: Test, handle?: (asked: Asked) => void): Promise<Model> {
  const asked: Asked[] = []
  let taken = 0
  let told = () => {}
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const one = { request, body, response }
    asked.push(one)
    handle?.(one)
    told()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async next() {
      while (asked.length <= taken) await new Promise<void>((resolve) => (told = resolve))
      return asked[taken++]!
    },
  }
}

/** The page's file, with this model for all who are in it. */
export function configFile(model: string): string {
  const [file = ''] = codeIn(readChapter(PAGE, 'Upstreams'), 'json')
  return file.replaceAll(/https:\/\/api\.\w+\.com/g, model)
}

/** The secrets that the page's shell sets. */
export function secrets(): Record<string, string> {
  const [shell = ''] = codeIn(readChapter(PAGE, 'Upstreams'), 'sh')
  return Object.fromEntries(
    [...shell.matchAll(/export (\w+)=(\S+)/g)].map(([, name, value]) => [
      name!,
      value!.replace('…', 'of-the-operator'),
    ]),
  )
}

export interface LlmOptions {
  readonly handle?: (asked: Asked) => void
  /** Beside the page's settings. */
  readonly env?: Readonly<Record<string, string>>
}

export async function startLlm(t: Test, { handle, env = {} }: LlmOptions = {}): Promise<Llm> {
  const model = await startModel(t, handle)
  withEnv(t, secrets())
  const config = loadConfig({
    env: { SLUICE_CONFIG: 'sluice.json', SLUICE_API_KEY: KEY, SLUICE_PORT: '0', ...env },
    readFile: () => configFile(model.url),
  })
  const gateway = await start(t, config)
  const { url } = gateway
  return { gateway, url, model, env: { SLUICE_URL: url, SLUICE_API_KEY: KEY } }
}

/** Variables of this process until the test is over. */
export function withEnv(t: Test, env: Readonly<Record<string, string>>): void {
  Object.assign(process.env, env)
  t.teardown(() => {
    for (const name of Object.keys(env)) delete process.env[name]
  })
}

/** A text of that many words, none like the other. */
export const words = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${i === 0 ? '' : ' '}wörd-${i}`)

/** One event of OpenAI's chat completions. */
export const openaiChunk = (content: string): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`

export const DONE = 'data: [DONE]\n\n'

/** A generation in the format of the path that was asked for. */
export function generationOf({ request }: Pick<Asked, 'request'>, text: readonly string[]): string {
  if (!request.url?.endsWith('/messages')) return text.map(openaiChunk).join('') + DONE
  const say = (type: string, more: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
  const usage = { input_tokens: 3, output_tokens: 1 }
  const message = { id: 'm', type: 'message', role: 'assistant', content: [], model: 'm', usage }
  return [
    say('message_start', { message }),
    say('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    ...text.map((it) =>
      say('content_block_delta', { index: 0, delta: { type: 'text_delta', text: it } }),
    ),
    say('content_block_stop', { index: 0 }),
    say('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 60 } }),
    say('message_stop', {}),
  ].join('')
}
