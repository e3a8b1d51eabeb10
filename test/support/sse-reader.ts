/**
 * A plain resumable reader: node:http below, the parser of eventsource-parser above, nothing of the
 * gateway's own. Keeps all that it saw, in order.
 */
import { EventEmitter, once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { createParser } from 'eventsource-parser'

/** One thing that a reader saw. */
export type Seen =
  | {
      readonly kind: 'event'
      /** Counts openings, from 1. */
      readonly connection: number
      /** The event's own id; null for an ephemeral one. */
      readonly id: string | null
      readonly channel: string
      readonly name: string
      /** JSON text of the event's data, as JSON.stringify writes it. */
      readonly data: string
      /** The SSE id of the block; undefined where it had none. */
      readonly cursor: string | undefined
    }
  | {
      readonly kind: 'control'
      readonly connection: number
      readonly name: string
      readonly data: Readonly<Record<string, unknown>>
      readonly cursor: string | undefined
    }
  /** An answer that isn't a stream; the reader stops at 204 and goes on after the others. */
  | { readonly kind: 'answer'; readonly connection: number; readonly status: number }

export interface ReaderOptions {
  readonly url: string
  readonly channels: readonly string[]
  /** A cursor, `earliest` or `latest`. Default: nothing, which means latest. */
  readonly after?: string
  /** Other members of the query. */
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds between the end of a connection and the next; asked each time. Default 5. */
  readonly pause?: () => number
  /** Takes what the reader sees, which then isn't kept in `seen`: for runs of millions of events. */
  readonly keep?: (seen: Seen) => void
}

export interface Reader {
  readonly seen: readonly Seen[]
  /** What goes into the next Last-Event-ID. */
  readonly cursor: string | undefined
  /** Openings so far. */
  readonly connections: number
  /** Resolves as soon as the predicate holds; asked after each thing seen. */
  until(predicate: (reader: Reader) => boolean): Promise<void>
  /** Resolves with the next control of that name from now on, or the first already seen. */
  control(name: string): Promise<Extract<Seen, { kind: 'control' }>>
  /** Breaks the connection; the reader resumes by itself. */
  break(): void
  /** Never resolves while the reader goes on; resolves after a 204 or `stop`. */
  readonly done: Promise<void>
  stop(): Promise<void>
}

export function startReader(options: ReaderOptions): Reader {
  const seen: Seen[] = []
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const pause = options.pause ?? (() => 5)
  let cursor: string | undefined
  let connections = 0
  let stopped = false
  let current: ClientRequest | undefined
  let wake: (() => void) | undefined

  const keep = options.keep ?? ((what) => void seen.push(what))
  const note = (what: Seen): void => {
    keep(what)
    told.emit('seen')
  }

  const url = new URL('/v1/events', options.url)
  for (const channel of options.channels) url.searchParams.append('channel', channel)
  if (options.after !== undefined) url.searchParams.set('after', options.after)
  for (const [name, value] of Object.entries(options.query ?? {})) url.searchParams.set(name, value)

  const openOnce = (connection: number): Promise<void> =>
    new Promise((resolve) => {
      const headers: Record<string, string> = { accept: 'text/event-stream', ...options.headers }
      if (cursor !== undefined) headers['last-event-id'] = cursor
      const req = request(url, { headers, agent: false })
      current = req
      req.on('error', () => resolve())
      req.on('close', () => resolve())
      req.on('response', (res) => {
        res.on('error', () => {})
        if (res.statusCode !== 200) {
          note({ kind: 'answer', connection, status: res.statusCode ?? 0 })
          if (res.statusCode === 204) stopped = true
          res.resume()
          return
        }
        // A new one for each connection: a block that was cut off must not run into the next.
        const parser = createParser({
          onEvent(message) {
            if (message.id !== undefined) cursor = message.id
            note(understand(message, connection))
          },
        })
        res.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk))
      })
      req.end()
    })

  const run = async (): Promise<void> => {
    while (!stopped) {
      await openOnce(++connections)
      if (stopped) break
      await new Promise<void>((resolve) => {
        wake = resolve
        setTimeout(resolve, pause())
      })
    }
  }
  const done = run()

  const reader: Reader = {
    seen,
    get cursor() {
      return cursor
    },
    get connections() {
      return connections
    },
    done,
    async until(predicate) {
      while (!predicate(reader)) await once(told, 'seen')
    },
    async control(name) {
      const find = () => seen.find((it) => it.kind === 'control' && it.name === name)
      await reader.until(() => find() !== undefined)
      return find() as Extract<Seen, { kind: 'control' }>
    },
    break() {
      current?.destroy()
    },
    async stop() {
      stopped = true
      current?.destroy()
      wake?.()
      await done
    },
  }
  return reader
}

function understand(
  message: { event?: string | undefined; id?: string | undefined; data: string },
  connection: number,
): Seen {
  const name = message.event ?? 'message'
  const cursor = message.id
  const data = JSON.parse(message.data)
  if (/^(stream|presence|participant|room)\./.test(name)) {
    return { kind: 'control', connection, name, data, cursor }
  }
  return {
    kind: 'event',
    connection,
    id: data.id ?? null,
    channel: data.channel,
    name,
    data: JSON.stringify(data.data),
    cursor,
  }
}

/** The events among what was seen. */
export function events(seen: readonly Seen[]): Extract<Seen, { kind: 'event' }>[] {
  return seen.filter((it) => it.kind === 'event')
}

/** The controls of one name among what was seen. */
export function controls(
  seen: readonly Seen[],
  name: string,
): Extract<Seen, { kind: 'control' }>[] {
  return seen.filter((it) => it.kind === 'control' && it.name === name) as Extract<
    Seen,
    { kind: 'control' }
  >[]
}
