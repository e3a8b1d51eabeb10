/** The bodies of finite answers. */
import type { PollAnswer } from '../../hub/poll.js'
import { eventJson } from '../../wire/event.js'
import { eventBlock, idLine, namedBlock, retryLine } from '../../wire/sse.js'

/** How soon a native EventSource comes back to ask for the next finite body, in ms. */
const POLL_RETRY_MS = 1_000

/** The long poll's answer. Event data goes as the text that came. */
export function pollJson({ events, ephemeral, control, cursor, more }: PollAnswer): string {
  const items = [...events.map(({ event }) => eventJson(event)), ...ephemeral.map(eventJson)]
  const rest = `"cursor":"${cursor}","control":${JSON.stringify(control)},"more":${more}`
  return `{"events":[${items.join(',')}],${rest}}`
}

/** The same as one SSE body: gaps first, for they lie before the events; the last block moves the cursor past everything. */
export function pollSse({ events, ephemeral, control, cursor, more }: PollAnswer): string {
  // A goodbye says when to come back, each client another time: all at once would be a storm.
  const bye = control.find(({ event }) => event === 'stream.bye')
  const retry = bye?.event === 'stream.bye' ? bye.data.retry : more ? 0 : POLL_RETRY_MS
  const blocks = [retryLine(retry)]
  const before = control.filter(({ event }) => event === 'stream.gap')
  const after = control.filter(({ event }) => event !== 'stream.gap')
  for (const { event, data } of before) blocks.push(namedBlock(event, data))
  for (const item of events) blocks.push(idLine(item.cursor) + eventBlock(item.event, 'envelope'))
  for (const event of ephemeral) blocks.push(eventBlock(event, 'envelope'))
  for (const { event, data } of after) blocks.push(namedBlock(event, data))
  // An `id:`-only block where more is to come: the stream isn't live then.
  blocks.push(more ? `${idLine(cursor)}\n` : namedBlock('stream.live', { cursor }, cursor))
  return blocks.join('')
}
