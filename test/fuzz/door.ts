/**
 * How the gateway is locked, and who has which key. Well-behaved and attackers come from different
 * addresses and are different subjects, so that limits which the latter exhaust say nothing about the
 * former.
 */
import { SignJWT, UnsecuredJWT } from 'jose'

export interface Door {
  /** Of the gateway. */
  readonly env: Readonly<Record<string, string>>
  /** Headers of well-behaved publishers and readers. */
  readonly publisher: Readonly<Record<string, string>>
  readonly reader: Readonly<Record<string, string>>
  /** Values of Authorization that open something to an attacker; empty in open mode. */
  readonly keys: readonly string[]
  /** Values that must not. */
  readonly fakes: readonly string[]
  /** What may never stand in the gateway's log. */
  readonly secrets: readonly string[]
}

/** Values of Authorization that are nothing anywhere. */
export const NONSENSE = [
  'Bearer',
  'Bearer ',
  'Bearer a.b.c',
  'Bearer ..',
  'bearer  x',
  'Basic dXNlcjpwYXNz',
  'Basic :',
  'Digest username="a", realm="b"',
  `Bearer ${'x'.repeat(9_000)}`,
  'Bearer \xff\xfe',
  'Bearer eyJhbGciOiJIUzI1NiJ9.e30.',
  'Negotiate YII=',
  ',',
]

/** Everybody may do everything. */
export function openDoor(): Door {
  return { env: {}, publisher: {}, reader: {}, keys: [], fakes: NONSENSE, secrets: [] }
}

const API_KEY = 'fuzz-api-key-0123456789abcdef0123456789abcdef'
const SECRET = 'fuzz-secret-0123456789abcdef0123456789abcdef0123456789abcdef'
const OTHER_SECRET = SECRET.toUpperCase()
const LIFE_S = 3_600
const ATTACKERS = 40

export async function lockedDoor(): Promise<Door> {
  const all = ['subscribe', 'publish', 'history']
  const everything = { '**': all }
  const calm = await token({ sub: 'calm', channels: { 'calm:*': all } })
  const mine = { 'fuzz:**': [...all, 'admin'], 'run:*': [...all, 'generate', 'stop'] }
  // Many, or all would be told the same by the limits of one.
  const attackers = await Promise.all(
    Array.from({ length: ATTACKERS }, (_, i) => token({ sub: `attacker-${i}`, channels: mine })),
  )
  const limited = await token({ sub: 'limited', channels: { 'fuzz:*': ['subscribe'] } })
  const expired = await token({ sub: 'attacker-0', channels: everything, life: -LIFE_S })
  const forged = await token({ sub: 'attacker-0', channels: everything, secret: OTHER_SECRET })
  const typo = await token({ sub: 'attacker-0', channels: { 'fuzz:**': ['subscribed'] } })
  const none = new UnsecuredJWT({ sub: 'attacker-0' }).setExpirationTime('1h').encode()
  const fakes = [expired, forged, typo, none, `${attackers[0]}x`, attackers[0]!.slice(0, -4)]
  const keys = [...attackers, limited, limited, API_KEY, API_KEY]
  return {
    env: { SLUICE_API_KEY: API_KEY, SLUICE_JWT_SECRET: SECRET },
    publisher: { authorization: `Bearer ${API_KEY}` },
    reader: { authorization: `Bearer ${calm}` },
    keys: keys.map((each) => `Bearer ${each}`),
    fakes: [...NONSENSE, ...fakes.map((each) => `Bearer ${each}`)],
    secrets: [SECRET, calm, ...keys, ...fakes],
  }
}

interface Claims {
  readonly sub: string
  readonly channels: Readonly<Record<string, readonly string[]>>
  /** Seconds. */
  readonly life?: number
  readonly secret?: string
}

function token({ sub, channels, life = LIFE_S, secret = SECRET }: Claims): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  return new SignJWT({ sluice: { channels } })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(sub)
    .setExpirationTime(now + life)
    .sign(new TextEncoder().encode(secret))
}
