/**
 * Streamed bodies: every item is appended the moment it has arrived. What was appended stays, also
 * where the producer breaks off or a later item is wrong.
 */
import type { Readable } from 'node:stream'
import { createParser } from 'eventsource-parser'
import type { Draft, Receipt } from '../../log/log.js'
import {
  checkedJson,
  checkedKey,
  checkedName,
  type DraftDefaults,
  type DraftSource,
  draftOf,
  draftOfObject,
} from '../../publish/drafts.js'
import { SluiceError } from '../../wire/errors.js'
import { DEFAULT_NAME } from '../../wire/event.js'
import { createLineEnds } from '../../wire/line-ends.js'
import type { Position } from '../../wire/position.js'

export interface Ingestion {
  readonly type: 'ndjson' | 'sse'
  readonly stream: Readable
  readonly defaults: DraftDefaults | undefined
  /** Judges the name of an SSE event. Default: as of any event. */
  readonly nameOf?: (name: string) => string
  /** Item i has the key `k/i`. */
  readonly key: string | undefined
  readonly source: DraftSource
  /** Items that are let in at once, where their sender is paced. */
  readonly stride: number
  /** Resolves when these may be published; rejects where they may not. */
  readonly admit: (drafts: readonly Draft[]) => void | Promise<void>
  readonly publish: (drafts: readonly Draft[]) => Promise<Receipt[]>
  /** Milliseconds without a byte after which the upload is given up. */
  readonly idleMs: number
  /** Bytes of the whole body; 0: no limit. */
  readonly maxBytes: number
  /** The right to it has ended; its reason is a SluiceError. */
  readonly signal: AbortSignal
}

export interface Ingested {
  /** Events appended by this request. */
  readonly appended: number
  /** Events that had been appended before, by their keys. */
  readonly duplicates: number
  /** Position of the last of them; null where there was none. */
  readonly last: Position | null
}

/** Appends until the body ends. Rejects with a SluiceError that says how many were appended. */
export async function ingest(ingestion: Ingestion): Promise<Ingested> {
  const { admit, publish, maxBytes, signal, stride } = ingestion
  const items = ingestion.type === 'ndjson' ? ndjsonItems(ingestion) : sseItems(ingestion)
  let appended = 0
  let duplicates = 0
  let bytes = 0
  let last: Position | null = null

  /** Appends what a chunk completed, in order, as groups of their own; waits for all of them, so that a fast producer can't outrun the log. */
  async function take(all: readonly Draft[]): Promise<void> {
    for (let from = 0; from < all.length; from += stride) {
      await takeSome(all.slice(from, from + stride))
    }
  }

  async function takeSome(drafts: readonly Draft[]): Promise<void> {
    await admit(drafts)
    signal.throwIfAborted()
    for (const settled of await Promise.allSettled(drafts.map((draft) => publish([draft])))) {
      if (settled.status === 'rejected') throw settled.reason
      const receipt = settled.value[0]!
      if (receipt.duplicate) duplicates++
      else appended++
      if (receipt.position !== null) last = receipt.position
    }
  }

  try {
    for await (const chunk of whileItMay(ingestion)) {
      bytes += chunk.length
      if (maxBytes > 0 && bytes > maxBytes) throw new SluiceError('body_too_large')
      const { drafts, fault } = items.feed(chunk)
      await take(drafts)
      if (fault !== undefined) throw fault
    }
    const { drafts, fault } = items.end()
    await take(drafts)
    if (fault !== undefined) throw fault
  } catch (error) {
    throw withCount(error, appended, duplicates)
  }
  return { appended, duplicates, last }
}

function withCount(error: unknown, appended: number, duplicates: number): unknown {
  if (!(error instanceof SluiceError)) {
    // The producer broke off; there is hardly anybody left to tell.
    return new SluiceError('body_invalid', { cause: error, extensions: { appended, duplicates } })
  }
  const count = appended + duplicates
  return error.of(`After ${count} event${count === 1 ? '' : 's'}`, { appended, duplicates })
}

/**
 * The chunks of a body, as long as they come and their sender may. Leaves the stream whole, however it is
 * left: destroying a request takes its connection with it, and then nobody would hear what was wrong.
 */
async function* whileItMay({ stream, idleMs, signal }: Ingestion): AsyncGenerator<Buffer> {
  const chunks = stream.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]()
  let idle: NodeJS.Timeout | undefined
  let onAbort = () => {}
  let onIdle = () => {}
  const over = new Promise<never>((_, reject) => {
    onIdle = () => reject(new SluiceError('body_timeout'))
    onAbort = () => reject(signal.reason)
  })
  signal.addEventListener('abort', onAbort)
  // It may be over while nobody waits here, but for the log or for the rate.
  over.catch(() => {})
  try {
    for (;;) {
      // Only while its next word is waited for: what the log or the rate takes is no silence of the sender's.
      idle = setTimeout(onIdle, idleMs)
      const next = await Promise.race([chunks.next(), over])
      clearTimeout(idle)
      if (next.done === true) return
      yield next.value as Buffer
    }
  } finally {
    clearTimeout(idle)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Makes items of chunks. `fault`: what is wrong with the item after the drafts. */
interface Items {
  feed(chunk: Buffer): { readonly drafts: Draft[]; readonly fault?: unknown }
  end(): { readonly drafts: Draft[]; readonly fault?: unknown }
}

/** Makes drafts until one fails. */
function collect<T>(items: readonly T[], make: (item: T) => Draft | undefined) {
  const drafts: Draft[] = []
  try {
    for (const item of items) {
      const draft = make(item)
      if (draft !== undefined) drafts.push(draft)
    }
    return { drafts }
  } catch (fault) {
    return { drafts, fault }
  }
}

/** Item numbers make keys: also items before a wrong one keep theirs when the upload is repeated. */
function keysOf(key: string | undefined): () => string | undefined {
  let index = 0
  return () => (key === undefined ? undefined : checkedKey(`${key}/${index++}`))
}

function decoder({ ignoreBOM }: { readonly ignoreBOM: boolean }): TextDecoder {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM })
}

function decode(utf8: TextDecoder, chunk: Buffer | undefined): string {
  try {
    return chunk === undefined ? utf8.decode() : utf8.decode(chunk, { stream: true })
  } catch {
    throw new SluiceError('body_invalid', { detail: 'The body is not UTF-8' })
  }
}

function ndjsonItems({ defaults, key, source }: Ingestion): Items {
  // The mark at the beginning is part of the data, if it is anything.
  const utf8 = decoder({ ignoreBOM: true })
  const nextKey = keysOf(key)
  // A line that spans many chunks is kept in pieces and joined once.
  let pieces: string[] = []
  let length = 0

  function make(line: string): Draft | undefined {
    if (line.trim() === '') return undefined
    const own = nextKey()
    if (defaults !== undefined) return draftOf(checkedJson(line), defaults, own, source)
    return draftOfObject(line, JSON.parse(checkedJson(line)), own, source)
  }

  return {
    feed(chunk) {
      const lines = decode(utf8, chunk).split('\n')
      pieces.push(lines[0]!)
      length += lines[0]!.length
      if (lines.length === 1) {
        // An event object has more to it than its data, but not without end.
        const fault = new SluiceError('event_too_large')
        return length > source.maxEventBytes + 4096 ? { drafts: [], fault } : { drafts: [] }
      }
      lines[0] = pieces.join('')
      pieces = [lines.pop()!]
      length = pieces[0]!.length
      return collect(lines, make)
    },
    end() {
      pieces.push(decode(utf8, undefined))
      return collect([pieces.join('')], make)
    },
  }
}

function sseItems({ defaults, key, source, nameOf = checkedName }: Ingestion): Items {
  // HTML § 9.2.6: one mark at the beginning is none of the stream's.
  const utf8 = decoder({ ignoreBOM: false })
  const withLf = createLineEnds()
  const nextKey = keysOf(key)
  let parsed: { event?: string | undefined; data: string }[] = []
  const parser = createParser({
    onEvent: (event) => parsed.push(event),
    maxBufferSize: 2 * source.maxEventBytes + 4096,
    onError(error) {
      if (error.type === 'max-buffer-size-exceeded') throw new SluiceError('event_too_large')
    },
  })

  function make({ event: name, data }: { event?: string | undefined; data: string }): Draft {
    const own = { ...defaults!, name: name ?? defaults!.name }
    if (own.name !== DEFAULT_NAME) nameOf(own.name)
    return draftOf(JSON.stringify(data), own, nextKey(), source)
  }

  function feed(text: string) {
    let fault: unknown
    try {
      parser.feed(withLf(text))
    } catch (error) {
      fault = error
    }
    const events = parsed
    parsed = []
    const made = collect(events, make)
    return 'fault' in made ? made : { drafts: made.drafts, fault }
  }

  /** Whether data has come that no blank line has made an event. */
  function pending(): boolean {
    // Ends a line; where it is a blank one, it makes that event.
    parser.feed('\n')
    // Else this makes one, and it isn't as empty as itself.
    parser.feed('data\n\n')
    return parsed.length > 1 || parsed[0]?.data !== ''
  }

  return {
    feed: (chunk) => feed(decode(utf8, chunk)),
    end() {
      const last = feed(decode(utf8, undefined))
      if (last.fault !== undefined || !pending()) return last
      // The standard drops it (HTML § 9.2.6). A reader can do no better; a producer can.
      const fault = new SluiceError('body_invalid', {
        detail: 'It ends in the middle of an event: a blank line is missing',
      })
      return { ...last, fault }
    },
  }
}
