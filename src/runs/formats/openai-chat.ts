/** OpenAI's chat completions, and all who speak like it: `data: {chunk}` … `data: [DONE]`. */
import type { Format } from '../format.js'
import type { RunFault } from '../run.js'
import { faultOf, list, members, tokens } from './peek.js'
import { ABORTED, readWith } from './reading.js'

const USAGE = { input: 'prompt_tokens', output: 'completion_tokens', total: 'total_tokens' }

export const openaiChat: Format = {
  name: 'openai.chat',
  read: () =>
    readWith(({ name, data }, chunk, notes) => {
      // Both conditions are the SDK's: the beginning is enough, and any `error` is one.
      if (data.startsWith('[DONE]')) return notes.done()
      if (name === 'error' || chunk.error) return notes.failed(faultOf(chunk.error ?? chunk))
      for (const choice of list(chunk.choices)) {
        const { index = 0, delta } = members(choice)
        // Several choices (`n`) are answers side by side: the first is one, all together are none.
        // Refusals, reasoning and tool calls have members of their own.
        if (index === 0) notes.text(members(delta).content)
      }
      notes.usage(tokens(chunk.usage, USAGE))
    }),
  broken: (fault) => says('server_error', fault),
  aborted: () => says('aborted', ABORTED),
}

/**
 * The SDKs throw at `data.error`, whatever the event is called, and read nothing after it. No `[DONE]`
 * follows, for a loop that looks for nothing else would take it for success.
 */
function says(type: string, { code, message }: RunFault) {
  const error = { message, type, param: null, code }
  return [{ name: 'message', data: JSON.stringify({ error }) }]
}
