/** A gateway with keys, and what its callers come with. */
import { SignJWT } from 'jose'
import { type Config, loadConfig } from '../../../src/config.js'
import { type Answer, ask, post } from '../../routes/support/ask.js'
import { open, type Stream } from '../../routes/support/stream.js'

export const SECRET = 'a secret of thirty-two characters'
export const KEY = 'an-api-key-for-a-backend'

/** Keys for both: tokens and backends. */
export function locked(config: Partial<Config> = {}): Partial<Config> {
  return { ...loadConfig(), port: 0, jwtSecrets: [SECRET], apiKeys: [KEY], ...config }
}

export interface TokenOptions {
  /** Default `alice`; null: none. */
  readonly sub?: string | null
  /** Words by pattern. Default: everything on `chat:*`, reading of one's own `user:…`. */
  readonly channels?: Readonly<Record<string, readonly string[]>>
  /** Seconds since the epoch. Default: in an hour. */
  readonly exp?: number
  readonly jti?: string
  readonly secret?: string
  /** More claims. */
  readonly more?: Readonly<Record<string, unknown>>
}

const OWN = { 'chat:*': ['subscribe', 'publish'], 'user:{sub}': ['subscribe'] }

export function mint(options: TokenOptions = {}): Promise<string> {
  const { sub = 'alice', channels = OWN, exp = Date.now() / 1000 + 3600, secret = SECRET } = options
  const jwt = new SignJWT({ sluice: { channels }, ...options.more })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.floor(exp))
  if (sub !== null) jwt.setSubject(sub)
  if (options.jti !== undefined) jwt.setJti(options.jti)
  return jwt.sign(new TextEncoder().encode(secret))
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Opens a stream with credentials. */
export function read(
  url: string,
  channels: readonly string[],
  token: string | undefined,
  query = '',
  headers: Readonly<Record<string, string>> = {},
): Promise<Stream> {
  const named = channels.map((channel) => `channel=${channel}`).join('&')
  const all = { ...(token === undefined ? {} : bearer(token)), ...headers }
  return open(`${url}/v1/events?${named}${query === '' ? '' : `&${query}`}`, { headers: all })
}

/** Publishes with credentials. */
export function write(url: string, channel: string, data: unknown, token = KEY): Promise<Answer> {
  return post(`${url}/v1/events?channel=${channel}`, JSON.stringify(data), bearer(token))
}

/** A ticket, as the answer has it. */
export async function ticketFor(
  url: string,
  token: string,
  body: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ ticket: string; redeemBy: number; expires: number }> {
  const answer = await post(`${url}/v1/tickets`, body, { ...bearer(token), ...headers })
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`)
  return answer.json
}

/** A long poll that answers at once. */
export function look(url: string, query: string, headers: Readonly<Record<string, string>> = {}) {
  return ask(`${url}/v1/events?wait=0&${query}`, {
    headers: { accept: 'application/json', ...headers },
  })
}
