/** The same promise, kept by a real EventSource over a real connection. */
import { deepEqual } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventSource } from 'eventsource'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { nameFault, type StoredEvent } from '../../src/wire/event.js'
import { formatPosition } from '../../src/wire/position.js'
import { comment, eventBlockWithId, type Format, rawData, retryLine } from '../../src/wire/sse.js'
import { hostileString, jsonText } from './hostile.js'

interface Seen {
  name: string
  id: string
  data: string
}

const DONE = 'all.done'
/** Each chunk in a write of its own, handed to the kernel before the next one. */
async function send(response: ServerResponse, chunks: readonly Uint8Array[]): Promise<void> {
  response.socket?.setNoDelay(true)
  for (const chunk of chunks) {
    await new Promise((written) => response.write(chunk, written))
  }
}

type Watch = (chunks: readonly Uint8Array[], names: Iterable<string>) => Promise<Seen[]>

/** Serves chunks; gives all that an EventSource sees of them, up to the event that says DONE. */
async function serve(t: Test): Promise<Watch> {
  let body: readonly Uint8Array[] = []
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    void send(response, body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  return async (chunks, names) => {
    body = chunks
    const source = new EventSource(`http://127.0.0.1:${port}/`)
    const seen: Seen[] = []
    try {
      await new Promise<void>((resolve, reject) => {
        for (const name of new Set(names)) {
          source.addEventListener(name, (e) => {
            seen.push({ name: e.type, id: e.lastEventId, data: e.data })
          })
        }
        source.addEventListener(DONE, () => resolve())
        source.onerror = (e) => reject(new Error(`the connection broke: ${e.message}`))
      })
    } finally {
      source.close()
    }
    return seen
  }
}

/** Cuts bytes into chunks of the given sizes, over and over. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? bytes.length
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

const eventOf = (order: number, name: string, data: string): StoredEvent => ({
  channel: 'c',
  name,
  data,
  sender: undefined,
  order,
  tag: 3,
})

/** What an EventSource should see: id, name, and data with its line ends as LF. */
const expected = (event: StoredEvent, format: Format): Seen => ({
  name: event.name,
  id: formatPosition(event.order, event.tag),
  data:
    format === 'envelope'
      ? JSON.stringify(JSON.parse(event.data))
      : rawData(event.data)
          .replace(/\r\n|\r/g, '\n')
          .replace(/\p{Cs}/gu, '\ufffd'),
})

/** White space between tokens may differ in its line ends: only the value counts. */
const normal = (seen: Seen, format: Format): Seen =>
  format === 'raw' ? seen : { ...seen, data: JSON.stringify(JSON.parse(seen.data).data) }

const names = fc
  .oneof(fc.constant('message'), hostileString)
  .filter((name) => nameFault(name) === undefined && name !== DONE)

t.test('an EventSource sees every event once, whole and in order, however it is cut', async (t) => {
  const watch = await serve(t)
  const events = fc.array(fc.tuple(names, jsonText), { minLength: 1, maxLength: 20 })
  const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(
      events,
      fc.constantFrom<Format>('envelope', 'raw'),
      sizes,
      async (drafts, format, sizes) => {
        const sent = drafts.map(([name, data], i) => eventOf(4096 * (i + 1), name, data))
        const blocks = sent.map((event) => comment('warm') + eventBlockWithId(event, format))
        const end = eventBlockWithId(eventOf(4096 * 100, DONE, '""'), format)
        const bytes = new TextEncoder().encode(`${retryLine(1)}${blocks.join('')}${end}`)
        const seen = await watch(
          cut(bytes, sizes),
          sent.map((event) => event.name),
        )
        deepEqual(
          seen.map((one) => normal(one, format)),
          sent.map((event) => expected(event, format)),
        )
      },
    ),
    { numRuns: 60 },
  )
})

t.test('a megabyte of awkward characters reaches an EventSource whole', async (t) => {
  const watch = await serve(t)
  for (const unit of ['\r\n', '😀', '\u2028', '"']) {
    const event = eventOf(4096, 'big', JSON.stringify(unit.repeat((1024 * 1024) / unit.length)))
    const text = eventBlockWithId(event, 'raw') + eventBlockWithId(eventOf(8192, DONE, '1'), 'raw')
    const seen = await watch(cut(new TextEncoder().encode(text), [65_521]), ['big'])
    t.equal(seen.length, 1)
    t.ok(seen[0]?.data === rawData(event.data).replaceAll('\r\n', '\n'), encodeURI(unit))
  }
})
