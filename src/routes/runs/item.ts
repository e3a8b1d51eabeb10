/** An item of a run that is pushed: its name, its data, its key. */
import type { FastifyRequest } from 'fastify'
import { checkedKey, MAX_KEY_LENGTH } from '../../publish/drafts.js'
import type { RunEvent } from '../../runs/format.js'
import { SluiceError } from '../../wire/errors.js'
import { isCarried, isServerName } from '../../wire/event.js'

/** Any name that an `event:` line carries, also `error`, which formats use; but for the server's own. */
export function carried(name: string): string {
  if (!isCarried(name)) {
    const detail = '"name" has 1–100 characters, none a control'
    throw new SluiceError('event_invalid', { detail })
  }
  if (!isServerName(name)) return name
  const beginning = name.slice(0, name.indexOf('.') + 1)
  throw new SluiceError('event_invalid', {
    detail: `"name": names beginning with "${beginning}" belong to the server`,
  })
}

/** A string is what it says; anything else stays the JSON text that came. */
export function itemData(json: string): string {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'string' ? value : json
  } catch {
    throw new SluiceError('body_invalid', { detail: 'It is not JSON' })
  }
}

export function eventOf({ name, data }: { name: string; data: string }): RunEvent {
  return { name, data: itemData(data) }
}

export function keyOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'] as string | undefined
  return header === undefined ? undefined : checkedKey(header)
}

/** Characters that `/<number>` takes at most, which each item's key ends in. */
const NUMBER = 10

/** The key of a streamed body: judged before anything is begun, with room for the items' numbers. */
export function uploadKeyOf(request: FastifyRequest): string | undefined {
  const key = keyOf(request)
  if (key === undefined || key.length <= MAX_KEY_LENGTH - NUMBER) return key
  throw new SluiceError('key_invalid', {
    advice: `Use 1–${MAX_KEY_LENGTH - NUMBER} visible ASCII characters: each item’s key is this one and its number.`,
  })
}
