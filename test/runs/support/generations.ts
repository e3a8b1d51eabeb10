/** A whole generation in each format, as its provider sends it: text in pieces, other things in between. */
import type { RunEvent } from '../../../src/runs/format.js'
import type { RunFormat, RunUsage } from '../../../src/runs/run.js'

export interface Generation {
  readonly events: readonly RunEvent[]
  /** How many of them come before its end is said. */
  readonly open: number
  readonly text: string | undefined
  readonly usage: RunUsage | undefined
}

const PIECES = ['Grüß', ' Gott', ', \n\n', '"Welt" ', '👩‍💻', ' – und', '', ' Ende.']
const TEXT = PIECES.join('')

const unnamed = (data: object): RunEvent => ({ name: 'message', data: JSON.stringify(data) })
/** Anthropic's and the responses' way: the name is in the data, too. */
const named = (data: Record<string, unknown>): RunEvent => ({
  name: String(data.type),
  data: JSON.stringify(data),
})
const DONE: RunEvent = { name: 'message', data: '[DONE]' }

function openaiChat(): Generation {
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm' }
  const chunk = (index: number, delta: object, finish_reason: string | null = null) =>
    unnamed({ ...head, choices: [{ index, delta, finish_reason }], usage: null })
  const events = [
    chunk(0, { role: 'assistant', content: '', refusal: null }),
    chunk(1, { role: 'assistant', content: 'Another answer' }),
    ...PIECES.map((content) => chunk(0, { content })),
    chunk(1, { content: ' goes on.' }),
    chunk(0, {
      tool_calls: [
        { index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } },
      ],
    }),
    chunk(0, {}, 'stop'),
    chunk(1, {}, 'stop'),
    unnamed({
      ...head,
      choices: [],
      usage: { prompt_tokens: 7, completion_tokens: 30, total_tokens: 37 },
    }),
  ]
  const usage = { input: 7, output: 30, total: 37 }
  return { events: [...events, DONE], open: events.length, text: TEXT, usage }
}

function openaiResponses(): Generation {
  const message = { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress' }
  const reasoning = { id: 'rs_1', type: 'reasoning', summary: [] }
  const part = (text: string) => ({ type: 'output_text', text, annotations: [] })
  const response = (status: string, more: object = {}) => {
    return { ...{ id: 'resp_1', object: 'response', created_at: 1, status, model: 'm' }, ...more }
  }
  const at = { item_id: 'msg_1', output_index: 1, content_index: 0 }
  const whole = { ...message, status: 'completed', content: [part(TEXT)] }
  const bodies = [
    { type: 'response.created', response: response('in_progress', { output: [], usage: null }) },
    { type: 'response.output_item.added', output_index: 0, item: reasoning },
    { type: 'response.output_item.done', output_index: 0, item: reasoning },
    { type: 'response.output_item.added', output_index: 1, item: { ...message, content: [] } },
    { type: 'response.content_part.added', ...at, part: part('') },
    ...PIECES.map((delta) => ({ type: 'response.output_text.delta', ...at, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...at, text: TEXT, logprobs: [] },
    { type: 'response.content_part.done', ...at, part: part(TEXT) },
    { type: 'response.output_item.done', output_index: 1, item: whole },
    {
      type: 'response.completed',
      response: response('completed', {
        output: [reasoning, whole],
        usage: { input_tokens: 7, output_tokens: 30, total_tokens: 37 },
      }),
    },
  ]
  const events = bodies.map((body, sequence_number) => named({ ...body, sequence_number }))
  const usage = { input: 7, output: 30, total: 37 }
  return { events, open: events.length - 1, text: TEXT, usage }
}

function anthropic(): Generation {
  const delta = (index: number, delta: object) =>
    named({ type: 'content_block_delta', index, delta })
  const start = (index: number, content_block: object) =>
    named({ type: 'content_block_start', index, content_block })
  const stop = (index: number) => named({ type: 'content_block_stop', index })
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [] }
  const usage = { input_tokens: 7, output_tokens: 1 }
  const events = [
    named({
      type: 'message_start',
      message: { ...message, stop_reason: null, stop_sequence: null, usage },
    }),
    start(0, { type: 'thinking', thinking: '', signature: '' }),
    named({ type: 'ping' }),
    delta(0, { type: 'thinking_delta', thinking: 'Hm.' }),
    stop(0),
    start(1, { type: 'text', text: '' }),
    ...PIECES.slice(0, 4).map((text) => delta(1, { type: 'text_delta', text })),
    stop(1),
    start(2, { type: 'text', text: '' }),
    ...PIECES.slice(4).map((text) => delta(2, { type: 'text_delta', text })),
    stop(2),
    start(3, { type: 'tool_use', id: 't', name: 'f', input: {} }),
    delta(3, { type: 'input_json_delta', partial_json: '{"a":1}' }),
    stop(3),
    named({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 30 },
    }),
  ]
  return {
    events: [...events, named({ type: 'message_stop' })],
    open: events.length,
    text: TEXT,
    usage: { input: 7, output: 30 },
  }
}

function aiSdk(): Generation {
  const bodies = [
    { type: 'start', messageId: 'm1' },
    { type: 'start-step' },
    { type: 'reasoning-start', id: 'r' },
    { type: 'reasoning-delta', id: 'r', delta: 'Hm.' },
    { type: 'reasoning-end', id: 'r' },
    { type: 'text-start', id: 't' },
    ...PIECES.map((delta) => ({ type: 'text-delta', id: 't', delta })),
    { type: 'text-end', id: 't' },
    { type: 'data-weather', data: { delta: 'no text' } },
    { type: 'finish-step' },
  ]
  const usage = { inputTokens: 7, outputTokens: 30, totalTokens: 37 }
  const finish = { type: 'finish', finishReason: 'stop', messageMetadata: { usage } }
  return {
    events: [...bodies.map(unnamed), unnamed(finish), DONE],
    open: bodies.length,
    text: TEXT,
    usage: { input: 7, output: 30, total: 37 },
  }
}

function plain(): Generation {
  const events = PIECES.map((piece) => unnamed({ piece }))
  return { events, open: events.length, text: undefined, usage: undefined }
}

export const GENERATIONS: Readonly<Record<RunFormat, Generation>> = {
  'openai.chat': openaiChat(),
  'openai.responses': openaiResponses(),
  anthropic: anthropic(),
  'ai-sdk': aiSdk(),
  plain: plain(),
}
