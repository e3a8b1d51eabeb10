/**
 * Publishing in order, once. What can't be sent waits, up to a bound; what was sent without an answer
 * is sent again under the same key, which the gateway knows for five minutes.
 */
import { type Caller, isFinal } from './caller.js'
import type { GatewayError } from './gateway.js'
import { backoff } from './pace.js'
import type { PublishReceipt } from './publish.js'
import { createSecret } from './secret.js'
import { pause, type Timer } from './timing.js'

/** Events that may wait, and characters of their JSON. */
export const MAX_WAITING = 1000
const MAX_CHARACTERS = 4 * 2 ** 20
/** In one request. */
const BATCH = 100
const BATCH_CHARACTERS = 512 * 1024
/** Milliseconds until it is tried although the browser says that there is no network. */
const OFFLINE_MS = 15_000
/** Refusals of one event by something on the way, after which it is given up. */
const MAX_REFUSALS = 4
/** Answers to a request that is not to be repeated as it is; those that may pass are left out. */
const REFUSED = /^4(?!01|07|08|25|29)/

export interface Outgoing {
  /** Default `message`. */
  readonly name?: string | undefined
  /** Idempotency key. Default: a random one. */
  readonly key?: string | undefined
  /** For readers that are live now only: not stored, tried once, ahead of what waits. Default false. */
  readonly ephemeral?: boolean | undefined
}

/** So much waits already that this event is not taken. */
export class OutboxFullError extends Error {
  override readonly name = 'OutboxFullError'
}

export interface Outbox {
  publish(channel: string, data: unknown, options?: Outgoing): Promise<PublishReceipt>
  /** Events that wait or are on their way. */
  readonly waiting: number
  /** The network is back: no reason to wait any longer. */
  hurry(): void
  close(): void
}

export interface OutboxOptions {
  readonly caller: Caller
  readonly timer: Timer
  readonly random: () => number
  readonly online: () => boolean
  readonly onReceipt: (receipt: PublishReceipt) => void
}

interface Entry {
  readonly json: string
  readonly taken: (receipt: PublishReceipt) => void
  readonly refused: (error: Error) => void
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { caller, timer, random } = options
  let queue: Entry[] = []
  let characters = 0
  let sending = false
  let closed = false
  /** In one request; one, where a batch was refused without a word which of its events it was. */
  let most = BATCH
  let nap = new AbortController()

  function publish(channel: string, data: unknown, outgoing: Outgoing = {}) {
    const promise = new Promise<PublishReceipt>((resolve, reject) => {
      if (closed) throw new Error('the client is closed')
      const { name, ephemeral, key = ephemeral ? undefined : createSecret() } = outgoing
      const text = JSON.stringify(data)
      if (text === undefined) throw new TypeError('the data must be a JSON value')
      const json = `${JSON.stringify({ channel, name, key, ephemeral }).slice(0, -1)},"data":${text}}`
      if (ephemeral) {
        const sent = caller.ask('events', { method: 'POST', body: json })
        return resolve(sent.then(() => ({ channel, duplicate: false })))
      }
      if (queue.length >= MAX_WAITING || characters + json.length > MAX_CHARACTERS) {
        throw new OutboxFullError(`${queue.length} events wait`)
      }
      queue.push({ json, taken: resolve, refused: reject })
      characters += json.length
      if (!sending) void send()
    })
    // Whoever doesn't wait for the answer doesn't want to hear of it by an unhandled rejection either.
    promise.catch(() => {})
    return promise
  }

  async function send(): Promise<void> {
    sending = true
    // Together with what is published in the same breath.
    await Promise.resolve()
    let failures = 0
    while (queue.length > 0 && !closed) {
      if (!options.online()) await sleep(OFFLINE_MS)
      const batch = nextBatch()
      try {
        const body = `[${batch.map(({ json }) => json).join(',')}]`
        const receipts = (await caller.ask('events', { method: 'POST', body })) as PublishReceipt[]
        // Not the gateway's: whether it has them shows when they are sent again.
        if (receipts?.length !== batch.length) throw new Error()
        failures = 0
        remove(batch)
        batch.forEach(({ taken }, i) => {
          options.onReceipt(receipts[i]!)
          taken(receipts[i]!)
        })
      } catch (error) {
        if (closed) break
        if (isFinal(error, caller)) refuse(batch, error as GatewayError)
        else {
          const { status = 0, retryAfter = 0 } = error as Partial<GatewayError>
          // Something on the way, which doesn't say which one it doesn't like: each for itself.
          if (REFUSED.test(`${status}`)) {
            if (most === 1 && failures >= MAX_REFUSALS) {
              failures = 0
              refuse(batch, error as GatewayError)
              continue
            }
            most = 1
          }
          await sleep(backoff(retryAfter, failures++, random))
        }
      }
    }
    sending = false
    most = BATCH
  }

  function nextBatch(): Entry[] {
    let size = 0
    const end = queue.findIndex(({ json }, i) => {
      size += json.length
      return i === most || (i > 0 && size > BATCH_CHARACTERS)
    })
    return end === -1 ? [...queue] : queue.slice(0, end)
  }

  /** Nothing of the batch was taken. The one that is wrong goes, the others are sent without it. */
  function refuse(batch: readonly Entry[], error: GatewayError): void {
    const item = (error.problem as { readonly item?: number } | undefined)?.item
    const wrong = batch.length === 1 ? batch[0] : batch[item ?? -1]
    most = wrong === undefined ? 1 : BATCH
    if (wrong === undefined) return
    remove([wrong])
    wrong.refused(error)
  }

  function remove(entries: readonly Entry[]): void {
    const gone = new Set(entries)
    queue = queue.filter((entry) => !gone.has(entry))
    for (const { json } of entries) characters -= json.length
  }

  async function sleep(ms: number): Promise<void> {
    nap = new AbortController()
    await pause(ms, timer, nap.signal)
  }

  return {
    publish,
    get waiting() {
      return queue.length
    },
    hurry: () => nap.abort(),
    close() {
      closed = true
      nap.abort()
      for (const { refused } of queue.splice(0)) refused(new Error('the client is closed'))
    },
  }
}
