/** OpenAI's responses: named events, each with its name as `type` and a `sequence_number`. */
import type { Format } from '../format.js'
import type { RunFault } from '../run.js'
import { faultOf, members, tokens } from './peek.js'
import { ABORTED, readWith } from './reading.js'

const USAGE = { input: 'input_tokens', output: 'output_tokens', total: 'total_tokens' }

export const openaiResponses: Format = {
  name: 'openai.responses',
  read: () =>
    readWith(({ name }, event, notes) => {
      const type = typeof event.type === 'string' ? event.type : name
      const { usage, error } = members(event.response)
      switch (type) {
        case 'response.output_text.delta':
          notes.text(event.delta)
          break
        case 'response.completed':
        // Cut short by a limit that the request or the provider set: all there will be.
        case 'response.incomplete':
          notes.usage(tokens(usage, USAGE))
          notes.done()
          break
        case 'response.failed':
          notes.usage(tokens(usage, USAGE))
          notes.failed(faultOf(error))
          break
        case 'error':
          notes.failed(faultOf(event.error ?? event))
      }
    }),
  broken: (fault, events) => says('server_error', fault, events),
  aborted: (events) => says('aborted', ABORTED, events),
}

/**
 * The reference has `code` and `message` in the event itself; the service sends them within `error`, and
 * only that makes the SDKs throw. Both are here, for readers of either. `response.failed` would need the
 * whole response, and a loop over the SDK's events goes on past it.
 */
function says(type: string, { code, message }: RunFault, events: number | undefined) {
  const fault = { code, message, param: null }
  const data = {
    type: 'error',
    // Numbers begin with 0. Strict readers refuse an event that has none.
    sequence_number: events,
    ...fault,
    error: { type, ...fault },
  }
  return [{ name: 'error', data: JSON.stringify(data) }]
}
