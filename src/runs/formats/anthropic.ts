/** Anthropic's messages: named events from `message_start` to `message_stop`. */
import type { Format } from '../format.js'
import type { RunFault } from '../run.js'
import { faultOf, members, tokens } from './peek.js'
import { ABORTED, readWith } from './reading.js'

/** Counts what isn't cached; a total isn't told. */
const USAGE = { input: 'input_tokens', output: 'output_tokens' }

export const anthropic: Format = {
  name: 'anthropic',
  read: () =>
    readWith(({ name }, event, notes) => {
      const type = typeof event.type === 'string' ? event.type : name
      const block = members(event.content_block)
      const delta = members(event.delta)
      switch (type) {
        case 'message_start':
          notes.usage(tokens(members(event.message).usage, USAGE))
          break
        // Blocks of text follow one another without anything between: citations cut sentences.
        case 'content_block_start':
          if (block.type === 'text') notes.text(block.text)
          break
        case 'content_block_delta':
          if (delta.type === 'text_delta') notes.text(delta.text)
          break
        case 'message_delta':
          // Of the whole message so far, not of what came since.
          notes.usage(tokens(event.usage, USAGE))
          break
        case 'message_stop':
          notes.done()
          break
        case 'error':
          notes.failed(faultOf(event.error))
      }
    }),
  broken: (fault) => says('api_error', fault),
  aborted: () => says('aborted', ABORTED),
}

/** The SDK throws at an event of this name, and makes `type` the error's. `code` is ours. */
function says(type: string, { code, message }: RunFault) {
  return [
    { name: 'error', data: JSON.stringify({ type: 'error', error: { type, message, code } }) },
  ]
}
