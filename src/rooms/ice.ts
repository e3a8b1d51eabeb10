/**
 * ICE servers: how two peers find a way to each other, and whose relay they may use where there is none.
 *
 * A relay's shared secret makes credentials that end by themselves (coturn's `use-auth-secret`,
 * draft-uberti-behave-turn-rest-00): the relay reckons them again from the name, and needs no list of users.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { IceServers } from './ice-read.js'

/** As `RTCConfiguration` has it. */
export interface IceServer {
  readonly urls: readonly string[]
  readonly username?: string
  readonly credential?: string
}

export interface IceAnswer {
  readonly iceServers: readonly IceServer[]
  readonly iceTransportPolicy: 'all' | 'relay'
  /** Seconds for which the credentials count. */
  readonly ttl: number
}

/** Names that every relay and every header takes. */
const PLAIN = /^[A-Za-z0-9_.@~=|+-]{1,128}$/

/** For a caller, by a name that the relay's log shows; a random one where it has none that is plain. */
export function iceFor(
  { servers, ttlMs, relayOnly }: IceServers,
  name: string | undefined,
  now: number,
): IceAnswer {
  const ttl = Math.floor(ttlMs / 1000)
  const plain = name !== undefined && PLAIN.test(name)
  const who = plain ? name : randomBytes(9).toString('base64url')
  const username = `${Math.floor(now / 1000) + ttl}:${who}`
  return {
    iceServers: servers.map(({ urls, secret, username: user, credential }) => {
      if (secret !== undefined)
        return { urls, username, credential: turnCredential(secret, username) }
      return user === undefined ? { urls } : { urls, username: user, credential: credential! }
    }),
    iceTransportPolicy: relayOnly ? 'relay' : 'all',
    ttl,
  }
}

/** What the relay reckons from the same secret. SHA-1 is what it speaks; here it keys a MAC, which holds. */
export function turnCredential(secret: string, username: string): string {
  return createHmac('sha1', secret).update(username).digest('base64')
}

/** The same as links, as WHIP has them (RFC 9725 § 4.6): one for each URL. */
export function iceLinks(servers: readonly IceServer[]): string {
  return servers
    .flatMap(({ urls, username, credential }) =>
      urls.map((url) => {
        const link = `<${url}>; rel="ice-server"`
        if (username === undefined || !/^turn/.test(url)) return link
        const secret = `credential=${quoted(credential!)}; credential-type="password"`
        return `${link}; username=${quoted(username)}; ${secret}`
      }),
    )
    .join(', ')
}

/** RFC 9110 § 5.6.4. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
