/** The relay on a stage: an upstream in hand, and those who call. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Test } from 'tap'
import type { Start } from './start.js'
import { open, type Stream } from './stream.js'

export interface Asked {
  readonly request: IncomingMessage
  readonly body: string
  readonly response: ServerResponse
}

/** An upstream that does what a test tells it, and the gateway in front of it. */
export async function stage(
  t: Test,
  start: Start,
  config: Parameters<Start>[0] = {},
  more: object = {},
  internals: Parameters<Start>[1] = {},
) {
  const asked: Asked[] = []
  let handle: (asked: Asked) => void = () => {}
  let told = () => {}
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const one = { request, body, response }
    asked.push(one)
    told()
    handle(one)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const upstream = {
    url: `http://127.0.0.1:${port}/base`,
    headers: { authorization: 'Bearer the-key-of-the-operator' },
    allow: ['POST /v1/chat/completions', 'GET /v1/models'],
    ...more,
  }
  const { url, close } = await start({ ...config, upstreams: { llm: upstream } }, internals)
  return {
    url,
    close,
    port,
    asked,
    relay: `${url}/v1/relay/llm/v1/chat/completions`,
    onAsk(next: typeof handle) {
      handle = next
    },
    async next() {
      while (asked.length === 0) await new Promise<void>((resolve) => (told = resolve))
      return asked.shift()!
    },
  }
}

export const SSE = { 'content-type': 'text/event-stream' }
export const piece = (text: string) =>
  `data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"${text}"}}]}\n\n`
export const DONE = 'data: [DONE]\n\n'

export function call(url: string, body: unknown = { stream: true }, headers = {}): Promise<Stream> {
  const all = { 'content-type': 'application/json', accept: 'application/json', ...headers }
  return open(url, { method: 'POST', headers: all, body: JSON.stringify(body) })
}

export const pieces = (stream: Stream) =>
  stream.blocks.flatMap(({ data }) => (data === undefined ? [] : [data]))
