/** The bodies of finite answers. */
import type { PollAnswer } from '../../hub/poll.js'
import type { State } from '../../presence/state.js'
import { eventJson, type StoredEvent } from '../../wire/event.js'
import { formatPosition } from '../../wire/position.js'
import { presentOn } from '../../wire/presence.js'
import { eventBlock, idLine, namedBlock, retryLine } from '../../wire/sse.js'

/** What a poll came to, and who is present on the channels of which it is told. */
export interface Polled extends PollAnswer {
  readonly states: readonly State[]
}

/** How soon a native EventSource comes back to ask for the next finite body, in ms. */
const POLL_RETRY_MS = 1_000

/** The long poll's answer. Event data goes as the text that came. */
export function pollJson({ events, ephemeral, control, states, cursor, more }: Polled): string {
  const about = events.map(({ event }) => presentOn(event.channel) !== undefined)
  const others = events.filter((_, i) => !about[i])
  const diffs = events.filter((_, i) => about[i])
  const items = [...others.map(({ event }) => eventJson(event)), ...ephemeral.map(eventJson)]
  const told = [
    ...control.map((it) => JSON.stringify(it)),
    ...states.map((state) => state.control),
    ...diffs.map(({ event }) => diffJson(event)),
  ]
  const rest = `"cursor":"${cursor}","control":[${told.join(',')}],"more":${more}`
  return `{"events":[${items.join(',')}],${rest}}`
}

/** A change of who is present, as a poll is told of it. */
function diffJson({ order, tag, name, data }: StoredEvent): string {
  const id = formatPosition(order, tag)
  return `{"event":${JSON.stringify(name)},"id":"${id}","data":${data}}`
}

/** The same as one SSE body: gaps first, for they lie before the events; the last block moves the cursor past everything. */
export function pollSse({ events, ephemeral, control, states, cursor, more }: Polled): string {
  // A goodbye says when to come back, each client another time: all at once would be a storm.
  const bye = control.find(({ event }) => event === 'stream.bye')
  const retry = bye?.event === 'stream.bye' ? bye.data.retry : more ? 0 : POLL_RETRY_MS
  const blocks = [retryLine(retry)]
  const before = control.filter(({ event }) => event === 'stream.gap')
  const after = control.filter(({ event }) => event !== 'stream.gap')
  for (const { event, data } of before) blocks.push(namedBlock(event, data))
  for (const { block } of states) blocks.push(block)
  for (const item of events) blocks.push(idLine(item.cursor) + eventBlock(item.event, 'envelope'))
  for (const event of ephemeral) blocks.push(eventBlock(event, 'envelope'))
  for (const { event, data } of after) blocks.push(namedBlock(event, data))
  // An `id:`-only block where more is to come: the stream isn't live then.
  blocks.push(more ? `${idLine(cursor)}\n` : namedBlock('stream.live', { cursor }, cursor))
  return blocks.join('')
}
