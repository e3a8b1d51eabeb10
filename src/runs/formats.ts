/** Which formats there are, and which one somebody speaks. */
import type { Format, RunEvent } from './format.js'
import { aiSdk } from './formats/ai-sdk.js'
import { anthropic } from './formats/anthropic.js'
import { openaiChat } from './formats/openai-chat.js'
import { openaiResponses } from './formats/openai-responses.js'
import { list, type Members, members, parse } from './formats/peek.js'
import { plain } from './formats/plain.js'
import type { RunFormat } from './run.js'

const FORMATS: Readonly<Record<RunFormat, Format>> = {
  'openai.chat': openaiChat,
  'openai.responses': openaiResponses,
  anthropic,
  'ai-sdk': aiSdk,
  plain,
}

export function formatOf(name: RunFormat): Format {
  return FORMATS[name]
}

/** Chunks that a UI message stream may begin with. `start` is judged apart: many call their first so. */
const FIRST_CHUNKS = new Set([
  ...['start-step', 'text-start', 'text-delta', 'reasoning-start', 'reasoning-delta'],
  ...['tool-input-start', 'tool-input-available', 'message-metadata'],
])
const START = new Set(['type', 'messageId', 'messageMetadata'])

/** By the first event. Undefined: it doesn't say. An `error` doesn't: several formats begin theirs alike. */
export function detect({ name, data }: RunEvent): RunFormat | undefined {
  const json = parse(data)
  const type = typeof json.type === 'string' ? json.type : name
  if (type.startsWith('response.')) return 'openai.responses'
  if (type === 'message_start') return 'anthropic'
  if (name !== 'message') return undefined
  if (isCompletion(json)) return 'openai.chat'
  const starts = type === 'start' && Object.keys(json).every((it) => START.has(it))
  return starts || FIRST_CHUNKS.has(type) ? 'ai-sdk' : undefined
}

function isCompletion({ object, choices }: Members): boolean {
  if (object === 'chat.completion.chunk') return true
  if (!Array.isArray(choices)) return false
  // Azure's first chunk has no choices and no name, but what its filter found.
  return choices.length === 0 || 'delta' in members(list(choices)[0])
}

const PATHS: readonly (readonly [RegExp, RunFormat])[] = [
  [/(?:^|\/)chat\/completions\/?$/, 'openai.chat'],
  [/(?:^|\/)responses\/?$/, 'openai.responses'],
  [/(?:^|\/)messages\/?$/, 'anthropic'],
]

/**
 * By the head of an upstream's answer, and the path that was asked for, before any event has come.
 * `headers` by their names in lower case. The AI SDK's header is certain; a path is a guess.
 */
export function detectByHead(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  path: string,
): RunFormat | undefined {
  if (headers['x-vercel-ai-ui-message-stream'] === 'v1') return 'ai-sdk'
  const [bare = ''] = path.split('?', 1)
  return PATHS.find(([pattern]) => pattern.test(bare))?.[1]
}
