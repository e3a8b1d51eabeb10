/** The AI SDK's UI message streams: `data: {chunk}` … `data: [DONE]`. */
import type { Format, RunEvent } from '../format.js'
import { faultOf, type Members, members, tokens } from './peek.js'
import { readWith } from './reading.js'

const USAGE = { input: 'inputTokens', output: 'outputTokens', total: 'totalTokens' }

export const aiSdk: Format = {
  name: 'ai-sdk',
  read: () =>
    readWith(({ data }, chunk, notes) => {
      if (data === '[DONE]') return notes.done()
      notes.usage(usageOf(members(chunk.messageMetadata)))
      switch (chunk.type) {
        case 'text-delta':
          notes.text(chunk.delta)
          break
        // Streams that an application writes by itself may have none, and end with `[DONE]` only.
        case 'finish':
          notes.done()
          break
        case 'abort':
          notes.aborted()
          break
        case 'error':
          notes.failed(faultOf(chunk.errorText))
      }
    }),
  broken: ({ message }) => [says({ type: 'error', errorText: message }), DONE],
  aborted: () => [says({ type: 'abort' }), DONE],
}

/**
 * The format has no usage. Applications send it as metadata, by the names of the SDK's own `finish` part,
 * or the numbers themselves, as its guide shows.
 */
function usageOf(metadata: Members) {
  return tokens(metadata.totalUsage ?? metadata.usage ?? metadata, USAGE)
}

/** Written by the SDK's own server after every end, errors too. */
const DONE: RunEvent = { name: 'message', data: '[DONE]' }

/** Members as in the SDK’s schema and no more: its version 5.0 refuses a chunk that has another. */
function says(chunk: { readonly type: string; readonly errorText?: string }): RunEvent {
  return { name: 'message', data: JSON.stringify(chunk) }
}
