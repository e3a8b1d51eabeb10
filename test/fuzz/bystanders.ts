/** The well-behaved: a publisher at a steady pace, streams and a long poll on channels of their own. */
import { ask, post } from '../routes/support/ask.js'
import { type Acknowledged, check, type ReaderRecord } from '../support/checker.js'
import { type Seen, startReader } from '../support/sse-reader.js'
import type { ComplaintKind } from './complaints.js'
import type { Door } from './door.js'

const CHANNELS = ['calm:0', 'calm:1', 'calm:2', 'calm:3']
/** What each stream reads. */
const STREAMS = [[0], [1], [2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [3, 0]]
/** ms between two events. */
const PACE_MS = 50
/** Seconds that a poll waits. */
const WAIT_S = 5
/** ms in which the last events must have come everywhere. */
const LAST_MS = 15_000

export interface Bystanders {
  /** Streams and waiting polls that they hold. */
  readonly held: number
  readonly published: number
  /** Publishes the last events, waits for them everywhere, leaves, and says what was wrong. */
  finish(): Promise<void>
  stop(): Promise<void>
}

export interface BystandersOptions {
  readonly url: string
  readonly door: Door
  readonly complain: (kind: ComplaintKind, what: string) => void
}

/** Resolves when every stream is live. */
export async function startBystanders(options: BystandersOptions): Promise<Bystanders> {
  const { url, door, complain } = options
  const acknowledged: Acknowledged[] = []
  const readers = STREAMS.map((indices) => {
    const channels = indices.map((i) => CHANNELS[i]!)
    return { channels, reader: startReader({ url, channels, headers: door.reader }) }
  })
  await Promise.all(readers.map(({ reader }) => reader.control('stream.live')))
  const leaving = new AbortController()
  const poller = startPoller(options, leaving.signal)
  await poller.begun

  let tick = 0
  async function publish(channel: string, last = false): Promise<void> {
    const data = { tick, last }
    const sent = tick++
    const text = JSON.stringify(data)
    const target = `${url}/v1/events?channel=${encodeURIComponent(channel)}`
    const { status, json, text: answer } = await post(target, text, { ...door.publisher })
    if (status !== 201) return complain('bystander', `a publish got ${status} ${answer}`)
    acknowledged.push({ channel, id: json.id, data: text, sent, acked: tick++ })
  }
  let publishing = Promise.resolve()
  let turn = 0
  const pace = setInterval(() => {
    const channel = CHANNELS[turn++ % CHANNELS.length]!
    // One after the other: a gateway that stands still is told by what is late, not by a heap of requests.
    publishing = publishing
      .then(() => publish(channel))
      .catch((error: unknown) => {
        if (!leaving.signal.aborted) complain('bystander', `a publish failed: ${error}`)
      })
  }, PACE_MS)

  async function stop(): Promise<void> {
    clearInterval(pace)
    leaving.abort()
    await Promise.all(readers.map(({ reader }) => reader.stop()))
  }

  return {
    held: readers.length + 1,
    get published() {
      return acknowledged.length
    },
    stop,
    async finish() {
      clearInterval(pace)
      await publishing
      for (const channel of CHANNELS) {
        await publish(channel, true).catch((error: unknown) => {
          complain('bystander', `the last publish failed: ${error}`)
        })
      }
      const all = [
        ...readers.map(({ channels, reader }) =>
          reader.until(({ seen }) => hasLast(seen, channels)),
        ),
        poller.until((seen) => hasLast(seen, CHANNELS)),
      ]
      const late = new Promise((resolve) => setTimeout(resolve, LAST_MS, 'late').unref())
      const end = await Promise.race([Promise.all(all), late])
      if (end === 'late') complain('bystander', 'the last events did not come everywhere')
      await stop()
      judge([
        ...readers.map(({ channels, reader }, i) => {
          return { name: `stream ${i}`, channels, seen: reader.seen, openings: reader.connections }
        }),
        { name: 'poll', channels: CHANNELS, seen: poller.seen, openings: 1 },
      ])
    },
  }

  function judge(records: readonly (ReaderRecord & { readonly openings: number })[]): void {
    for (const { kind, reader, channel, id, detail } of check({ acknowledged, readers: records })) {
      complain('bystander', `${kind}: ${reader} on ${channel}, ${id}: ${detail}`)
    }
    for (const { name, openings } of records) {
      // They resume by themselves, and would hide that they were cut.
      if (openings !== 1) complain('bystander', `${name} was cut ${openings - 1} times`)
    }
    if (acknowledged.length <= CHANNELS.length) complain('bystander', 'nothing was published')
  }
}

function hasLast(seen: readonly Seen[], channels: readonly string[]): boolean {
  const ended = seen.filter((it) => it.kind === 'event' && it.data.endsWith('"last":true}'))
  return ended.length >= channels.length
}

interface Poller {
  readonly seen: readonly Seen[]
  /** Resolves when it has its first cursor. */
  readonly begun: Promise<void>
  until(holds: (seen: readonly Seen[]) => boolean): Promise<void>
}

/** Long polls, one after the other. */
function startPoller({ url, door, complain }: BystandersOptions, gone: AbortSignal): Poller {
  const seen: Seen[] = []
  const query = CHANNELS.map((channel) => `channel=${encodeURIComponent(channel)}`).join('&')
  // A backend, which may ask as often as it likes: each event is an answer.
  const headers = { accept: 'application/json', ...door.publisher }
  let cursor = ''
  let wake: (() => void) | undefined

  async function once(wait: number): Promise<void> {
    const from = cursor === '' ? '' : `&after=${cursor}`
    const target = `${url}/v1/events?${query}&wait=${wait}${from}`
    const { status, text, json } = await ask(target, { headers, signal: gone })
    if (status !== 200) throw new Error(`a poll got ${status} ${text}`)
    cursor = json.cursor
    for (const { event: name, data } of json.control) {
      seen.push({ kind: 'control', connection: 1, name, data, cursor })
    }
    for (const { id, channel, name, data } of json.events) {
      const text = JSON.stringify(data)
      seen.push({ kind: 'event', connection: 1, id, channel, name, data: text, cursor })
    }
    wake?.()
  }

  const begun = once(0)
  void (async () => {
    try {
      await begun
      while (!gone.aborted) await once(WAIT_S)
    } catch (error) {
      if (!gone.aborted) complain('bystander', String(error))
    }
  })()
  return {
    seen,
    begun,
    async until(holds) {
      while (!holds(seen)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
