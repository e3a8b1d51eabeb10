/** What gateways share, where there is only one. */
import { SluiceError } from '../wire/errors.js'
import { createExpiring } from './expiring.js'
import type { Shared, SharedListener } from './shared.js'
import {
  BUCKETS,
  LATEST,
  LONGEST_TICKET,
  SESSIONS,
  SWEEP_EVERY,
  TICKET_BYTES,
  TICKET_OVERHEAD,
  TICKETS,
  VERDICTS,
} from './shared-limits.js'
import { createVerdicts } from './verdicts.js'

export interface SharedMemoryOptions {
  /** ms since the epoch. Default: the machine's clock. */
  readonly now?: () => number
}

interface Ticket {
  readonly record: string
  readonly ends: number
  readonly session: string | undefined
}

/** What a bucket lacked at a time: in parts of a unit, as in `gate.lua`. */
interface Bucket {
  readonly missing: number
  readonly time: number
}

export function createSharedMemory({ now = Date.now }: SharedMemoryOptions = {}): Shared {
  const bounds = { sweepEvery: SWEEP_EVERY, now }
  const weigh = ({ record }: Ticket) => record.length + TICKET_OVERHEAD
  const tickets = createExpiring<Ticket>({
    limit: TICKETS,
    weigh,
    mostBytes: TICKET_BYTES,
    ...bounds,
  })
  const owners = createExpiring<string>({ limit: SESSIONS, ...bounds })
  // One that is full is the same as one that is missing: it ends when it is.
  const buckets = createExpiring<Bucket>({ limit: BUCKETS, ...bounds })
  const verdicts = createVerdicts(VERDICTS, now)
  let listener: SharedListener | undefined

  const tell = () => listener?.revocations(verdicts.standing())

  return {
    async start(told) {
      listener = told
      tell()
    },
    async stop() {
      listener = undefined
    },
    fault: () => undefined,

    async issueTicket(id, record, redeemBy, expires) {
      const ends = Math.min(expires, now() + LONGEST_TICKET)
      tickets.set(id, { record, ends, session: undefined }, Math.min(redeemBy, ends))
    },
    async redeemTicket(id, session) {
      const ticket = tickets.get(id)
      if (ticket === undefined || ticket.ends <= now()) return { kind: 'unknown' }
      if (ticket.session === undefined) tickets.set(id, { ...ticket, session }, ticket.ends)
      else if (ticket.session !== session) return { kind: 'taken' }
      return { kind: 'redeemed', record: ticket.record }
    },

    async claimSession(session, owner, ms) {
      const before = owners.get(session)
      if (before !== undefined && before !== owner) return before
      owners.set(session, owner, now() + ms)
      return owner
    },
    async sessionOwner(session) {
      return owners.get(session)
    },

    // At once: on the way of an event a promise would cost more than the counting.
    take(name, { amount, ms }, atLeast, atMost) {
      if (amount === 0) return { granted: Math.max(atLeast, atMost), retryMs: 0 }
      const key = `${amount}/${ms}:${name}`
      const time = now()
      const bucket = buckets.get(key) ?? { missing: 0, time }
      const gone = time - bucket.time
      let missing = Math.max(0, bucket.missing - Math.max(0, gone) * amount)
      const free = amount * ms - missing
      const granted = free < ms ? 0 : Math.max(atLeast, Math.min(atMost, Math.floor(free / ms)))
      missing += granted * ms
      // Ahead of a clock that was set back it would not fill until the clock is there again.
      if (granted > 0 || gone < 0) {
        buckets.set(key, { missing, time }, time + Math.ceil(missing / amount))
      }
      return { granted, retryMs: granted > 0 ? 0 : Math.ceil((ms - free) / amount) }
    },

    async revoke({ kind, value, until: said }) {
      const until = Math.min(said, LATEST)
      const before = verdicts.find(kind, value)
      if (before === undefined && !verdicts.hasRoom()) {
        throw new SluiceError('overloaded', { detail: `${VERDICTS} revocations are in force` })
      }
      const at = Math.max(now(), (before?.at ?? 0) + 1)
      if (verdicts.hear({ kind, value, until, at, ends: until })) tell()
    },
    async renew(session, renewal) {
      return listener?.renewed(session, renewal) ?? false
    },
  }
}
