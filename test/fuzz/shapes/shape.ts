/** What requests are made of. */
import type { Random } from '../../support/random.js'
import { one, sometimes } from '../chance.js'
import type { Door } from '../door.js'
import type { Request } from '../request.js'

/** What a request is made from. */
export interface Maker {
  readonly random: Random
  readonly door: Door
  /** Of the gateway, for Host. */
  readonly port: number
}

/** A request but for what all have alike. */
export type Shape = Pick<Request, 'method' | 'target'> & Partial<Request>
export type Headers = [name: string, value: string][]

/**
 * Few enough that what attackers store stays within what the gateway keeps of each, and the log doesn't
 * grow for as long as a run goes on.
 */
export const CHANNELS = Array.from({ length: 24 }, (_, i) => `fuzz:${i}`)

export const ORIGINS = [
  ...['http://localhost', 'http://localhost:3000', 'http://127.0.0.1:5173', 'http://app.localhost'],
]

export function channel(random: Random): string {
  return one(random, CHANNELS)
}

export function session(random: Random): string {
  return `fuzz-session-${String(random.between(0, 40)).padStart(16, '0')}`
}

/** How the end of a body is told. */
export function framed(random: Random): 'length' | 'chunked' {
  return sometimes(random, 0.3) ? 'chunked' : 'length'
}

export function json(
  method: string,
  target: string,
  value: unknown,
  random: Random,
  headers: Headers = [],
): Shape {
  return {
    ...{ method, target, framing: framed(random) },
    headers: [['Content-Type', 'application/json'], ...headers],
    body: Buffer.from(JSON.stringify(value)),
  }
}

/** A request line's `Authorization`, ended as a header is; empty in open mode. */
export function login({ random, door }: Maker): string {
  return door.keys.length === 0 ? '' : `Authorization: ${one(random, door.keys)}\r\n`
}
