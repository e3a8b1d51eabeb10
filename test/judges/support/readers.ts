/** The clients that people use, each reading the generation of a name over a line that is cut. */
import Anthropic from '@anthropic-ai/sdk'
import type { UIMessage } from 'ai'
import { EventSource } from 'eventsource'
import OpenAI from 'openai'
import type { RunFormat } from '../../../src/runs/run.js'
import { PlainChat } from './chat.js'
import { again, chatTransport, resumed, resuming } from './recipes.js'

export interface Asking {
  /** What is asked, over a line that is cut. */
  readonly line: string
  /** For a request that isn't the client's own, and is not cut. */
  readonly gateway: string
  /** Name of the generation, and of its run. */
  readonly name: string
  /** The text that the client has so far. */
  readonly seen: { text: string }
}

export interface Reader {
  readonly client: string
  readonly format: RunFormat
  /** Whether each connection begins again at the first token, or goes on after the last. */
  readonly reads: 'again' | 'on'
  /** Resolves where the client takes the text for whole; rejects where it tells of an error. */
  read(asking: Asking): Promise<unknown>
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

const QUESTION: UIMessage = { id: 'q', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }

/** The run of a generation: a chat has one for each question. */
export function runOf({ format }: Reader, name: string): string {
  return format === 'ai-sdk' ? `${name}:${QUESTION.id}` : name
}

export const READERS: readonly Reader[] = [
  {
    ...{ client: 'openai: chat completions', format: 'openai.chat', reads: 'again' },
    read: ({ line, name, seen }) =>
      again(async () => {
        seen.text = ''
        const stream = await openai(line).chat.completions.create(
          { model: name, messages, stream: true },
          keyed(name),
        )
        for await (const chunk of stream) seen.text += chunk.choices[0]?.delta.content ?? ''
      }),
  },
  {
    ...{ client: 'openai: chat completions, helper', format: 'openai.chat', reads: 'on' },
    async read({ line, name, seen }) {
      const { chat } = openai(line, { fetch: resuming(WAIT) })
      const stream = chat.completions.stream({ model: name, messages }, keyed(name))
      seen.text = (await stream.finalChatCompletion()).choices[0]!.message.content ?? ''
    },
  },
  {
    ...{ client: 'openai: responses', format: 'openai.responses', reads: 'on' },
    async read({ line, name, seen }) {
      const { responses } = openai(line, { fetch: resuming(WAIT) })
      const stream = await responses.create(
        { model: name, input: 'Hello', stream: true },
        keyed(name),
      )
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') seen.text += event.delta
      }
    },
  },
  {
    ...{ client: 'anthropic: helper', format: 'anthropic', reads: 'again' },
    read: ({ line, name, seen }) =>
      again(async () => {
        const stream = anthropic(line).messages.stream(
          { model: name, messages, max_tokens: 500 },
          keyed(name),
        )
        seen.text = await stream.finalText()
      }),
  },
  {
    ...{ client: 'anthropic', format: 'anthropic', reads: 'on' },
    async read({ line, name, seen }) {
      const stream = await anthropic(line, { fetch: resuming(WAIT) }).messages.create(
        { model: name, messages, max_tokens: 500, stream: true },
        keyed(name),
      )
      for await (const event of stream) {
        if (event.type !== 'content_block_delta') continue
        if (event.delta.type === 'text_delta') seen.text += event.delta.text
      }
    },
  },
  {
    ...{ client: 'useChat: the same page', format: 'ai-sdk', reads: 'again' },
    async read({ line, name, seen }) {
      const chat = new PlainChat(name, chatTransport(line, 'llm/api/chat'))
      await chat.sendMessage(QUESTION)
      await resumed(chat)
      seen.text = chat.text
      if (chat.error !== undefined) throw chat.error
    },
  },
  {
    ...{ client: 'useChat: loaded again at each cut', format: 'ai-sdk', reads: 'again' },
    async read({ line, name, seen }) {
      const load = () =>
        new PlainChat(name, chatTransport(line, 'llm/api/chat', [QUESTION]), [QUESTION])
      let chat = load()
      await chat.sendMessage()
      while (chat.error instanceof TypeError) {
        chat = load()
        await chat.resumeStream()
        if (chat.status === 'ready' && chat.lastMessage?.role === 'user') await chat.sendMessage()
      }
      seen.text = chat.text
      if (chat.error !== undefined) throw chat.error
    },
  },
  {
    ...{ client: 'eventsource', format: 'plain', reads: 'on' },
    async read({ line, gateway, name, seen }) {
      const answer = await fetch(`${relay(gateway)}/pieces`, {
        method: 'POST',
        headers: { ...keyed(name).headers, 'content-type': 'application/json' },
        body: JSON.stringify({ model: name }),
      })
      await answer.body!.cancel()
      const events = new URL(`${answer.headers.get('location')}/events`, line)
      return new Promise<void>((resolve, reject) => {
        const source = new EventSource(events)
        source.onmessage = ({ data }) => {
          seen.text += (JSON.parse(data) as { piece: string }).piece
        }
        // Not `onerror`: in Node that hears of connections only, not of an event of that name.
        source.addEventListener('error', (event) => {
          if (source.readyState !== source.CLOSED && !('data' in event)) return
          source.close()
          // The gateway's 204: there is nothing to come back for.
          if ('code' in event && event.code === 204) resolve()
          else reject(new Error('data' in event ? String(event.data) : event.message))
        })
      })
    },
  },
]
