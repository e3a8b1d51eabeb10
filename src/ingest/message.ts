/** What publishers on Redis leave, as drafts. Judged like what comes over HTTP. */
import type { Draft } from '../log/log.js'
import {
  checkedKey,
  checkedName,
  type DraftSource,
  draftOf,
  draftOfObject,
  isEventObject,
  publishableChannel,
} from '../publish/drafts.js'
import { type ErrorCode, SluiceError } from '../wire/errors.js'
import { DEFAULT_NAME } from '../wire/event.js'

/** Bytes that an event object may need beside its data: name, key and channel have bounds of their own. */
const AROUND = 4096

/** Before anything is parsed: Redis carries half a gigabyte in one message. */
function refuseGiant(text: string, maxEventBytes: number): void {
  if (text.length > maxEventBytes + AROUND) {
    throw new SluiceError('event_too_large', { detail: `At most ${maxEventBytes} bytes of data` })
  }
}

/**
 * A raw message. An event object where it looks like one; else the payload is the data, as JSON where
 * it is JSON, as a string where it isn't. Throws a SluiceError where it can't be published.
 */
export function draftOfMessage(name: string, payload: string, maxEventBytes: number): Draft {
  const channel = publishableChannel(name)
  refuseGiant(payload, maxEventBytes)
  const source: DraftSource = { sender: undefined, maxEventBytes, channel }
  const defaults = { channel, name: DEFAULT_NAME, ephemeral: false }
  let value: unknown
  try {
    value = JSON.parse(payload)
  } catch {
    return draftOf(JSON.stringify(payload), defaults, undefined, source)
  }
  if (isEventObject(value)) return draftOfObject(payload, value, undefined, source)
  return draftOf(payload.trim(), defaults, undefined, source)
}

const FIELDS = new Set(['channel', 'data', 'name', 'key'])

/** Where what HTTP's clients are advised would mislead: entries have no query, and other fields. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  channel_missing: 'Name it in the field channel.',
  event_invalid:
    'The fields of an entry are channel, data (JSON), and where wanted name and key; each once, no others.',
}

/** An entry of the inbox, its fields as Redis gives them: name, value, name, value … */
export function draftOfEntry(fields: readonly string[], maxEventBytes: number): Draft {
  try {
    return readEntry(fields, maxEventBytes)
  } catch (error) {
    const advice = error instanceof SluiceError ? ADVICE[error.code] : undefined
    if (!(error instanceof SluiceError) || advice === undefined) throw error
    const { code, detail } = error
    throw new SluiceError(code, { advice, ...(detail !== undefined && { detail }) })
  }
}

function readEntry(fields: readonly string[], maxEventBytes: number): Draft {
  const entry = new Map<string, string>()
  for (let i = 0; i < fields.length; i += 2) {
    const field = fields[i]!
    if (!FIELDS.has(field) || entry.has(field)) {
      const fault = FIELDS.has(field) ? 'stands there twice' : 'is no field of an entry'
      throw new SluiceError('event_invalid', {
        detail: `${JSON.stringify(field.slice(0, 40))} ${fault}`,
      })
    }
    entry.set(field, fields[i + 1]!)
  }
  const channel = publishableChannel(entry.get('channel'))
  const data = entry.get('data')
  if (data === undefined) throw new SluiceError('event_invalid', { detail: '"data" is missing' })
  refuseGiant(data, maxEventBytes)
  try {
    JSON.parse(data)
  } catch {
    throw new SluiceError('event_invalid', { detail: '"data" is not JSON' })
  }
  const name = entry.get('name') ?? DEFAULT_NAME
  if (name !== DEFAULT_NAME) checkedName(name)
  const key = entry.get('key')
  if (key !== undefined) checkedKey(key)
  const source = { sender: undefined, maxEventBytes }
  return draftOf(data.trim(), { channel, name, ephemeral: false }, key, source)
}
