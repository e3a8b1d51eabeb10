/** The clients that people use, each reading the generation of a name over a line that is cut. */
import Anthropic from '@anthropic-ai/sdk'
import type { UIMessage } from 'ai'
import { EventSource } from 'eventsource'
import OpenAI from 'openai'
import type { RunFormat } from '../../../src/runs/run.js'
import { PlainChat } from './chat.js'
import { again, chatTransport, resumed, resuming } from './recipes.js'

export interface Reader {
  readonly client: string
  readonly format: RunFormat
  /** Whether each connection begins again at the first token, or goes on after the last. */
  readonly reads: 'again' | 'on'
  /**
   * Resolves with the text that the client ends with; rejects where it tells of an error. `gateway`: for
   * a request that isn't the client's own, and is not cut.
   */
  read(line: string, name: string, gateway: string): Promise<string>
}

/** ms: that of the recipe is for lines that don't come back at once. */
const WAIT = 20

const messages = [{ role: 'user' as const, content: 'Hello' }]
const relay = (line: string) => `${line}/v1/relay/llm`
const keyed = (name: string) => ({ headers: { 'Idempotency-Key': name, 'Sluice-Run': name } })
const openai = (line: string, more: object = {}) =>
  new OpenAI({ baseURL: `${relay(line)}/v1`, apiKey: 'none', ...more })
const anthropic = (line: string, more: object = {}) =>
  new Anthropic({ baseURL: relay(line), apiKey: 'none', ...more })

export const READERS: readonly Reader[] = [
  {
    ...{ client: 'openai: chat completions', format: 'openai.chat', reads: 'again' },
    read: (line, name) =>
      again(async () => {
        let text = ''
        const stream = await openai(line).chat.completions.create(
          { model: name, messages, stream: true },
          keyed(name),
        )
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
        return text
      }),
  },
  {
    ...{ client: 'openai: chat completions, helper', format: 'openai.chat', reads: 'on' },
    async read(line, name) {
      const { chat } = openai(line, { fetch: resuming(WAIT) })
      const stream = chat.completions.stream({ model: name, messages }, keyed(name))
      return (await stream.finalChatCompletion()).choices[0]!.message.content ?? ''
    },
  },
  {
    ...{ client: 'openai: responses', format: 'openai.responses', reads: 'on' },
    async read(line, name) {
      let text = ''
      const { responses } = openai(line, { fetch: resuming(WAIT) })
      const stream = await responses.create(
        { model: name, input: 'Hello', stream: true },
        keyed(name),
      )
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') text += event.delta
      }
      return text
    },
  },
  {
    ...{ client: 'anthropic: helper', format: 'anthropic', reads: 'again' },
    read: (line, name) =>
      again(async () => {
        const stream = anthropic(line).messages.stream(
          { model: name, messages, max_tokens: 500 },
          keyed(name),
        )
        return stream.finalText()
      }),
  },
  {
    ...{ client: 'anthropic', format: 'anthropic', reads: 'on' },
    async read(line, name) {
      let text = ''
      const stream = await anthropic(line, { fetch: resuming(WAIT) }).messages.create(
        { model: name, messages, max_tokens: 500, stream: true },
        keyed(name),
      )
      for await (const event of stream) {
        if (event.type !== 'content_block_delta') continue
        if (event.delta.type === 'text_delta') text += event.delta.text
      }
      return text
    },
  },
  {
    ...{ client: 'useChat: the same page', format: 'ai-sdk', reads: 'again' },
    async read(line, name) {
      const chat = new PlainChat(name, chatTransport(line, 'llm/api/chat'))
      await chat.sendMessage({ text: 'Hello' })
      await resumed(chat)
      if (chat.error !== undefined) throw chat.error
      return chat.text
    },
  },
  {
    ...{ client: 'useChat: loaded again at each cut', format: 'ai-sdk', reads: 'again' },
    async read(line, name) {
      const asked: UIMessage = { id: 'q', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }
      const load = () => new PlainChat(name, chatTransport(line, 'llm/api/chat', [asked]), [asked])
      let chat = load()
      await chat.sendMessage()
      while (chat.error instanceof TypeError) {
        chat = load()
        await chat.resumeStream()
        if (chat.status === 'ready' && chat.lastMessage?.role === 'user') await chat.sendMessage()
      }
      if (chat.error !== undefined) throw chat.error
      return chat.text
    },
  },
  {
    ...{ client: 'eventsource', format: 'plain', reads: 'on' },
    async read(line, name, gateway) {
      const answer = await fetch(`${relay(gateway)}/pieces`, {
        method: 'POST',
        headers: { ...keyed(name).headers, 'content-type': 'application/json' },
        body: JSON.stringify({ model: name }),
      })
      await answer.body!.cancel()
      const events = new URL(`${answer.headers.get('location')}/events`, line)
      return new Promise((resolve, reject) => {
        const source = new EventSource(events)
        let text = ''
        source.onmessage = ({ data }) => {
          text += (JSON.parse(data) as { piece: string }).piece
        }
        source.onerror = (event) => {
          if ('data' in event) {
            source.close()
            reject(new Error(String(event.data)))
          } else if (source.readyState === source.CLOSED) {
            // The gateway's 204: there is nothing to come back for.
            if (event.code === 204) resolve(text)
            else reject(new Error(`${event.code} ${event.message}`))
          }
        }
      })
    },
  },
]
