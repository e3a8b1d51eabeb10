/** A streamed PUT by hand, which a test sends piece by piece. */
import { connect } from './socket.js'

export const SSE = 'text/event-stream'

/** One event of OpenAI's chat completions. */
export const chunk = (text: string) =>
  `data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"${text}"}}]}\n\n`

export const DONE = 'data: [DONE]\n\n'

/** `type`: Content-Type; empty: none. */
export async function producer(
  url: string,
  run: string,
  headers: Record<string, string> = {},
  type = SSE,
) {
  const wire = await connect(url)
  const all = type === '' ? headers : { ...headers, 'Content-Type': type }
  const more = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  wire.write(
    `PUT /v1/runs/${run} HTTP/1.1\r\nHost: localhost\r\n${more.join('')}Transfer-Encoding: chunked\r\n\r\n`,
  )
  return {
    send: (text: string) => wire.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`),
    /** Ends the body; resolves with the answer. */
    async end() {
      wire.write('0\r\n\r\n')
      return wire.until(/\}$/)
    },
    wire,
  }
}
