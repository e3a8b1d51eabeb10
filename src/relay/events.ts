/**
 * Cuts a body of `text/event-stream` into its events: names and data as the upstream wrote them. What
 * else is in it stays behind: comments, `retry`, the upstream's own ids (the gateway gives its own), and
 * events without data, which no reader of the standard ever sees.
 *
 * Bytes that are no UTF-8 become U+FFFD, as the standard has it (HTML § 9.2.6, "UTF-8 decode") and as
 * every SDK that asks the upstream itself reads them. Ending the run instead would lose a whole
 * generation for a character that a tokenizer cut in half.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { RunEvent } from '../runs/format.js'
import { DEFAULT_NAME } from '../wire/event.js'
import { createLineEnds } from '../wire/line-ends.js'
import { UpstreamFault } from './faults.js'

/** What came of a part of the body. */
export interface Cut {
  readonly events: readonly RunEvent[]
  /** Something above the limit came after those events; nothing after it is read. */
  readonly fault?: UpstreamFault
}

export interface Cutter {
  feed(part: Uint8Array): Cut
  /** The body has ended. Whether that was in the middle of an event, which is then dropped. */
  end(): { readonly broken: boolean }
}

export interface CutterOptions {
  /** Bytes of one event: its name and its data, in UTF-8. */
  readonly maxEventBytes: number
}

/** Characters around the data of an event in the line that is put together: `data: `, and to spare. */
const AROUND = 64
/** Characters by which a line is known: a comment, an `id:`. */
const LINE_START = 6

export function createCutter({ maxEventBytes }: CutterOptions): Cutter {
  const decoder = new TextDecoder()
  let events: RunEvent[] = []
  let tooLarge = false
  let last: EventSourceMessage | undefined
  const withLf = createLineEnds()
  /** The beginning of the line that is unfinished; empty between two lines. */
  let line = ''

  const parser = createParser({
    // In characters, of which no text has more than bytes. Stops what never becomes an event; what does
    // become one is measured exactly.
    maxBufferSize: maxEventBytes + AROUND,
    onEvent(message) {
      last = message
      const { event: name = DEFAULT_NAME, data } = message
      tooLarge ||= Buffer.byteLength(name) + Buffer.byteLength(data) > maxEventBytes
      if (!tooLarge) events.push({ name, data })
    },
    onError(error) {
      tooLarge ||= error.type === 'max-buffer-size-exceeded'
    },
  })

  function parse(decoded: string): void {
    if (decoded === '') return
    const text = withLf(decoded)
    const begun = text.lastIndexOf('\n') + 1
    line = ((begun > 0 ? '' : line) + text.slice(begun, begun + LINE_START)).slice(0, LINE_START)
    parser.feed(text)
  }

  return {
    feed(part) {
      if (!tooLarge) parse(decoder.decode(part, { stream: true }))
      const cut = events
      events = []
      return tooLarge
        ? { events: cut, fault: new UpstreamFault('event_too_large') }
        : { events: cut }
    },
    end() {
      if (tooLarge) return { broken: true }
      parse(decoder.decode())
      if (line !== '' && !/^(?::|id:|retry:)/.test(line)) return { broken: true }
      // Something of an event is there if this makes one that isn't as empty as itself; an id alone is none.
      parser.feed(line === '' ? 'data\n\n' : '\ndata\n\n')
      return { broken: last?.data !== '' || last.event !== undefined }
    },
  }
}

/**
 * The events of a body, all that came with one part of it together: what is appended at once. Throws an
 * UpstreamFault after the last whole event: the body's own, `event_too_large`, or `broken` where it ended
 * in the middle of one.
 */
export async function* eventsOf(
  body: AsyncIterable<Uint8Array>,
  options: CutterOptions,
): AsyncGenerator<readonly RunEvent[]> {
  const cutter = createCutter(options)
  for await (const part of body) {
    const { events, fault } = cutter.feed(part)
    if (events.length > 0) yield events
    if (fault !== undefined) throw fault
  }
  if (cutter.end().broken) throw new UpstreamFault('broken', 'it ended in the middle of an event')
}
