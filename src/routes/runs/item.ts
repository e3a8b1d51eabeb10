/** An item of a run that is pushed: its name, its data, its key. */
import type { FastifyRequest } from 'fastify'
import { checkedKey } from '../../publish/drafts.js'
import type { RunEvent } from '../../runs/format.js'
import { SluiceError } from '../../wire/errors.js'

/** Any name that an `event:` line carries: also `error`, which formats use. */
const UNCARRIED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u

export function carried(name: string): string {
  if (name.length > 0 && name.length <= 100 && !UNCARRIED.test(name)) return name
  throw new SluiceError('event_invalid', { detail: '"name" has 1–100 characters, none a control' })
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
