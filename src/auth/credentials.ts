/** What a request says about its sender, before anybody believes it. */
import type { IncomingHttpHeaders } from 'node:http'
import { SluiceError } from '../wire/errors.js'

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer' | 'cookie'; readonly token: string }

const NONE: Credentials = { kind: 'none' }
/** RFC 6750 § 2.1; the scheme is case-insensitive (RFC 9110 § 11.1). */
const BEARER = /^bearer +([\x21-\x7e]+) *$/i

/** A header beats the cookie: it was written on purpose, the cookie comes with every request. */
export function credentialsOf(headers: IncomingHttpHeaders, cookieName: string): Credentials {
  const { authorization, cookie } = headers
  if (authorization !== undefined) {
    // Nearly everybody writes it like that; what is wrong behind it is no token either.
    if (authorization.startsWith('Bearer e')) {
      return { kind: 'bearer', token: authorization.slice('Bearer '.length) }
    }
    const token = BEARER.exec(authorization)?.[1]
    if (token !== undefined) return { kind: 'bearer', token }
    throw new SluiceError('token_invalid', { detail: 'Authorization is not "Bearer <token>"' })
  }
  const token = cookie === undefined ? undefined : cookieOf(cookie, cookieName)
  return token === undefined ? NONE : { kind: 'cookie', token }
}

/**
 * RFC 6265 § 4.2: `name=value; name=value`, a value perhaps in quotes. Only blanks and tabs are white
 * space (§ 5.2): `trim` would take U+00A0 too, and a cookie that a neighbouring host may set would get
 * the `__Host-` name that it may not.
 */
function cookieOf(header: string, name: string): string | undefined {
  const values = header
    .split(';')
    .map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1).replace(/^"(.*)"$/, '$1'))
  if (values.length > 1) {
    // A page on a neighbouring host can plant one of the same name, never replace the other.
    throw new SluiceError('token_invalid', { detail: 'The cookie comes more than once' })
  }
  return values[0] === '' ? undefined : values[0]
}

/**
 * A cookie comes with requests that another page caused. What such a page can't do is lie about where
 * it is: its POST carries an Origin, which is checked against the list, and its GET of an image, a
 * script or a frame carries none, but `Sec-Fetch-Site` (over HTTPS; over plain HTTP neither comes, and a
 * same-origin GET never has an Origin: both absent is allowed on GET).
 */
export function checkCookieSender(method: string, headers: IncomingHttpHeaders): void {
  if (headers.origin !== undefined) return
  const site = headers['sec-fetch-site']
  if (site === 'same-origin') return
  const reads = method === 'GET' || method === 'HEAD'
  if (reads && (site === undefined || site === 'none')) return
  throw new SluiceError('origin_forbidden', {
    detail: 'A request with a cookie must say which page it comes from',
  })
}
