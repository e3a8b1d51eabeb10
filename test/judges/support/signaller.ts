/**
 * A participant made of HTTP alone: it joins, sends in order and repeats what wasn't answered, and reads
 * one stream that it resumes by cursor. Keeps what it was told, to be judged.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { createParser } from 'eventsource-parser'
import type { Random } from '../../support/random.js'

/** A signal as its sender knows it. */
export interface Sent {
  readonly messageId: string
  readonly from: string
  readonly to: string
  /** What the gateway said of it; undefined: never answered. */
  status?: string
}

/** A signal as somebody was told it. */
export interface Got {
  readonly id: string
  readonly name: string
  readonly messageId: string
  readonly from: string
  readonly to: string
}

export interface SignallerOptions {
  readonly room: string
  readonly name: string
  readonly random: Random
  /** Where the next connection goes: any of the gateways, by way of something that cuts. */
  readonly line: () => string
}

export interface Signaller {
  readonly name: string
  readonly sent: readonly Sent[]
  readonly got: readonly Got[]
  /** Ids of its own messages that it was told have expired. */
  readonly expired: ReadonlySet<string>
  /** Joins; the incarnation. */
  join(): Promise<string>
  /** Sends some, as one request, until it is answered. */
  send(to: readonly string[]): Promise<void>
  /** Cuts the stream; it comes back. */
  cut(): void
  /** Goes without a word. */
  vanish(): void
  /** Resolves once it has been told of so many. */
  until(holds: () => boolean): Promise<void>
}

interface Answer {
  readonly status: number
  readonly text: string
}

function post(url: string, session: string, body: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'sluice-session': session }
    const req = request(url, { method: 'POST', headers, agent: false, timeout: 5_000 })
    req.on('timeout', () => req.destroy(new Error('no answer')))
    req.on('error', reject)
    req.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode!, text }))
    })
    req.end(JSON.stringify(body))
  })
}

/** Repeats what isn't answered, or is answered "not now". */
async function insist(ask: () => Promise<Answer>, pause: () => Promise<void>): Promise<Answer> {
  for (;;) {
    const answer = await ask().catch(() => undefined)
    if (answer !== undefined && answer.status < 500 && answer.status !== 429) return answer
    await pause()
  }
}

export function createSignaller({ room, name, random, line }: SignallerOptions): Signaller {
  const session = randomBytes(18).toString('base64url')
  const sent: Sent[] = []
  const got: Got[] = []
  const expired = new Set<string>()
  const waiting = new Set<() => void>()
  let number = 0
  let cursor: string | undefined
  let gone = false
  let reading: ClientRequest | undefined

  const pause = () => {
    return new Promise<void>((resolve) => setTimeout(resolve, random.between(5, 60)))
  }
  const told = () => {
    for (const look of [...waiting]) look()
  }

  const parser = () =>
    createParser({
      onEvent({ id, event, data }) {
        const value = JSON.parse(data)
        if (event === 'signal.expired') expired.add(value.data.messageId)
        else if (event?.startsWith('signal.')) {
          const { messageId, from, to } = value.data
          got.push({ id: value.id, name: event, messageId, from, to })
        }
        // After what it stands for.
        if (id !== undefined) cursor = id
        told()
      },
    })

  async function read(): Promise<void> {
    while (!gone) {
      const headers = { accept: 'text/event-stream', 'last-event-id': cursor }
      reading = request(`${line()}/v1/events?session=${session}`, { headers, agent: false })
      // What comes after the answer has begun is told by the answer.
      reading.on('error', () => {})
      reading.end()
      try {
        const [response] = (await once(reading, 'response')) as [IncomingMessage]
        const frames = parser()
        response.setEncoding('utf8')
        for await (const chunk of response) frames.feed(chunk as string)
        if (response.statusCode === 204) return
      } catch {
        // Cut: it goes on from its cursor.
      }
      await pause()
    }
  }

  return {
    name,
    sent,
    got,
    expired,
    async join() {
      const url = () => `${line()}/v1/rooms/${room}/participants`
      const { status, text } = await insist(
        () => post(url(), session, { participant: name }),
        pause,
      )
      if (status > 201) throw new Error(`${name} can't join: ${status} ${text}`)
      const joined = JSON.parse(text)
      cursor = joined.cursor
      void read()
      return joined.participant.incarnation
    },
    async send(to) {
      const items = to.map((addressee): Sent => {
        return { messageId: `${name}.${++number}`, from: name, to: addressee }
      })
      sent.push(...items)
      const first = number - items.length + 1
      const body = items.map(({ messageId, to }, i) => {
        const seq = first + i
        return { to, type: 'x-judge', seq, messageId, data: { text: `${messageId} to ${to}` } }
      })
      const url = () => `${line()}/v1/rooms/${room}/signals`
      const { status, text } = await insist(() => post(url(), session, body), pause)
      if (status !== 200) throw new Error(`${name}: ${status} ${text}`)
      for (const [i, result] of JSON.parse(text).results.entries()) items[i]!.status = result.status
    },
    cut: () => void reading?.destroy(),
    vanish() {
      gone = true
      reading?.destroy()
    },
    until: (holds) =>
      new Promise((resolve) => {
        const look = () => {
          if (!holds()) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
  }
}
