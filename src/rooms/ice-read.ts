/** ICE servers as an operator writes them, judged. */
import { type Environment, expandVariables } from '../environment.js'

export interface ConfiguredServer {
  readonly urls: readonly string[]
  /** Shared with the relay: it makes credentials that end. Not for logs. */
  readonly secret?: string
  /** The same for everybody, where there is no such secret. */
  readonly username?: string
  readonly credential?: string
}

export interface IceServers {
  readonly servers: readonly ConfiguredServer[]
  /** ms for which credentials count. Default: an hour. */
  readonly ttlMs: number
  /** Peers use relays alone, so that neither learns the other's address. Default false. */
  readonly relayOnly: boolean
}

const EXAMPLE =
  'write {"servers": [{"urls": "stun:turn.example"}, {"urls": ["turn:turn.example", "turns:turn.example:443?transport=tcp"], "secret": "$TURN_SECRET"}]}'

/** What is wrong, for the operator. It never holds a secret. No full stop. */
export class IceServersError extends Error {
  override readonly name = 'IceServersError'
  /** What to do. */
  readonly advice: string

  constructor(message: string, advice: string) {
    super(message)
    this.advice = advice
  }
}

type Fail = (fault: string, advice: string) => never

const KEYS = ['servers', 'ttl', 'relayOnly']
const SERVER_KEYS = ['urls', 'secret', 'username', 'credential']
const MAX_SERVERS = 20
const MAX_URLS = 10
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const HOUR = 3_600_000

export const NO_ICE_SERVERS: IceServers = { servers: [], ttlMs: HOUR, relayOnly: false }

/** `{servers, ttl?, relayOnly?}`, with secrets from `env`. Throws an IceServersError. */
export function readIceServers(value: unknown, env: Environment): IceServers {
  const fail: Fail = (fault, advice) => {
    throw new IceServersError(fault, advice)
  }
  if (!isObject(value)) return fail('it is not an object', EXAMPLE)
  const odd = Object.keys(value).find((key) => !KEYS.includes(key))
  if (odd !== undefined) fail(`there is no key ${quoted(odd)}`, `the keys are ${KEYS.join(', ')}`)
  const { servers = [], ttl = '1h', relayOnly = false } = value
  if (!Array.isArray(servers) || servers.length > MAX_SERVERS) {
    return fail(`"servers" is not a list of up to ${MAX_SERVERS}`, EXAMPLE)
  }
  if (typeof relayOnly !== 'boolean')
    return fail('"relayOnly" is neither true nor false', 'write one')
  const read = servers.map((server: unknown, i) =>
    readServer(server, env, (fault, advice) => fail(`server ${i + 1}: ${fault}`, advice)),
  )
  if (relayOnly && !read.some(({ urls }) => urls.some(isRelay))) {
    fail('"relayOnly" without a relay lets nobody through', 'add a server with a turn: URL')
  }
  return { servers: read, ttlMs: readTtl(ttl, fail), relayOnly }
}

function readServer(value: unknown, env: Environment, fail: Fail): ConfiguredServer {
  if (!isObject(value)) return fail('it is not an object', EXAMPLE)
  const odd = Object.keys(value).find((key) => !SERVER_KEYS.includes(key))
  if (odd !== undefined) {
    fail(`there is no key ${quoted(odd)}`, `the keys are ${SERVER_KEYS.join(', ')}`)
  }
  const urls = (Array.isArray(value.urls) ? value.urls : [value.urls]) as unknown[]
  if (urls.length === 0 || urls.length > MAX_URLS) {
    fail(`it has ${urls.length} URLs`, `give 1–${MAX_URLS}`)
  }
  const checked = urls.map((url) => readUrl(url, fail))
  const text = (key: 'secret' | 'username' | 'credential') => readText(key, value[key], env, fail)
  const [secret, username, credential] = [text('secret'), text('username'), text('credential')]
  if ((username === undefined) !== (credential === undefined)) {
    fail('"username" and "credential" go together', 'give both, or a "secret"')
  }
  if (secret !== undefined && username !== undefined) {
    fail('it has a "secret" and a "username"', 'keep the secret: it makes the names')
  }
  const known = secret !== undefined || username !== undefined
  const relay = checked.find(isRelay)
  if (relay !== undefined && !known) {
    fail(`${relay} needs credentials`, 'give the "secret" that the relay has as static-auth-secret')
  }
  if (relay === undefined && known) {
    fail('credentials are for turn: URLs, and it has none', 'leave them out')
  }
  if (secret !== undefined) return { urls: checked, secret }
  return username === undefined
    ? { urls: checked }
    : { urls: checked, username, credential: credential! }
}

const isRelay = (url: string) => /^turns?:/.test(url)

/** RFC 7064 and RFC 7065: a scheme, a host, a port; for a relay a transport. */
const URL_OF_ICE =
  /^(stuns?|turns?):(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?(\?.*)?$/

function readUrl(value: unknown, fail: Fail): string {
  if (typeof value !== 'string')
    return fail('"urls" is neither a text nor a list of texts', EXAMPLE)
  if (/^(?:stuns?|turns?):\/\//.test(value)) {
    fail(`${quoted(value)} has slashes`, `write ${value.replace('://', ':')}`)
  }
  const [, scheme = '', port = '1', query] = URL_OF_ICE.exec(value) ?? []
  if (scheme === '' || Number(port) < 1 || Number(port) > 65_535) {
    fail(`${quoted(value)} is no URL of a STUN or TURN server`, 'write e.g. turn:turn.example:3478')
  }
  if (query === '?transport=tls') {
    // A browser refuses all servers for it.
    const right = value.replace(/^turns?:/, 'turns:').replace('=tls', '=tcp')
    fail(`${quoted(value)}: there is no transport "tls"`, `the scheme says it: write ${right}`)
  }
  if (
    query !== undefined &&
    !(scheme.startsWith('turn') && /^\?transport=(?:udp|tcp)$/.test(query))
  ) {
    fail(`${quoted(value)} has a query`, 'a turn: URL may end in ?transport=udp or ?transport=tcp')
  }
  return value
}

function readText(key: string, value: unknown, env: Environment, fail: Fail): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string') return fail(`"${key}" is no text`, `write "${key}": "$NAME"`)
  const expanded = expandVariables(value, env)
  if (expanded === 'odd') {
    return fail(`"${key}" has a $ that names no variable`, 'write $NAME, or $$ for a dollar')
  }
  if ('missing' in expanded) {
    return fail(
      `"${key}" wants the variable ${expanded.missing}, which is not set`,
      `set ${expanded.missing} in the gateway’s environment`,
    )
  }
  if (!/^[\x20-\x7e]{1,512}$/.test(expanded.text)) {
    return fail(
      `"${key}" is empty, too long, or has characters that no header carries`,
      'look for a line end at the end of the secret',
    )
  }
  return expanded.text
}

function readTtl(value: unknown, fail: Fail): number {
  const [, amount, unit = 's'] = /^(\d{1,7})([smhd])?$/.exec(String(value)) ?? []
  const ms = Number(amount) * UNITS[unit]!
  if (ms >= 60_000 && ms <= 7 * 24 * HOUR) return ms
  return fail('"ttl" is no time between 1m and 7d', 'write e.g. "1h"')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** For a message: not longer than it is of use. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
