/** One request, one whole answer. node:http rather than fetch, which forbids headers that are tested here. */
import { type IncomingHttpHeaders, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The text as JSON; null where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  readonly json: any
}

export interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | undefined
  readonly signal?: AbortSignal
}

export function ask(url: string, question: Question = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, signal } = question
  return new Promise((resolve, reject) => {
    const req = request(url, { method, headers, agent: false, ...(signal && { signal }) })
    req.on('error', reject)
    req.on('response', (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('error', reject)
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: res.statusCode!, headers: res.headers, text, json: parsed(text) })
      })
    })
    req.end(body)
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** POST with JSON, given as a value or as text that is sent as it is. */
export function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const all = { 'content-type': 'application/json', ...headers }
  return ask(url, { method: 'POST', headers: all, body: text })
}

/** Publishes one event and answers its id. */
export async function publish(
  url: string,
  channel: string,
  data: unknown,
  headers: Record<string, string> = {},
): Promise<string> {
  const target = `${url}/v1/events?channel=${encodeURIComponent(channel)}`
  const { status, json, text } = await post(target, JSON.stringify(data), headers)
  if (status !== 201) throw new Error(`${status} ${text}`)
  return json.id
}

/** A long poll. */
export function poll(url: string, query: string, headers: Record<string, string> = {}) {
  return ask(`${url}/v1/events?${query}`, { headers: { accept: 'application/json', ...headers } })
}

/** More events than any log keeps of a channel that keeps five: on Redis trimming is done by the hundred. */
export async function overrun(url: string, channel: string): Promise<string> {
  const first = await publish(url, channel, 'first')
  for (let batch = 0; batch < 2; batch++) {
    const events = Array.from({ length: 300 }, (_, i) => ({ channel, data: 300 * batch + i }))
    const { status, text } = await post(`${url}/v1/events`, events)
    if (status !== 201) throw new Error(text)
  }
  return first
}
