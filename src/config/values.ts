/**
 * Readers of values: from text (a variable, a flag) or JSON (the file) to what the gateway works with.
 * Each returns the value or throws a Fault.
 */
import { availableParallelism } from 'node:os'
import { AddressError, readAddress } from '../log/redis/address.js'
import { compilePattern } from '../wire/channel.js'
import { nearest } from './nearest.js'
import type { ChannelRule, LogLevel } from './types.js'

const MINUTE = 60_000
export const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Longest delay that a timer of JavaScript can have, about 24.8 days; a longer one fires at once. */
export const MAX_TIMER = 2 ** 31 - 1
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: MINUTE,
  h: HOUR,
  d: DAY,
}
const SIZES: Readonly<Record<string, number>> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 }
export const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** A value that can't be used. */
export class Fault extends Error {
  /** What to do. */
  readonly advice: string

  constructor(message: string, advice: string) {
    super(message)
    this.advice = advice
  }
}

function fail(fault: string, advice: string): never {
  throw new Fault(fault, advice)
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value as text; nothing that can be read where it is neither text nor a number. */
function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

export function whole(min: number, max: number): (value: unknown) => number {
  return (value) => {
    const number = /^\d{1,15}$/.test(plain(value)) ? Number(value) : Number.NaN
    if (number >= min && number <= max) return number
    return fail('it is not a whole number in range', `give one from ${min} to ${max}`)
  }
}

const someWorkers = whole(1, 256)

export function workers(value: unknown): number {
  if (value === 'auto') return availableParallelism()
  try {
    return someWorkers(value)
  } catch (error) {
    return fail((error as Fault).message, 'give one from 1 to 256, or auto for one a core')
  }
}

export function onOff(value: unknown): boolean {
  if (typeof value === 'boolean') return value
  if (value === 'on') return true
  if (value === 'off') return false
  return fail('it is neither on nor off', 'write on or off')
}

/** Milliseconds. */
export function duration(min: number, max: number): (value: unknown) => number {
  return (value) => {
    const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)?$/.exec(plain(value))
    if (match === null) return fail('it is not a duration', 'write 500ms, 15s, 5m, 2h or 7d')
    const ms = Math.round(Number(match[1]) * UNITS[match[2] ?? 's']!)
    if (ms >= min && ms <= max) return ms
    return fail('it is out of range', `give ${shortest(min)} to ${shortest(max)}`)
  }
}

function shortest(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((u) => ms >= UNITS[u]!) ?? 'ms'
  return `${Math.floor(ms / UNITS[unit]!)}${unit}`
}

/** Bytes. */
export function size(min: number): (value: unknown) => number {
  return (value) => {
    const match = /^(\d{1,15}(?:\.\d{1,3})?)(b|kb|mb|gb)?$/i.exec(plain(value))
    if (match === null) return fail('it is not a size', 'write bytes, or 256kb, 4mb, 1gb')
    const bytes = Math.floor(Number(match[1]) * SIZES[(match[2] ?? 'b').toLowerCase()]!)
    if (bytes >= min && bytes <= 2 ** 40) return bytes
    return fail('it is out of range', `give ${min} bytes to 1024gb`)
  }
}

export function loopbackHost(value: unknown): string {
  const host = plain(value)
  const octets = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host)?.slice(1)
  if (octets?.every((octet) => Number(octet) < 256)) return host
  if (host === '::1' || host === 'localhost') return host
  return fail(
    'it is not a loopback address, and this version has no authentication',
    'use 127.0.0.1 and put a proxy such as the nginx.conf shipped here in front',
  )
}

export function redis(value: unknown): string {
  const url = plain(value)
  try {
    readAddress(url)
    return url
  } catch (error) {
    if (error instanceof AddressError) return fail(error.message, error.advice)
    throw error
  }
}

export function prefix(value: unknown): string {
  // Braces would choose the cluster slot, `*?[` are patterns to Pub/Sub.
  if (/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,49}$/.test(plain(value))) return String(value)
  return fail('it is not a prefix', 'use 1–50 of A–Z a–z 0–9 _ . : -, the first a letter or digit')
}

export function origins(value: unknown): 'loopback' | readonly string[] {
  const list = Array.isArray(value) ? value.map(String) : String(value).split(',')
  const trimmed = list.map((origin) => origin.trim()).filter((origin) => origin !== '')
  if (trimmed.length === 1 && trimmed[0] === 'loopback') return 'loopback'
  for (const origin of trimmed) {
    const web = /^https?:[^*]*$/.test(origin) && URL.canParse(origin)
    if (web && new URL(origin).origin === origin) continue
    // `*` too: any page that its user visits could read and write what only this machine may.
    return fail(
      `${JSON.stringify(origin)} is not an origin`,
      'write e.g. https://app.example,https://b.example',
    )
  }
  return trimmed
}

export function level(value: unknown): LogLevel {
  const found = LEVELS.find((name) => name === value)
  return found ?? fail('there is no such level', `use ${LEVELS.join(', ')}`)
}

/** A rule's values obey the same bounds as the ones for all channels. */
export const retentionEvents = whole(1, 10_000_000)
export const retentionAge = duration(1000, 3650 * DAY)

const RULE_KEYS = ['pattern', 'retentionEvents', 'retentionAge']

export function channelRules(value: unknown): readonly ChannelRule[] {
  const example = 'write [{"pattern":"chat:*","retentionEvents":500}]'
  if (!Array.isArray(value)) return fail('it is not a list of rules', example)
  return value.map((rule: unknown, i): ChannelRule => {
    if (!isObject(rule)) return fail(`rule ${i + 1} is not an object`, example)
    const odd = Object.keys(rule).find((key) => !RULE_KEYS.includes(key))
    if (odd !== undefined) {
      const near = nearest(odd, RULE_KEYS) ?? RULE_KEYS.join(', ')
      return fail(
        `rule ${i + 1} has an unknown key ${JSON.stringify(odd)}`,
        `did you mean ${near}?`,
      )
    }
    try {
      compilePattern(String(rule.pattern ?? ''))
      return {
        pattern: String(rule.pattern),
        ...(rule.retentionEvents !== undefined && {
          retentionEvents: retentionEvents(rule.retentionEvents),
        }),
        ...(rule.retentionAge !== undefined && {
          retentionAgeMs: retentionAge(rule.retentionAge),
        }),
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error
      return fail(
        `rule ${i + 1}: ${error.message}`,
        error instanceof Fault ? error.advice : example,
      )
    }
  })
}
