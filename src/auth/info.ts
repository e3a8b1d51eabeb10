/** What a token says of its bearer to those who share a channel with it: the member `info` of its rights claim. */
import { MAX_INFO_BYTES } from '../limits.js'
import { RightsFault } from './verbs.js'

/** The claim in two: its rights, unread, and its info as JSON text. Throws a RightsFault. */
export function splitClaim(claim: unknown): {
  readonly rights: unknown
  readonly info: string | undefined
} {
  if (typeof claim !== 'object' || claim === null || !Object.hasOwn(claim, 'info')) {
    return { rights: claim, info: undefined }
  }
  const { info, ...rights } = claim as { readonly info: unknown }
  return { rights, info: infoText(info) }
}

/** Info as JSON text. Throws a RightsFault where it is none. */
export function infoText(info: unknown): string {
  if (typeof info !== 'object' || info === null || Array.isArray(info)) {
    throw new RightsFault('"info" is an object such as {"name": "Alice"}')
  }
  const text = JSON.stringify(info)
  const bytes = Buffer.byteLength(text)
  if (bytes <= MAX_INFO_BYTES) return text
  throw new RightsFault(`"info" has ${bytes} bytes, of ${MAX_INFO_BYTES} at most`)
}
