/**
 * Writers as a careful backend has them: an idempotency key for each request, and the same request
 * again until it is answered.
 */
import { Agent, request } from 'node:http'
import type { Acknowledged, Uncertain } from '../support/checker.js'
import type { Random } from '../support/random.js'

/** ms until a request without an answer is given up and sent again: its gateway may be frozen. */
const PATIENCE = 5_000
/** ms until an event is given up. Well within the five minutes that keys are remembered. */
const DEADLINE = 90_000
/** Requests that one writer has under way; more wait their turn, as they would in a program. */
const AT_ONCE = 8

export interface Answered extends Acknowledged {
  /** Clock of the run, ms. */
  readonly at: number
}

export interface Writers {
  readonly acknowledged: readonly Answered[]
  readonly uncertain: readonly Uncertain[]
  /** Requests sent again. */
  readonly retries: number
  /** Answers of a kind that a correct request must not get, with their text. */
  readonly refused: readonly string[]
  /** No more events; resolves when all is answered or given up. */
  finish(): Promise<void>
  /** One event on each channel, tried until it is answered; resolves with their ids. */
  last(channels: readonly string[]): Promise<Map<string, string>>
}

export interface WritersOptions {
  readonly url: string
  readonly count: number
  /** Events per second, of all. */
  readonly rate: number
  readonly channels: readonly string[]
  readonly random: Random
  readonly clock: () => number
}

interface Draft {
  readonly channel: string
  readonly data: string
  readonly key: string
}

export function startWriters(options: WritersOptions): Writers {
  const { random, channels, clock } = options
  const agent = new Agent({ keepAlive: true })
  const acknowledged: Answered[] = []
  const uncertain: Uncertain[] = []
  const refused: string[] = []
  /** Logical time, for the order of answers and requests. */
  let tick = 0
  let made = 0
  let retries = 0
  let going = true

  const post = (
    path: string,
    body: string,
    key: string,
  ): Promise<{ status: number; text: string }> =>
    new Promise((resolve) => {
      const lost = (): void => resolve({ status: 0, text: '' })
      const headers = { 'content-type': 'application/json', 'idempotency-key': key }
      const req = request(`${options.url}${path}`, { method: 'POST', headers, agent }, (res) => {
        let text = ''
        res.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        res.on('end', () => resolve({ status: res.statusCode ?? 0, text }))
        res.on('close', lost).on('error', lost)
      })
      req.setTimeout(PATIENCE, () => req.destroy())
      req.on('error', lost).on('close', lost)
      req.end(body)
    })

  /** The answer, or undefined where it was given up. */
  const insist = async (path: string, body: string, key: string): Promise<string | undefined> => {
    const deadline = clock() + DEADLINE
    for (;;) {
      const { status, text } = await post(path, body, key)
      if (status === 201) return text
      // 0: no answer. What the gateway or nginx call repeatable is repeated; anything else is a fault.
      if (status !== 0 && status !== 503) {
        refused.push(`${status} ${text}`)
        return undefined
      }
      if (clock() > deadline) return undefined
      retries++
      await new Promise((resolve) => setTimeout(resolve, random.between(50, 400)))
    }
  }

  const send = async (drafts: readonly Draft[]): Promise<void> => {
    const sent = tick++
    const [first] = drafts
    const answer =
      drafts.length === 1
        ? await insist(`/v1/events?channel=${first!.channel}`, first!.data, first!.key)
        : await insist('/v1/events', `[${drafts.map(asObject).join(',')}]`, first!.key)
    const acked = tick++
    if (answer === undefined) {
      uncertain.push(...drafts.map(({ channel, data }) => ({ channel, data })))
      return
    }
    const receipts = [JSON.parse(answer)].flat() as { id: string }[]
    for (const [i, { channel, data }] of drafts.entries()) {
      acknowledged.push({ channel, id: receipts[i]!.id, data, sent, acked, at: clock() })
    }
  }

  const draft = (channel: string): Draft => {
    const n = made++
    const text = 'x'.repeat(random.between(0, 60))
    return { channel, data: JSON.stringify({ n, text }), key: `soak-${n}` }
  }
  /** Mostly single events, now and then several at once. */
  const drafts = (): Draft[] => {
    const count = random.next() < 0.9 ? 1 : 5
    return Array.from({ length: count }, () =>
      draft(channels[random.between(0, channels.length - 1)]!),
    )
  }
  /** 0.9 × 1 + 0.1 × 5 events in a request. */
  const pause = (1_000 * options.count * 1.4) / options.rate

  const write = async (): Promise<void> => {
    const open = new Set<Promise<void>>()
    let next = clock() + random.next() * pause
    while (going) {
      const wait = next - clock()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      if (!going) break
      const sending = send(drafts()).finally(() => open.delete(sending))
      open.add(sending)
      if (open.size >= AT_ONCE) await Promise.race(open)
      // What could not be sent in its time isn't sent later in a heap.
      next = Math.max(next + pause * (0.5 + random.next()), clock() - pause)
    }
    await Promise.all(open)
  }
  const done = Promise.all(Array.from({ length: options.count }, write))

  return {
    acknowledged,
    uncertain,
    refused,
    get retries() {
      return retries
    },
    async finish() {
      going = false
      await done
    },
    async last(channels) {
      await Promise.all(channels.map((channel) => send([draft(channel)])))
      agent.destroy()
      // Each channel's latest answer is the one just made: all earlier ones were answered before.
      return new Map(acknowledged.map(({ channel, id }) => [channel, id]))
    },
  }
}

/** The data as the text that it is, for the checker compares texts. */
function asObject({ channel, data, key }: Draft): string {
  return `{"channel":"${channel}","key":"${key}","data":${data}}`
}
