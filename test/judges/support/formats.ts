/** A generation of given tokens in each format, as its provider sends it. */
import type { RunEvent } from '../../../src/runs/format.js'
import type { RunFormat } from '../../../src/runs/run.js'

/** Where each format is asked for. */
export const PATHS: Readonly<Record<string, RunFormat>> = {
  '/v1/chat/completions': 'openai.chat',
  '/v1/responses': 'openai.responses',
  '/v1/messages': 'anthropic',
  '/api/chat': 'ai-sdk',
  '/pieces': 'plain',
}

type Body = Record<string, unknown>

const unnamed = (body: Body): RunEvent => ({ name: 'message', data: JSON.stringify(body) })
const named = (body: Body): RunEvent => ({ name: String(body.type), data: JSON.stringify(body) })
const DONE: RunEvent = { name: 'message', data: '[DONE]' }

const MAKE: Readonly<Record<RunFormat, (tokens: readonly string[]) => RunEvent[]>> = {
  'openai.chat'(tokens) {
    const chunk = (delta: Body, finish_reason: string | null = null) =>
      unnamed({
        ...{ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm' },
        choices: [{ index: 0, delta, finish_reason }],
      })
    const pieces = tokens.map((content) => chunk({ content }))
    return [chunk({ role: 'assistant', content: '' }), ...pieces, chunk({}, 'stop'), DONE]
  },
  'openai.responses'(tokens) {
    const at = { item_id: 'msg_1', output_index: 0, content_index: 0 }
    const part = (text: string) => ({ type: 'output_text', text, annotations: [] })
    const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress' }
    const response = { id: 'resp_1', object: 'response', created_at: 1, model: 'm', output: [] }
    const text = tokens.join('')
    const output = [{ ...item, status: 'completed', content: [part(text)] }]
    return [
      { type: 'response.created', response: { ...response, status: 'in_progress' } },
      { type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } },
      { type: 'response.content_part.added', ...at, part: part('') },
      ...tokens.map((delta) => ({ type: 'response.output_text.delta', ...at, delta })),
      { type: 'response.output_text.done', ...at, text },
      { type: 'response.output_item.done', output_index: 0, item: output[0] },
      { type: 'response.completed', response: { ...response, status: 'completed', output } },
    ].map((body, sequence_number) => named({ ...body, sequence_number }))
  },
  anthropic(tokens) {
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [] }
    const usage = { input_tokens: 7, output_tokens: 1 }
    const delta = (text: string) => ({
      ...{ type: 'content_block_delta', index: 0 },
      delta: { type: 'text_delta', text },
    })
    return [
      { type: 'message_start', message: { ...message, stop_reason: null, usage } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'ping' },
      ...tokens.map(delta),
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 500 } },
      { type: 'message_stop' },
    ].map(named)
  },
  'ai-sdk': (tokens) => [
    ...[
      { type: 'start', messageId: 'm1' },
      { type: 'start-step' },
      { type: 'text-start', id: 't' },
    ].map(unnamed),
    ...tokens.map((delta) => unnamed({ type: 'text-delta', id: 't', delta })),
    ...[{ type: 'text-end', id: 't' }, { type: 'finish-step' }, { type: 'finish' }].map(unnamed),
    DONE,
  ],
  plain: (tokens) => tokens.map((piece) => unnamed({ piece })),
}

export function generationOf(format: RunFormat, tokens: readonly string[]): RunEvent[] {
  return MAKE[format](tokens)
}
