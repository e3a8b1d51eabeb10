/** From what a publisher says to drafts: every check that needs no store. Each road in goes by it. */
import type { Draft } from '../log/log.js'
import { isReservedChannel } from '../wire/channel.js'
import { SluiceError } from '../wire/errors.js'
import { DEFAULT_NAME, nameFault } from '../wire/event.js'
import { rawElements, rawMembers } from '../wire/json.js'
import { channelOf } from './channel.js'

/** Event objects in one array at most. */
export const MAX_ARRAY = 1_000

const MEMBERS = new Set(['channel', 'name', 'data', 'key', 'ephemeral'])
/** Characters of an idempotency key. */
export const MAX_KEY_LENGTH = 200
const KEY = /^[\x21-\x7e]{1,200}$/

/** Where drafts come from: who sends them and how large their data may be. */
export interface DraftSource {
  readonly sender: string | undefined
  /** Bytes of an event's data. */
  readonly maxEventBytes: number
  /** The channel of event objects that need not name one, and may not name another. */
  readonly channel?: string
  /** Throws where its sender may not publish there. Default: everywhere. */
  readonly check?: ((channel: string) => void) | undefined
}

/** What one publish request says of all its events. */
export interface DraftDefaults {
  readonly channel: string
  readonly name: string
  readonly ephemeral: boolean
}

/** A channel that clients may publish on. */
export function publishableChannel(name: string | undefined): string {
  const channel = channelOf(name)
  if (isReservedChannel(channel)) throw new SluiceError('channel_reserved')
  return channel
}

export function checkedName(name: string): string {
  const fault = nameFault(name)
  if (fault !== undefined) throw new SluiceError('event_invalid', { detail: `"name": ${fault}` })
  return name
}

export function checkedKey(key: string): string {
  if (!KEY.test(key)) throw new SluiceError('key_invalid')
  return key
}

/** A draft of JSON text that is known to be valid. */
export function draftOf(
  json: string,
  { channel, name, ephemeral }: DraftDefaults,
  key: string | undefined,
  { sender, maxEventBytes }: DraftSource,
): Draft {
  // Three bytes a UTF-16 unit at the most: counting is only worth it near the bound.
  if (json.length * 3 > maxEventBytes && Buffer.byteLength(json) > maxEventBytes) {
    throw new SluiceError('event_too_large', { detail: `At most ${maxEventBytes} bytes of data` })
  }
  return { channel, name, data: json, sender, key, ephemeral }
}

/** JSON text without the white space around it. Throws where it isn't JSON. */
export function checkedJson(text: string): string {
  parsed(text)
  return text.trim()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new SluiceError('body_invalid', { detail: 'It is not JSON' })
  }
}

/** The drafts of an event object or an array of them. `array`: how the answer looks. */
export function draftsOfObjects(
  text: string,
  key: string | undefined,
  source: DraftSource,
): { readonly drafts: Draft[]; readonly array: boolean } {
  const value = parsed(text)
  if (!Array.isArray(value))
    return { drafts: [draftOfObject(text, value, key, source)], array: false }
  if (value.length === 0 || value.length > MAX_ARRAY) {
    throw new SluiceError('event_invalid', {
      detail: `An array holds 1–${MAX_ARRAY} events, not ${value.length}`,
    })
  }
  const drafts = rawElements(text).map((element, i) => {
    try {
      const own = key === undefined ? undefined : checkedKey(`${key}/${i}`)
      return draftOfObject(element, value[i], own, source)
    } catch (error) {
      throw at(error, i)
    }
  })
  return { drafts, array: true }
}

/** Says which item of many is meant. */
function at(error: unknown, index: number): unknown {
  if (!(error instanceof SluiceError)) return error
  return error.of(`Item ${index} (counted from 0)`, { item: index })
}

/** Whether a JSON value looks like an event object: it has `data`, and nothing that no event has. */
export function isEventObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const names = Object.keys(value)
  return names.includes('data') && names.every((name) => MEMBERS.has(name))
}

/** One event object. Its own key beats the request's. */
export function draftOfObject(
  text: string,
  value: unknown,
  key: string | undefined,
  source: DraftSource,
): Draft {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SluiceError('event_invalid', { detail: 'Not a JSON object' })
  }
  const event = value as Record<string, unknown>
  const members = rawMembers(text)
  const unknown = [...members.keys()].find((name) => !MEMBERS.has(name))
  if (unknown !== undefined) {
    throw new SluiceError('event_invalid', {
      detail: `There is no member ${JSON.stringify(unknown.slice(0, 40))}`,
    })
  }
  const data = members.get('data')
  if (data === undefined) throw new SluiceError('event_invalid', { detail: '"data" is missing' })
  const named = stringMember(event, 'channel')
  if (named !== undefined && named !== (source.channel ?? named)) {
    throw new SluiceError('event_invalid', { detail: '"channel" is not the one it came on' })
  }
  const channel = publishableChannel(named ?? source.channel)
  source.check?.(channel)
  const name = stringMember(event, 'name') ?? DEFAULT_NAME
  if (name !== DEFAULT_NAME) checkedName(name)
  const ephemeral = event.ephemeral ?? false
  if (typeof ephemeral !== 'boolean') {
    throw new SluiceError('event_invalid', { detail: '"ephemeral" is true or false' })
  }
  const own = stringMember(event, 'key')
  if (own !== undefined) checkedKey(own)
  return draftOf(data, { channel, name, ephemeral }, own ?? key, source)
}

function stringMember(event: Record<string, unknown>, name: string): string | undefined {
  const value = event[name]
  if (value === undefined || typeof value === 'string') return value
  throw new SluiceError('event_invalid', { detail: `"${name}" is a string` })
}
