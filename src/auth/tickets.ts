/**
 * Tickets: what a native EventSource, which sends no headers, opens a stream with. They stand in URLs,
 * and URLs in logs and histories; so a ticket opens one session only, from one origin, and must do so
 * within 30 seconds. After that the same URL, with which an EventSource comes back, is of use to nobody
 * who hasn't the session.
 *
 *     issued ──30 s──▶ gone
 *        │
 *     redeemed by a session ── comes back ──▶ until its token's end, or that of a renewed one
 */
import { createHash, randomBytes } from 'node:crypto'
import { SESSION_MS, TICKET_REDEEM_MS } from '../limits.js'
import { SluiceError } from '../wire/errors.js'
import type { Identity } from './identity.js'
import { readIdentity, writeIdentity } from './passport.js'
import type { Shared } from './shared.js'

/** Where a request comes from, as far as a browser says. */
export interface Page {
  readonly origin: string | undefined
  readonly host: string | undefined
  /** `Sec-Fetch-Site`. */
  readonly site: string | undefined
}

export interface Issued {
  readonly ticket: string
  /** ms since the epoch. */
  readonly redeemBy: number
  readonly expires: number
}

export interface Admitted {
  readonly identity: Identity
  /** Those that the ticket names: what is read where the request names none. */
  readonly channels: readonly string[]
}

export interface Tickets {
  /** A ticket that is as good as `identity`; `origin`: of the only page that may use it. */
  issue(
    identity: Identity,
    channels: readonly string[],
    origin: string | undefined,
  ): Promise<Issued>
  /** Throws `ticket_invalid`, or `token_expired` where nobody has renewed it. */
  redeem(ticket: string, session: string, page: Page): Promise<Admitted>
  /** From now on the session's tickets are as good as this identity. */
  renew(session: string, identity: Identity): Promise<void>
}

/** What is kept of a ticket. */
interface Kept {
  readonly passport: string
  readonly channels: readonly string[]
  readonly origin: string | undefined
}

/** Bytes of a ticket: as many as nobody guesses. */
const TICKET_BYTES = 32
const MAX_MS = 2 ** 41

export function createTickets(
  shared: Shared,
  now: () => number,
  random: (bytes: number) => Buffer = randomBytes,
): Tickets {
  // The store holds a hash: who can read it can open nothing.
  const idOf = (ticket: string) => createHash('sha256').update(ticket).digest('base64url')
  // What was renewed is kept as a ticket that no request can name and only the session can redeem.
  const renewalOf = (session: string) => idOf(`renewal ${session}`)

  /**
   * Whether a request comes from the page that the ticket is for. One that is for any belongs to the
   * first that comes with it. A page on the gateway's own host sends no Origin with its GET: then the
   * names are compared.
   */
  async function isFrom(
    { origin, host, site }: Page,
    bound: string | undefined,
    ticket: string,
  ): Promise<boolean> {
    if (bound === undefined) {
      const own = origin ?? ''
      return (await shared.claimSession(idOf(`page ${ticket}`), own, SESSION_MS)) === own
    }
    if (origin !== undefined) return origin === bound
    const near = site === undefined || site === 'same-origin'
    return near && URL.canParse(bound) && new URL(bound).host === host
  }

  return {
    async issue(identity, channels, origin) {
      const ticket = random(TICKET_BYTES).toString('base64url')
      const kept: Kept = { passport: writeIdentity(identity), channels, origin }
      const redeemBy = Math.min(now() + TICKET_REDEEM_MS, identity.expires)
      const expires = Math.min(identity.expires, MAX_MS)
      // Longer than it is good for: by then the session's token may have been renewed.
      await shared.issueTicket(idOf(ticket), JSON.stringify(kept), redeemBy, expires + SESSION_MS)
      return { ticket, redeemBy, expires }
    },
    async redeem(ticket, session, page) {
      const renewal = renewalOf(session)
      const [redeemed, renewed] = await Promise.all([
        shared.redeemTicket(idOf(ticket), session),
        shared.redeemTicket(renewal, session),
      ])
      if (redeemed.kind !== 'redeemed') throw new SluiceError('ticket_invalid')
      const { passport, channels, origin } = JSON.parse(redeemed.record) as Kept
      if (!(await isFrom(page, origin, ticket))) throw new SluiceError('ticket_invalid')
      const own = readIdentity(passport, 'ticket')
      const fresh = renewed.kind === 'redeemed' ? readIdentity(renewed.record, 'ticket') : own
      const identity = fresh.expires > own.expires ? fresh : own
      if (identity.expires <= now()) throw new SluiceError('token_expired')
      return { identity, channels }
    },
    async renew(session, identity) {
      const expires = Math.min(identity.expires, MAX_MS)
      await shared.issueTicket(renewalOf(session), writeIdentity(identity), expires, expires)
    },
  }
}
