/** The clients that people use, each reading one generation from a server at `url`. */
import Anthropic from '@anthropic-ai/sdk'
import {
  AbstractChat,
  type ChatState,
  DefaultChatTransport,
  readUIMessageStream,
  type UIMessage,
} from 'ai'
import OpenAI from 'openai'
import type { RunFormat, RunUsage } from '../../../src/runs/run.js'

export interface Seen {
  text: string
  usage?: RunUsage | undefined
}

/** Rejects where the client tells of an error. What had come until then is in `seen`. */
export type Reader = (url: string, seen: Seen) => Promise<unknown>

const options = (url: string) => ({ apiKey: 'k', maxRetries: 0, baseURL: url })
const MESSAGES = [{ role: 'user' as const, content: 'Hello' }]
const COMPLETION = { model: 'm', messages: MESSAGES, stream_options: { include_usage: true } }
const RESPONSE = { model: 'm', input: 'Hello' }
const MESSAGE = { model: 'm', messages: MESSAGES, max_tokens: 100 }

const openaiUsage = (told: OpenAI.CompletionUsage | null | undefined) =>
  told && { input: told.prompt_tokens, output: told.completion_tokens, total: told.total_tokens }

const responseUsage = (told: OpenAI.Responses.ResponseUsage | null | undefined) =>
  told && { input: told.input_tokens, output: told.output_tokens, total: told.total_tokens }

function uiUsage(message: UIMessage): RunUsage | undefined {
  const { usage } = (message.metadata ?? {}) as { usage?: Record<string, number> }
  return (
    usage && { input: usage.inputTokens!, output: usage.outputTokens!, total: usage.totalTokens! }
  )
}

const uiText = ({ parts }: UIMessage) =>
  parts.map((part) => (part.type === 'text' ? part.text : '')).join('')

/** What `useChat` is around: its state in plain arrays instead of React's. */
class PlainChat extends AbstractChat<UIMessage> {
  constructor(url: string) {
    const state: ChatState<UIMessage> = {
      status: 'ready',
      error: undefined,
      messages: [],
      pushMessage: (message) => void state.messages.push(message),
      popMessage: () => void state.messages.pop(),
      replaceMessage: (i, message) => void state.messages.splice(i, 1, message),
      snapshot: (value) => structuredClone(value),
    }
    super({ state, transport: new DefaultChatTransport({ api: url }) })
  }
}

/** The chunks of a UI message stream, as the transport of `useChat` gives them. */
export function chunks(url: string) {
  const transport = new DefaultChatTransport<UIMessage>({ api: url })
  return transport.sendMessages({
    ...{ trigger: 'submit-message', chatId: 'c', messageId: undefined, messages: [] },
    abortSignal: undefined,
  })
}

export const READERS: Readonly<Record<Exclude<RunFormat, 'plain'>, Record<string, Reader>>> = {
  'openai.chat': {
    async loop(url, seen) {
      const client = new OpenAI(options(url))
      const stream = await client.chat.completions.create({ ...COMPLETION, stream: true })
      for await (const chunk of stream) {
        seen.text += chunk.choices.find(({ index }) => index === 0)?.delta.content ?? ''
        seen.usage = openaiUsage(chunk.usage) ?? seen.usage
      }
    },
    async helper(url, seen) {
      const stream = new OpenAI(options(url)).chat.completions.stream(COMPLETION)
      const { choices, usage } = await stream.finalChatCompletion()
      seen.text = choices[0]!.message.content ?? ''
      seen.usage = openaiUsage(usage) ?? undefined
    },
  },
  'openai.responses': {
    async loop(url, seen) {
      const client = new OpenAI(options(url))
      for await (const event of await client.responses.create({ ...RESPONSE, stream: true })) {
        if (event.type === 'response.output_text.delta') seen.text += event.delta
        if (event.type === 'response.completed') {
          seen.usage = responseUsage(event.response.usage) ?? undefined
        }
      }
    },
    async helper(url, seen) {
      const response = await new OpenAI(options(url)).responses.stream(RESPONSE).finalResponse()
      seen.text = response.output_text
      seen.usage = responseUsage(response.usage) ?? undefined
    },
  },
  anthropic: {
    async loop(url, seen) {
      const client = new Anthropic(options(url))
      let input = 0
      for await (const event of await client.messages.create({ ...MESSAGE, stream: true })) {
        if (event.type === 'message_start') input = event.message.usage.input_tokens
        if (event.type === 'message_delta') {
          seen.usage = { input, output: event.usage.output_tokens }
        }
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
          seen.text += event.delta.text
        }
      }
    },
    async helper(url, seen) {
      const stream = new Anthropic(options(url)).messages.stream(MESSAGE)
      const { content, usage } = await stream.finalMessage()
      seen.text = content.map((block) => (block.type === 'text' ? block.text : '')).join('')
      seen.usage = { input: usage.input_tokens, output: usage.output_tokens }
    },
  },
  'ai-sdk': {
    async transport(url, seen) {
      const stream = await chunks(url)
      for await (const message of readUIMessageStream({ stream, terminateOnError: true })) {
        seen.text = uiText(message)
        seen.usage = uiUsage(message)
      }
    },
    async chat(url, seen) {
      const chat = new PlainChat(url)
      await chat.sendMessage({ text: 'Hello' })
      const last = chat.lastMessage
      if (last?.role === 'assistant') {
        seen.text = uiText(last)
        seen.usage = uiUsage(last)
      }
      // It doesn't throw: `useChat` shows an error by its status.
      if (chat.status === 'error') throw chat.error
    },
  },
}
