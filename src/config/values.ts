/**
 * Readers of values: from text (a variable, a flag) or JSON (the file) to what the gateway works with.
 * Each returns the value or throws a Fault.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { availableParallelism } from 'node:os'
import { parseRate } from '../auth/rates.js'
import { compileRights, parseGrants, type RightsClaim } from '../auth/rights.js'
import type { Rate } from '../auth/shared.js'
import { AddressError, readAddress } from '../log/redis/address.js'
import { readUpstreams } from '../relay/read-upstreams.js'
import { UpstreamsError } from '../relay/upstreams-error.js'
import { IceServersError, readIceServers } from '../rooms/ice-read.js'
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

export function host(value: unknown): string {
  const name = plain(value)
  if (isIP(name) !== 0 || /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})$/.test(name)) return name
  return fail('it is not an address', 'use 127.0.0.1, 0.0.0.0, ::1, or a name of this machine')
}

/** Whether only this machine can reach an address that is listened on. */
export function isLoopback(host: string): boolean {
  const octets = /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/
  return octets.test(host) || host === '::1' || host === 'localhost'
}

/** A list, of a text with commas or of JSON. */
function list(value: unknown): string[] {
  const items = Array.isArray(value) ? value.map(plain) : plain(value).split(',')
  return items.map((item) => item.trim()).filter((item) => item !== '')
}

/** Shortest secret, in characters: HS256 is worth as much as its secret (RFC 7518 § 3.2 asks for 32 bytes). */
const MIN_SECRET = 32
const MIN_API_KEY = 20

function secrets(value: unknown, min: number): string[] {
  const all = list(value)
  const short = all.some((secret) => secret.length < min)
  if (all.length > 0 && !short) return all
  const advice = `give each at least ${min} characters, e.g. of \`openssl rand -base64 32\`; commas stand between several`
  return fail(short ? 'a secret is too short' : 'it is empty, and locks nothing', advice)
}

export function jwtSecrets(value: unknown): string[] {
  // Everybody has the public key: signed with it as a secret, anything would count.
  if (/-----BEGIN|"kty"/.test(Array.isArray(value) ? value.join() : plain(value))) {
    return fail('it is a key, not a secret', 'give a public key as SLUICE_JWT_PUBLIC_KEY')
  }
  return secrets(value, MIN_SECRET)
}

export function apiKeys(value: unknown): string[] {
  const keys = secrets(value, MIN_API_KEY)
  if (keys.every((key) => /^[\x21-\x7e]+$/.test(key))) return keys
  return fail('a key has characters that no header carries', 'use visible ASCII')
}

export function secretText(value: unknown): string {
  return /^[\x21-\x7e]+$/.test(plain(value))
    ? plain(value)
    : fail('it is no key', 'use visible ASCII')
}

export function publicKeys(value: unknown): string[] {
  const texts = Array.isArray(value) ? value.map(plain) : [plain(value)]
  const pems = texts.flatMap((text) => {
    // A variable often holds its line ends as \n.
    const pem = text.includes('-----BEGIN') ? text.replaceAll('\\n', '\n') : readPem(text)
    return pem.match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g) ?? []
  })
  if (pems.length === 0) return fail('there is no PEM in it', 'give -----BEGIN PUBLIC KEY-----…')
  if (pems.some((pem) => /^-----BEGIN [A-Z ]*PRIVATE KEY-/.test(pem))) {
    return fail('it is a private key', 'the gateway needs the public one only')
  }
  return pems
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return fail('it is neither PEM nor a file that can be read', 'give the text or a path')
  }
}

export function webUrl(value: unknown): string {
  const text = plain(value)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol)) return text
  return fail('it is not a URL', 'write https://…')
}

export function algorithms(value: unknown): string[] {
  const names = list(value)
  const odd = names.find(
    (name) => !/^(?:[HRP]S(?:256|384|512)|ES(?:256|384|512)|EdDSA)$/.test(name),
  )
  if (names.length > 0 && odd === undefined) return names
  return fail(
    `${JSON.stringify(odd ?? '')} is not accepted`,
    'name e.g. HS256, RS256, ES256, EdDSA',
  )
}

export function names(value: unknown): string[] {
  const all = list(value)
  return all.length > 0 ? all : fail('it is empty', 'name at least one, or leave it out')
}

export function claimName(value: unknown): string {
  const name = plain(value)
  return name.length > 0 && name.length <= 200 ? name : fail('it is no name', 'use e.g. sluice')
}

export function cookieName(value: unknown): string {
  // RFC 6265 § 4.1.1: a token of RFC 9110.
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(plain(value))) return plain(value)
  return fail('it is not a name for a cookie', 'use letters, digits, - and _')
}

export function rights(value: unknown): RightsClaim {
  try {
    const claim = typeof value === 'string' ? parseGrants(value) : (value as RightsClaim)
    compileRights(claim, undefined)
    return claim
  } catch (error) {
    return fail((error as Error).message, 'blanks divide several')
  }
}

export function rate(value: unknown): Rate {
  try {
    return parseRate(value)
  } catch (error) {
    return fail((error as Error).message, 'write e.g. 100/s, 600/m or 0')
  }
}

export function hosts(value: unknown): 'any' | 'loopback' | readonly string[] {
  const all = list(value).map((name) => name.toLowerCase())
  if (all.length === 1 && (all[0] === 'any' || all[0] === 'loopback')) return all[0]
  const odd = all.find((name) => !/^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/.test(name))
  if (all.length > 0 && odd === undefined) return all
  return fail(
    `${JSON.stringify(odd ?? '')} is not a host`,
    'write e.g. sluice.example,localhost:8080',
  )
}

const PROXY_ALIASES = ['loopback', 'linklocal', 'uniquelocal']

export function proxies(value: unknown): readonly string[] {
  const all = list(value)
  const odd = all.find((item) => {
    const [address = '', bits, ...more] = item.split('/')
    const most = isIP(address) === 4 ? 32 : 128
    const sized = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
    return !PROXY_ALIASES.includes(item) && !(isIP(address) !== 0 && sized && more.length === 0)
  })
  if (all.length > 0 && odd === undefined) return all
  const advice = 'name addresses or ranges, e.g. 10.0.0.7,192.168.0.0/16, or loopback'
  return fail(`${JSON.stringify(odd ?? '')} is not an address`, advice)
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
      'write e.g. https://app.example,https://b.example, without a slash at the end; * is not accepted',
    )
  }
  return trimmed
}

export function level(value: unknown): LogLevel {
  const found = LEVELS.find((name) => name === value)
  return found ?? fail('there is no such level', `use ${LEVELS.join(', ')}`)
}

/** Checked, and kept as written: secrets are read from the environment by whoever uses them. */
export function upstreams(value: unknown): Readonly<Record<string, unknown>> {
  try {
    readUpstreams(value, process.env)
    return value as Readonly<Record<string, unknown>>
  } catch (error) {
    if (error instanceof UpstreamsError) return fail(error.message, error.advice)
    throw error
  }
}

/** As upstreams: checked, and kept as written. */
export function iceServers(value: unknown): unknown {
  try {
    readIceServers(value, process.env)
    return value
  } catch (error) {
    if (error instanceof IceServersError) return fail(error.message, error.advice)
    throw error
  }
}

/** A rule's values obey the same bounds as the ones for all channels. */
export const retentionEvents = whole(1, 10_000_000)
export const retentionAge = duration(1000, 3650 * DAY)

const RULE_KEYS = ['pattern', 'retentionEvents', 'retentionAge', 'presence']

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
        ...(rule.presence !== undefined && { presence: onOff(rule.presence) }),
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
