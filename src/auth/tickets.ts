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
import { MAX_TICKET_LENGTH, SESSION_MS, TICKET_REDEEM_MS } from '../limits.js'
import { SluiceError } from '../wire/errors.js'
import type { Identity } from './identity.js'
import { readIdentity, writeIdentity } from './passport.js'
import { narrowed, VERBS } from './rights.js'
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
  /** The ticket that a session came with counts as long as this identity does, and for no more than before. */
  renew(session: string, identity: Identity): Promise<void>
}

/** What is kept of a ticket. */
interface Kept {
  readonly passport: string
  /** Its rights name channels, and these are read where a request names none. */
  readonly named: boolean
  readonly origin: string | undefined
}

/** Bytes of a ticket: as many as nobody guesses. */
const TICKET_BYTES = 32
/** ms that a ticket is known after its end: so long a reader is told that it has expired. */
const AFTERWARDS_MS = 3_600_000
const MAX_MS = 2 ** 41
/** What a channel of a ticket is listed for: one whose fresh token has less isn't the ticket's any more. */
const STILL = ['subscribe', 'signal'] as const

export function createTickets(
  shared: Shared,
  now: () => number,
  random: (bytes: number) => Buffer = randomBytes,
): Tickets {
  // The store holds a hash: who can read it can open nothing.
  const idOf = (text: string) => createHash('sha256').update(text).digest('base64url')
  /** Under which it stands what ticket a session came with, so that a fresh token finds it. */
  const placeOf = (session: string) => idOf(`ticket of ${session}`)

  async function keep(id: string, kept: Kept, expires: number, redeemBy: number): Promise<void> {
    const record = JSON.stringify(kept)
    if (record.length > MAX_TICKET_LENGTH) {
      const detail = `What it grants takes ${record.length} characters, of ${MAX_TICKET_LENGTH} at most`
      throw new SluiceError('option_invalid', { detail })
    }
    await shared.issueTicket(id, record, redeemBy, Math.min(expires, MAX_MS) + AFTERWARDS_MS)
  }

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
      const kept = { passport: writeIdentity(identity), named: channels.length > 0, origin }
      const { expires } = identity
      const redeemBy = Math.min(now() + TICKET_REDEEM_MS, expires)
      await keep(idOf(ticket), kept, expires, redeemBy)
      return { ticket, redeemBy, expires: Math.min(expires, MAX_MS) }
    },
    async redeem(ticket, session, page) {
      const redeemed = await shared.redeemTicket(idOf(ticket), session)
      if (redeemed.kind !== 'redeemed') throw new SluiceError('ticket_invalid')
      const { passport, named, origin } = JSON.parse(redeemed.record) as Kept
      if (!(await isFrom(page, origin, ticket))) throw new SluiceError('ticket_invalid')
      const identity = readIdentity(passport, 'ticket')
      if (identity.expires <= now()) throw new SluiceError('token_expired')
      await shared.claimSession(placeOf(session), idOf(ticket), SESSION_MS)
      return { identity, channels: named ? channelsOf(identity) : [] }
    },
    async renew(session, fresh) {
      const id = await shared.sessionOwner(placeOf(session))
      const redeemed = id === undefined ? undefined : await shared.redeemTicket(id, session)
      if (id === undefined || redeemed?.kind !== 'redeemed') return
      const kept = JSON.parse(redeemed.record) as Kept
      const own = readIdentity(kept.passport, 'ticket')
      const rights = kept.named
        ? narrowed(
            own.rights,
            Object.keys(own.rights.claim.channels ?? {}).filter((it) =>
              STILL.every((verb) => !own.rights.may(verb, it) || fresh.rights.may(verb, it)),
            ),
            VERBS,
          )
        : own.rights
      const { expires, jti = own.jti } = fresh
      const passport = writeIdentity({ ...own, rights, expires, jti })
      // Issued again it is nobody's: taken at once, before its URL is used again.
      await keep(id, { ...kept, passport }, expires, now() + TICKET_REDEEM_MS)
      await shared.redeemTicket(id, session)
      await shared.claimSession(placeOf(session), id, SESSION_MS)
    },
  }
}

/** Those that are read by their names. */
const channelsOf = ({ rights }: Identity) =>
  Object.keys(rights.claim.channels ?? {}).filter((it) => rights.may('subscribe', it))
