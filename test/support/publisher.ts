/** Publishes over HTTP and keeps what was acknowledged, for the checker. */
import { type Acknowledged, compareIds } from './checker.js'

export interface Receipt {
  readonly id: string
  readonly channel: string
  readonly time: number
  readonly duplicate: boolean
}

export interface Draft {
  readonly channel: string
  readonly data: unknown
}

export interface Publisher {
  readonly acknowledged: readonly Acknowledged[]
  /** One event, `?channel=`. Throws at anything but 201. */
  one(url: string, channel: string, data: unknown): Promise<Receipt>
  /** An array of events in one request. */
  batch(url: string, drafts: readonly Draft[]): Promise<Receipt[]>
}

export function createPublisher(): Publisher {
  const acknowledged: Acknowledged[] = []
  /** One clock for everything that this publisher sends, wherever it sends it. */
  let tick = 0

  const send = async (url: string, body: unknown): Promise<unknown> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (response.status !== 201) throw new Error(`${response.status} ${text}`)
    return JSON.parse(text)
  }
  const keep = (receipt: Receipt, data: unknown, sent: number, acked: number): void => {
    const { channel, id } = receipt
    acknowledged.push({ channel, id, data: JSON.stringify(data), sent, acked })
  }

  return {
    acknowledged,
    async one(url, channel, data) {
      const sent = tick++
      const target = `${url}/v1/events?channel=${encodeURIComponent(channel)}`
      const receipt = (await send(target, data)) as Receipt
      keep(receipt, data, sent, tick++)
      return receipt
    },
    async batch(url, drafts) {
      const sent = tick++
      const receipts = (await send(`${url}/v1/events`, drafts)) as Receipt[]
      const acked = tick++
      const newest = new Map<string, string>()
      drafts.forEach(({ channel, data }, i) => {
        const receipt = receipts[i]!
        // The clock can't say that a batch keeps its own order, so it is looked at here.
        const before = newest.get(channel)
        if (before !== undefined && compareIds(before, receipt.id) >= 0) {
          throw new Error(`within a batch ${receipt.id} came after ${before}`)
        }
        newest.set(channel, receipt.id)
        keep(receipt, data, sent, acked)
      })
      return receipts
    },
  }
}

/** Runs jobs with a bounded number at once. */
export async function pool(jobs: Iterable<() => Promise<unknown>>, width: number): Promise<void> {
  const queue = jobs[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); !next.done; next = queue.next()) await next.value()
  }
  await Promise.all(Array.from({ length: width }, worker))
}
